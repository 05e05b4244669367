//! Tokens of ClickHouse's SQL, cut where the engine cuts them: what is read here as one thing and there as another would let a
//! refused name pass (`policy`), or data be taken for a query. Checked against the engine itself by the tests of its lists.
//!
//! What the engine does and a reader would not guess: comments nest; `\` escapes inside of names; `‘…’` and `“…”` are quotes;
//! many characters outside of ASCII are blanks, and none of them can stand in a bare name.

/// A token. Text in quotes keeps its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
    /// Where it ends in the text.
    pub(super) end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A keyword, a name or a number.
    Word,
    /// A name in `"`, `` ` `` or `“`.
    QuotedName,
    /// A string.
    Text,
    /// Any other single byte.
    Sign,
}

impl<'a> Token<'a> {
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    pub(super) fn is_sign(&self, sign: u8) -> bool {
        self.kind == Kind::Sign && self.text == [sign]
    }

    /// The name a word or a quoted name stands for, its escapes as written.
    pub(super) fn name(&self) -> Option<&'a [u8]> {
        let quote = match (self.kind, self.text.first()) {
            (Kind::Word, _) => 0,
            (Kind::QuotedName, Some(0x80..)) => "“".len(),
            (Kind::QuotedName, _) => 1,
            (Kind::Text | Kind::Sign, _) => return None,
        };
        self.text.get(quote..self.text.len().saturating_sub(quote))
    }

    /// Whether it is a name whose letters are not all as they seem.
    pub(super) fn has_escapes(&self) -> bool {
        self.kind == Kind::QuotedName && self.text.contains(&b'\\')
    }
}

/// White space to the engine, though not to the standard library.
const VERTICAL_TAB: u8 = 0x0b;

/// Reads tokens one by one; never looks past the one it returns, so what follows may be binary.
pub(super) struct Tokens<'a> {
    sql: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(sql: &'a [u8]) -> Self {
        Self { sql, at: 0 }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.sql.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.sql.get(self.at..).unwrap_or_default()
    }

    /// Moves behind the next `needle`, or to the end.
    fn skip_past(&mut self, needle: &[u8]) {
        let found = self.rest().windows(needle.len()).position(|window| window == needle);
        self.at = found.map_or(self.sql.len(), |place| self.at + place + needle.len());
    }

    fn skip_space(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(byte), _) if byte.is_ascii_whitespace() || byte == VERTICAL_TAB => self.at += 1,
                (Some(b'-'), Some(b'-')) | (Some(b'#'), Some(b' ' | b'!')) => self.skip_past(b"\n"),
                (Some(b'/'), Some(b'*')) => self.skip_comment(),
                // A blank of some script, or something the engine refuses: a blank for us.
                (Some(0x80..), _) if self.curly().is_none() => self.at += 1,
                _ => return,
            }
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek(0) {
            match (byte, self.peek(1)) {
                (b'/', Some(b'*')) => depth += 1,
                (b'*', Some(b'/')) => depth = depth.saturating_sub(1),
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    /// What stands in curly quotes here, and what ends it.
    fn curly(&self) -> Option<(Kind, &'static [u8])> {
        match self.rest() {
            [0xe2, 0x80, 0x98, ..] => Some((Kind::Text, "’".as_bytes())),
            [0xe2, 0x80, 0x9c, ..] => Some((Kind::QuotedName, "”".as_bytes())),
            _ => None,
        }
    }

    fn quoted(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == b'\\' {
                self.at = (self.at + 1).min(self.sql.len());
            } else if byte == quote {
                // A doubled quote stands for itself.
                if self.peek(0) != Some(quote) {
                    return;
                }
                self.at += 1;
            }
        }
    }

    /// `$tag$ … $tag$`; false when it is not one.
    fn heredoc(&mut self) -> bool {
        let after = self.rest().get(1..).unwrap_or_default();
        let Some(length) = after.iter().position(|byte| *byte == b'$') else { return false };
        let tag = after.get(..length).unwrap_or_default();
        if !tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return false;
        }
        let fence = self.rest().get(..length + 2).unwrap_or_default();
        self.at += fence.len();
        self.skip_past(fence);
        true
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        let start = self.at;
        let first = self.peek(0)?;
        let kind = match first {
            b'\'' => {
                self.quoted(first);
                Kind::Text
            }
            b'"' | b'`' => {
                self.quoted(first);
                Kind::QuotedName
            }
            b'$' if self.heredoc() => Kind::Text,
            0x80.. => {
                // Only quotes are left of these: the rest are blanks.
                let (kind, end) = self.curly()?;
                self.skip_past(end);
                kind
            }
            _ if is_word(first) => {
                while self.peek(0).is_some_and(is_word) {
                    self.at += 1;
                }
                Kind::Word
            }
            _ => {
                self.at += 1;
                Kind::Sign
            }
        };
        let text = self.sql.get(start..self.at)?;
        Some(Token { kind, text, end: self.at })
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(sql: &str) -> Vec<&str> {
        Tokens::new(sql.as_bytes()).map(|token| std::str::from_utf8(token.text).unwrap()).collect()
    }

    #[test]
    fn tokens_are_cut_where_the_engine_cuts_them() {
        for (sql, expected) in [
            ("a/* /* */ */b", vec!["a", "b"]),
            ("a/* /* */ b", vec!["a"]),
            ("a--b\nc # d\n#!e\nf", vec!["a", "c", "f"]),
            ("a#b", vec!["a", "#", "b"]),
            ("a\u{b}b\u{a0}c\u{3000}(", vec!["a", "b", "c", "("]),
            ("“a\\”b‘c'd’", vec!["“a\\”", "b", "‘c'd’"]),
            ("`a\\`b`'c''d'\"e\"", vec!["`a\\`b`", "'c''d'", "\"e\""]),
            ("$a$ ; $a$ $b", vec!["$a$ ; $a$", "$", "b"]),
            ("x'41'", vec!["x", "'41'"]),
        ] {
            assert_eq!(words(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_name_is_what_stands_between_its_quotes() {
        let name = |sql: &str| Tokens::new(sql.as_bytes()).next().and_then(|token| token.name().map(<[u8]>::to_vec));
        for sql in ["file", "`file`", "\"file\"", "“file”"] {
            assert_eq!(name(sql).as_deref(), Some(b"file".as_slice()), "{sql}");
        }
        assert_eq!(name("'file'"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut last = 0;
            for token in Tokens::new(&bytes) {
                prop_assert!(token.end > last);
                last = token.end;
            }
            prop_assert!(last <= bytes.len());
        }
    }
}
