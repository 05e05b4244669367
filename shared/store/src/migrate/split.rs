//! Cuts a migration file into statements at `;`, but not inside quotes and comments. The HTTP interface takes one at a time.

/// What the reader is inside of.
enum Inside {
    Code,
    /// Quotes `'`, `"` or `` ` ``; ClickHouse escapes by backslash, and by doubling, which reads as two quotes in a row.
    Quotes(u8),
    LineComment,
    BlockComment,
}

/// The statements of `sql`, trimmed, without those that hold nothing but comments.
pub(super) fn statements(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = sql;
    while !rest.is_empty() {
        let (statement, has_code, after) = first_statement(rest);
        if has_code {
            found.push(statement.trim());
        }
        rest = after;
    }
    found
}

/// The text before the first `;` in code, whether it holds any code, and the text after that `;`.
fn first_statement(sql: &str) -> (&str, bool, &str) {
    let mut inside = Inside::Code;
    let mut has_code = false;
    let mut bytes = sql.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let next = bytes.peek().map(|(_, byte)| *byte);
        match inside {
            Inside::Code => match (byte, next) {
                (b';', _) => {
                    let (statement, after) = sql.split_at(at);
                    return (statement, has_code, after.strip_prefix(';').unwrap_or(""));
                }
                (b'-', Some(b'-')) => inside = Inside::LineComment,
                (b'/', Some(b'*')) => inside = Inside::BlockComment,
                (b'\'' | b'"' | b'`', _) => {
                    inside = Inside::Quotes(byte);
                    has_code = true;
                }
                _ => has_code |= !byte.is_ascii_whitespace(),
            },
            Inside::Quotes(_) if byte == b'\\' => {
                bytes.next();
            }
            Inside::Quotes(quote) if byte == quote => inside = Inside::Code,
            Inside::LineComment if byte == b'\n' => inside = Inside::Code,
            Inside::BlockComment if byte == b'*' && next == Some(b'/') => {
                bytes.next();
                inside = Inside::Code;
            }
            _ => {}
        }
    }
    (sql, has_code, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_semicolons_in_code_only() {
        let check = |sql: &str, expected: &[&str]| assert_eq!(statements(sql), expected, "{sql}");
        check("a; b;\n", &["a", "b"]);
        check("a", &["a"]);
        check("", &[]);
        check(" ; ;", &[]);
        check("SELECT ';', \"a;b\", `c;d`; x", &["SELECT ';', \"a;b\", `c;d`", "x"]);
        check(r"SELECT 'it\'s; one'; y", &[r"SELECT 'it\'s; one'", "y"]);
        check("SELECT 'it''s; one'; y", &["SELECT 'it''s; one'", "y"]);
        check("a /* ; */ b; c", &["a /* ; */ b", "c"]);
        check("-- only; a comment\n", &[]);
        check("-- why;\nCREATE x; -- end", &["-- why;\nCREATE x"]);
        check("SELECT '数;据'; 好", &["SELECT '数;据'", "好"]);
    }
}
