//! What the embedded engine does not do for a caller, though the library would: end itself, read and write any file, call out.
//!
//! The engine runs with our user's rights and has no users of its own. It refuses by name, before the engine sees the text:
//! a name of the list followed by `(`, in any case, quoted or not. So a table or column of such a name cannot be used in that
//! place; ours have none. A real server has grants for this and does not run this check.

use super::{
    error::{Exception, code},
    sql::{Kind, Token, Tokens},
};

/// Functions, table functions, engines and dictionary sources that reach outside.
const REACHING_OUT: &[&str] = &[
    "azureBlobStorage",
    "azureBlobStorageCluster",
    "AzureQueue",
    "catboostEvaluate",
    "COSN",
    "deltaLake",
    "deltaLakeCluster",
    "DeltaLakeS3",
    "DeltaLakeAzure",
    "DeltaLakeLocal",
    "executable",
    "ExecutablePool",
    "ExternalDistributed",
    "file",
    "fileCluster",
    "FileLog",
    "gcs",
    "hdfs",
    "hdfsCluster",
    "Hive",
    "http",
    "hudi",
    "hudiCluster",
    "iceberg",
    "icebergS3",
    "icebergAzure",
    "icebergHDFS",
    "icebergLocal",
    "icebergCluster",
    "icebergS3Cluster",
    "icebergAzureCluster",
    "icebergHDFSCluster",
    "icebergLocalCluster",
    "jdbc",
    "Kafka",
    "mongo",
    "mongodb",
    "mysql",
    "NATS",
    "odbc",
    "OSS",
    "paimon",
    "paimonS3",
    "paimonAzure",
    "paimonHDFS",
    "paimonLocal",
    "postgresql",
    "MaterializedPostgreSQL",
    "python",
    "RabbitMQ",
    "redis",
    "remote",
    "remoteSecure",
    "s3",
    "s3Cluster",
    "S3Queue",
    "sqlite",
    "url",
    "urlCluster",
    "YTsaurus",
    "ytsaurus",
    "arrowFlight",
    "cassandra",
    "Disk",
    "prometheusQuery",
];

/// Refuses a text that asks for any of it.
pub(super) fn check(sql: &[u8]) -> Result<(), Exception> {
    let mut before: Option<Token<'_>> = None;
    let mut first: Option<Token<'_>> = None;
    for token in Tokens::new(sql) {
        if let Some(word) = before {
            if token.is_sign(b'(')
                && let Some(name) = reaching_out(word)
            {
                return refused(&format!("{name}() reaches outside of the database"));
            }
            if word.is("INTO") && token.is("OUTFILE") || word.is("FROM") && token.is("INFILE") {
                return refused("queries read and write no files; send data through the connection");
            }
            if word.is("SYSTEM") && (token.is("SHUTDOWN") || token.is("KILL")) {
                return refused("the engine ends with the program that started it, not by a query");
            }
            // ATTACH TABLE … FROM 'folder' takes any folder as a table's data.
            if first.is_some_and(|word| word.is("ATTACH")) && word.is("FROM") && token.kind == Kind::Text {
                return refused("queries read and write no files; ATTACH takes no folder");
            }
        }
        first = first.or(Some(token));
        before = Some(token);
    }
    Ok(())
}

fn reaching_out(word: Token<'_>) -> Option<&'static str> {
    let name = word.name()?;
    REACHING_OUT.iter().copied().find(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

fn refused(words: &str) -> Result<(), Exception> {
    Err(Exception::ours(code::ACCESS_DENIED, format!("Refused by the embedded engine: {words}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_out_is_refused() {
        for sql in [
            "SYSTEM SHUTDOWN",
            "system /* x */ kill",
            "SELECT * FROM file('/etc/hostname', 'LineAsString')",
            "SELECT FILE ('/etc/hostname')",
            "SELECT `file`('/etc/hostname')",
            "SELECT * FROM url('http://127.0.0.1:1/', 'CSV')",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT LineAsString",
            "INSERT INTO FUNCTION file('/tmp/x') SELECT 1",
            "CREATE TABLE t (a Int8) ENGINE = URL('http://x', CSV)",
            "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'id'))",
            "BACKUP DATABASE g TO Disk('x', 'y')",
            "ATTACH TABLE t FROM '/somewhere' (a Int8) ENGINE = MergeTree ORDER BY a",
        ] {
            assert_eq!(check(sql.as_bytes()).map_err(|e| e.code), Err(code::ACCESS_DENIED), "{sql}");
        }
    }

    #[test]
    fn everything_else_passes() {
        for sql in [
            "SELECT file, url FROM t",
            "SELECT 'file(x)' -- url(",
            "SELECT dictGet('d', 'x', 1)",
            "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 't'))",
            "SYSTEM FLUSH LOGS",
            "SELECT domain(x), cutURLParameter(x, 'a') FROM t",
        ] {
            assert_eq!(check(sql.as_bytes()), Ok(()), "{sql}");
        }
    }
}
