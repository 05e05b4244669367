//! A strict JSON reader (RFC 8259) that keeps what a contract needs to judge: the text of numbers, the order of keys and
//! every repetition of one. Text is borrowed unless it holds escapes.

use std::borrow::Cow;

/// How deep lists and objects may nest.
const DEEPEST: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    /// As written; a valid JSON number.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    /// In the order written, repeated keys included.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl Node<'_> {
    /// What it is, for people.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {at}: {what}")]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

/// Reads one JSON value and nothing after it.
pub(crate) fn parse(text: &str) -> Result<Node<'_>, Fault> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    if reader.at == text.len() { Ok(node) } else { Err(reader.fault("something follows the value")) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(what))
        }
    }

    fn since(&self, start: usize) -> Result<&'a str, Fault> {
        self.text.get(start..self.at).ok_or(self.fault("broken character"))
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(Node::Text),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => self.number().map(Node::Number),
            Some(b't') => self.word("true", Node::Bool(true)),
            Some(b'f') => self.word("false", Node::Bool(false)),
            Some(b'n') => self.word("null", Node::Null),
            Some(_) => Err(self.fault("a value was expected")),
            None => Err(self.fault("the text ends where a value was expected")),
        }
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Result<Node<'a>, Fault> {
        match self.text.get(self.at..) {
            Some(rest) if rest.starts_with(word) => {
                self.at += word.len();
                Ok(node)
            }
            _ => Err(self.fault("a value was expected")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        self.enter(depth)?;
        let mut entries = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Node::Object(entries));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key was expected"));
            }
            let key = self.string()?;
            self.space();
            self.expect(b':', "`:` was expected")?;
            self.space();
            entries.push((key, self.value(depth + 1)?));
            self.space();
            if !self.another(b'}', "`,` or `}` was expected")? {
                return Ok(Node::Object(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Node::List(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if !self.another(b']', "`,` or `]` was expected")? {
                return Ok(Node::List(items));
            }
        }
    }

    /// Past the opening bracket and the space behind it.
    fn enter(&mut self, depth: usize) -> Result<(), Fault> {
        if depth >= DEEPEST {
            return Err(self.fault("nested too deeply"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Past a comma (true) or the closing bracket (false).
    fn another(&mut self, close: u8, what: &'static str) -> Result<bool, Fault> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.fault(what)),
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.fault("a digit was expected"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.since(start)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = self.since(start)?;
                    self.at += 1;
                    return Ok(Cow::Borrowed(text));
                }
                Some(b'\\') => return self.escaped(start).map(Cow::Owned),
                Some(byte) if byte >= 0x20 => self.at += 1,
                Some(_) => return Err(self.fault("a control character inside a text")),
                None => return Err(self.fault("the text ends inside a string")),
            }
        }
    }

    /// The rest of a string from its first backslash on.
    fn escaped(&mut self, start: usize) -> Result<String, Fault> {
        let mut out = self.since(start)?.to_owned();
        loop {
            let run = self.at;
            while matches!(self.peek(), Some(byte) if byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(self.since(run)?);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.fault("a control character inside a text")),
                None => return Err(self.fault("the text ends inside a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let byte = self.peek().ok_or(self.fault("the text ends inside a string"))?;
        let plain = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.fault("unknown escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// What follows `\u`: four digits, for characters beyond the basic plane a pair of them.
    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.four_digits()?;
        let number = match first {
            0xd800..=0xdbff => {
                self.expect(b'\\', "half a surrogate pair")?;
                self.expect(b'u', "half a surrogate pair")?;
                let second = self.four_digits()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.fault("half a surrogate pair"));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        char::from_u32(number).ok_or(self.fault("half a surrogate pair"))
    }

    fn four_digits(&mut self) -> Result<u32, Fault> {
        let mut number = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            number = number * 16 + digit.ok_or(self.fault("four hex digits were expected"))?;
            self.at += 1;
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn plain(node: &Node<'_>) -> Value {
        match node {
            Node::Null => Value::Null,
            Node::Bool(yes) => Value::Bool(*yes),
            Node::Number(text) => serde_json::from_str(text).expect("number"),
            Node::Text(text) => Value::String(text.to_string()),
            Node::List(items) => items.iter().map(plain).collect(),
            Node::Object(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.to_string(), plain(value))).collect())
            }
        }
    }

    fn check(text: &str) {
        match (parse(text), serde_json::from_str::<Value>(text)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(plain(&ours), theirs, "{text}"),
            (Err(_), Err(_)) => {}
            // serde_json refuses numbers beyond f64; here the one who uses a number judges it.
            (Ok(_), Err(theirs)) if theirs.to_string().contains("number out of range") => {}
            (ours, theirs) => panic!("{text:?}: {ours:?} against {theirs:?}"),
        }
    }

    const SEEDS: &[&str] = &[
        r#"{"a":1,"b":[true,false,null],"c":{"d":"e\u00e9\n","f":-0.5e+3}}"#,
        r#" [ "\ud83d\ude00" , "" , {} , [] , 0 , -1.25 , 1E5 ] "#,
        r#"{"a":1,"a":2}"#,
        r#""\ud83d""#,
        r#""\udc00x""#,
        "01",
        "-",
        "1.",
        ".5",
        "tru",
        "nullx",
        "{\"a\" 1}",
        "{,}",
        "[1,]",
        "\"\u{1}\"",
        "\"\u{7f}é汉\"",
        "",
    ];

    #[test]
    fn reads_what_serde_json_reads() {
        for seed in SEEDS {
            check(seed);
            for end in 0..seed.len() {
                if let Some(part) = seed.get(..end) {
                    check(part);
                }
            }
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(DEEPEST)).is_ok());
        assert_eq!(parse(&nested(100_000)), Err(Fault { at: DEEPEST, what: "nested too deeply" }));
    }

    proptest! {
        #[test]
        fn mutated_texts_are_read_alike(seed in 0..SEEDS.len(), at in 0..80usize, byte in any::<char>(), drop in 0..3usize) {
            let mut chars: Vec<char> = SEEDS[seed].chars().collect();
            let at = at.min(chars.len());
            chars.splice(at..(at + drop).min(chars.len()), [byte]);
            check(&chars.into_iter().collect::<String>());
        }

        #[test]
        fn soups_of_tokens_are_read_alike(tokens in proptest::collection::vec(
            prop_oneof![Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"a\""), Just("1"), Just("-"),
                Just("e"), Just("."), Just("0"), Just(" "), Just("null"), Just("\\u12"), Just("\"")], 0..12)) {
            check(&tokens.concat());
        }
    }
}
