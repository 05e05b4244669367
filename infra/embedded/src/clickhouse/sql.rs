//! Just enough of ClickHouse's grammar to know what to do with a text: tokens, not meaning.

use super::error::{Exception, code};

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
    /// A name in `"` or `` ` ``.
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

    /// The name a word or a quoted name stands for.
    pub(super) fn name(&self) -> Option<&'a [u8]> {
        match self.kind {
            Kind::Word => Some(self.text),
            Kind::QuotedName => self.text.get(1..self.text.len().saturating_sub(1)),
            Kind::Text | Kind::Sign => None,
        }
    }
}

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
                (Some(byte), _) if byte.is_ascii_whitespace() => self.at += 1,
                (Some(b'-'), Some(b'-')) | (Some(b'#'), Some(b' ' | b'!')) => self.skip_past(b"\n"),
                (Some(b'/'), Some(b'*')) => {
                    self.at += 2;
                    self.skip_past(b"*/");
                }
                _ => return,
            }
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
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// What to do with a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Statement {
    /// Rows come back; they may be streamed.
    Select {
        /// The format its FORMAT clause names.
        format: Option<String>,
    },
    /// Data follows the head `INSERT INTO …` that ends at `head` (its FORMAT clause cut off); data begins at `data`.
    Insert { head: usize, format: String, data: usize },
    /// Everything else: runs to its end, then answers.
    Other {
        /// The format its FORMAT clause names.
        format: Option<String>,
        /// Whether it changes the connection's own state (SET, USE).
        changes_connection: bool,
    },
    /// Nothing but space and comments.
    Nothing,
}

/// Finds out what a text is. A second statement behind `;` is refused as ClickHouse refuses it: half of such a request could
/// be done when the other fails.
pub(super) fn statement(sql: &[u8]) -> Result<Statement, Exception> {
    let mut tokens = Tokens::new(sql);
    let Some(first) = tokens.next() else { return Ok(Statement::Nothing) };
    if first.kind == Kind::Text {
        // The engine takes a lone, unclosed quote for an empty query and answers as if all were well.
        return Err(Exception::ours(code::SYNTAX_ERROR, "Syntax error: a statement does not begin with a string"));
    }
    if first.is("INSERT")
        && let Some(insert) = insert_with_data(sql, &mut tokens)
    {
        return Ok(insert);
    }
    let mut tokens = Tokens::new(sql);
    let mut format = None;
    let mut before: Option<Token<'_>> = None;
    let mut inserts = false;
    while let Some(token) = tokens.next() {
        if token.is_sign(b';') {
            return match tokens.all(|token| token.is_sign(b';')) {
                true if before.is_none() => Ok(Statement::Nothing),
                true => Ok(without_data(first, format, inserts)),
                false => Err(Exception::ours(code::SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")),
            };
        }
        inserts |= token.is("INSERT");
        if before.is_some_and(|word| word.is("FORMAT")) && token.kind == Kind::Word {
            format = Some(String::from_utf8_lossy(token.text).into_owned());
        }
        before = Some(token);
    }
    Ok(without_data(first, format, inserts))
}

fn without_data(first: Token<'_>, format: Option<String>, inserts: bool) -> Statement {
    let reads = first.is("SELECT") || first.is("WITH") || first.is_sign(b'(');
    if reads && !inserts {
        return Statement::Select { format };
    }
    Statement::Other { format, changes_connection: first.is("SET") || first.is("USE") }
}

/// `INSERT … FORMAT f <data>` and `INSERT … VALUES <data>`; `None` for `INSERT … SELECT` and the like.
fn insert_with_data(sql: &[u8], tokens: &mut Tokens<'_>) -> Option<Statement> {
    let mut depth = 0_usize;
    let mut head = 0;
    while let Some(token) = tokens.next() {
        if token.is_sign(b'(') {
            depth += 1;
        } else if token.is_sign(b')') {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is("VALUES") {
            return Some(Statement::Insert { head, format: "Values".to_owned(), data: token.end });
        } else if depth == 0 && token.is("FORMAT") {
            let name = tokens.next().filter(|name| name.kind == Kind::Word)?;
            let format = String::from_utf8_lossy(name.text).into_owned();
            return Some(Statement::Insert { head, format, data: data_start(sql, name.end) });
        } else if depth == 0 && (token.is("SELECT") || token.is("WITH")) || token.is_sign(b';') {
            return None;
        }
        head = token.end;
    }
    None
}

/// Data begins behind one line end after the format's name (or behind the blanks when it stands on the same line).
fn data_start(sql: &[u8], after_name: usize) -> usize {
    let rest = sql.get(after_name..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    let line_end = usize::from(rest.get(blanks) == Some(&b'\n'));
    after_name + blanks + line_end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn select(format: Option<&str>) -> Statement {
        Statement::Select { format: format.map(str::to_owned) }
    }

    fn insert(sql: &str) -> (&str, String, &str) {
        match statement(sql.as_bytes()) {
            Ok(Statement::Insert { head, format, data }) => {
                (sql.get(..head).unwrap(), format, sql.get(data..).unwrap())
            }
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn reads_are_told_from_the_rest() {
        let check = |sql: &str, expected: Statement| assert_eq!(statement(sql.as_bytes()), Ok(expected), "{sql}");
        check("SELECT 1", select(None));
        check(" -- why\n select 1 FORMAT JSON;", select(Some("JSON")));
        check("SELECT 1 FORMAT TSV SETTINGS max_threads=1", select(Some("TSV")));
        check("SELECT 'x FORMAT JSON; y'", select(None));
        check("SELECT $tag$ ; FORMAT CSV $tag$;;", select(None));
        check("WITH 1 AS a SELECT a", select(None));
        check("", Statement::Nothing);
        check("/* nothing */", Statement::Nothing);
        check(" ; ;", Statement::Nothing);
        let other = |changes_connection| Statement::Other { format: None, changes_connection };
        check("CREATE TABLE t (a Int8) ENGINE = Memory", other(false));
        check("SET x = 1", other(true));
        check("use db", other(true));
        check("INSERT INTO t SELECT 1", other(false));
        check("INSERT INTO t (a) SELECT number FROM numbers(3)", other(false));
        check("WITH 1 AS x INSERT INTO t SELECT x", other(false));
    }

    #[test]
    fn an_inserts_data_is_cut_off() {
        assert_eq!(insert("INSERT INTO t FORMAT TSV\n1\t;2\n"), ("INSERT INTO t", "TSV".into(), "1\t;2\n"));
        assert_eq!(insert("insert into t (a, b) format RowBinary"), ("insert into t (a, b)", "RowBinary".into(), ""));
        let settings = "INSERT INTO t SETTINGS async_insert=0 FORMAT CSV 1,2";
        assert_eq!(insert(settings), ("INSERT INTO t SETTINGS async_insert=0", "CSV".into(), "1,2"));
        assert_eq!(insert("INSERT INTO t VALUES (1, ';')"), ("INSERT INTO t", "Values".into(), " (1, ';')"));
        assert_eq!(insert("INSERT INTO `values` VALUES (1)"), ("INSERT INTO `values`", "Values".into(), " (1)"));
    }

    #[test]
    fn a_second_statement_is_refused() {
        for sql in ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE t", "CREATE TABLE t (a Int8); SELECT 1"] {
            assert_eq!(statement(sql.as_bytes()).unwrap_err().code, code::SYNTAX_ERROR, "{sql}");
        }
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
            let _known = statement(&bytes);
        }

        #[test]
        fn a_string_is_one_token(inner in "[^\\\\']{0,40}") {
            let sql = format!("SELECT '{inner}'");
            let tokens: Vec<_> = Tokens::new(sql.as_bytes()).collect();
            prop_assert_eq!(tokens.len(), 2);
            prop_assert_eq!(statement(sql.as_bytes()), Ok(select(None)));
        }
    }
}
