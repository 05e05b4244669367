//! Just enough of ClickHouse's grammar to know what to do with a text: tokens, not meaning.

use super::{
    error::{Exception, code},
    tokens::{Kind, Token, Tokens},
};

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
        /// Whether it can change nothing else.
        reads: bool,
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
    let mut format = FormatClause::default();
    let mut before: Option<Token<'_>> = None;
    let mut inserts = false;
    while let Some(token) = tokens.next() {
        if token.is_sign(b';') {
            return match tokens.all(|token| token.is_sign(b';')) {
                true if before.is_none() => Ok(Statement::Nothing),
                true => Ok(without_data(first, format.name, inserts)),
                false => Err(Exception::ours(code::SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")),
            };
        }
        inserts |= token.is("INSERT");
        if inserts && token.is_sign(b'(') && before.is_some_and(|word| word.is("input")) {
            // Its data would stand in the query's text, where the engine cuts it at the next `;`.
            let words = "INSERT … SELECT … FROM input() is not served; use INSERT … FORMAT … with the data behind it";
            return Err(Exception::ours(code::NOT_IMPLEMENTED, words));
        }
        format.take(before, token);
        before = Some(token);
    }
    Ok(without_data(first, format.name, inserts))
}

/// `FORMAT name` at the end of a text, before SETTINGS if those follow. Anywhere else `format` is a column.
#[derive(Default)]
struct FormatClause {
    name: Option<String>,
    settings: bool,
}

impl FormatClause {
    fn take(&mut self, before: Option<Token<'_>>, token: Token<'_>) {
        if before.is_some_and(|word| word.is("FORMAT")) && token.kind == Kind::Word {
            *self = Self { name: Some(String::from_utf8_lossy(token.text).into_owned()), settings: false };
        } else if token.is("SETTINGS") {
            self.settings = true;
        } else if !self.settings {
            self.name = None;
        }
    }
}

fn without_data(first: Token<'_>, format: Option<String>, inserts: bool) -> Statement {
    let reads = first.is("SELECT") || first.is("WITH") || first.is_sign(b'(');
    if reads && !inserts {
        return Statement::Select { format };
    }
    let changes_connection = first.is("SET") || first.is("USE");
    let tells = ["SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"].iter().any(|verb| first.is(verb));
    Statement::Other { format, changes_connection, reads: changes_connection || tells }
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
        check("SELECT 1 SETTINGS max_threads=1 FORMAT TSV", select(Some("TSV")));
        check("SELECT format FROM t", select(None));
        check("SELECT format x FROM t FORMAT CSV", select(Some("CSV")));
        check("SELECT 'x FORMAT JSON; y'", select(None));
        check("SELECT $tag$ ; FORMAT CSV $tag$;;", select(None));
        check("WITH 1 AS a SELECT a", select(None));
        check("", Statement::Nothing);
        check("/* nothing */", Statement::Nothing);
        check(" ; ;", Statement::Nothing);
        let other = |changes_connection, reads| Statement::Other { format: None, changes_connection, reads };
        check("CREATE TABLE t (a Int8) ENGINE = Memory", other(false, false));
        check("SET x = 1", other(true, true));
        check("use db", other(true, true));
        check("SHOW TABLES", other(false, true));
        check("INSERT INTO t SELECT 1", other(false, false));
        check("INSERT INTO t (a) SELECT number FROM numbers(3)", other(false, false));
        check("WITH 1 AS x INSERT INTO t SELECT x", other(false, false));
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
    fn data_behind_a_select_is_refused() {
        let sql = "INSERT INTO t SELECT a FROM input('a Int8') FORMAT CSV\n1;\n";
        assert_eq!(statement(sql.as_bytes()).unwrap_err().code, code::NOT_IMPLEMENTED);
        assert!(statement(b"INSERT INTO t SELECT input FROM a FORMAT Null SETTINGS b = 1").is_ok());
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
            if let Ok(Statement::Insert { head, data, .. }) = statement(&bytes) {
                prop_assert!(head <= data && data <= bytes.len());
            }
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
