//! What the embedded engine does not do for a caller, though the library would: end itself, read and write any file, call out.
//!
//! The engine runs with our user's rights and has no users of its own. It refuses by name, before the engine sees the text:
//! a name of the list in front of `(` or behind `ENGINE =`, in any case, quoted or not, and settings that name a file. So a
//! function or table of such a name cannot be used in that place; ours have none. Names with escapes are not taken in front of
//! `(` at all. A real server has grants for this and does not run this check.
//!
//! A test asks the engine for all it has and finds each of them here or among the harmless ones: a new version brings no surprise.

use super::{
    error::{Exception, code},
    tokens::{Kind, Token, Tokens},
};

/// Functions, table functions, engines and dictionary sources that reach outside, or run a query written as a string.
const REACHING_OUT: &[&str] = &[
    // Functions of a model somewhere.
    "aiClassify",
    "aiEmbed",
    "aiExtract",
    "aiGenerate",
    "aiTranslate",
    "catboostEvaluate",
    // Files of this machine.
    "Disk",
    "EmbeddedRocksDB",
    "executable",
    "ExecutablePool",
    "file",
    "fileCluster",
    "FileLog",
    "filesystem",
    "python",
    "sqlite",
    "SSD_CACHE",
    "COMPLEX_KEY_SSD_CACHE",
    "YAMLRegExpTree",
    // Queries in strings.
    "eval",
    "QueryRunner",
    "viewExplain",
    // Other servers.
    "arrowFlight",
    "azureBlobStorage",
    "azureBlobStorageCluster",
    "AzureQueue",
    "cassandra",
    "cluster",
    "clusterAllReplicas",
    "COSN",
    "DataLakeCatalog",
    "deltaLake",
    "deltaLakeAzure",
    "deltaLakeAzureCluster",
    "deltaLakeCluster",
    "deltaLakeLocal",
    "deltaLakeS3",
    "deltaLakeS3Cluster",
    "Distributed",
    "ExternalDistributed",
    "gcs",
    "hdfs",
    "hdfsCluster",
    "Hive",
    "http",
    "hudi",
    "hudiCluster",
    "iceberg",
    "icebergAzure",
    "icebergAzureCluster",
    "icebergCluster",
    "icebergHDFS",
    "icebergHDFSCluster",
    "icebergLocal",
    "icebergLocalCluster",
    "icebergS3",
    "icebergS3Cluster",
    "jdbc",
    "Kafka",
    "KeeperMap",
    "MaterializedPostgreSQL",
    "mongo",
    "mongodb",
    "mysql",
    "NATS",
    "odbc",
    "oss",
    "paimon",
    "paimonAzure",
    "paimonAzureCluster",
    "paimonCluster",
    "paimonHDFS",
    "paimonHDFSCluster",
    "paimonLocal",
    "paimonS3",
    "paimonS3Cluster",
    "postgresql",
    "RabbitMQ",
    "redis",
    "remote",
    "remoteSecure",
    "s3",
    "s3Cluster",
    "S3Queue",
    "url",
    "urlCluster",
    "YTsaurus",
];

/// Settings that name a file or a server.
const REACHING_SETTINGS: &[&str] = &[
    "format_avro_schema_registry_url",
    "format_schema",
    "format_template_resultset",
    "format_template_row",
    "input_format_record_errors_file_path",
    "output_format_schema",
];

/// Verbs of SYSTEM that end the engine or hold it up.
const ENDINGS: &[&str] = &["SHUTDOWN", "KILL", "SUSPEND"];

/// Refuses a text that asks for any of it.
pub(super) fn check(sql: &[u8]) -> Result<(), Exception> {
    let mut look = Look::default();
    for token in Tokens::new(sql) {
        look.at(token)?;
    }
    Ok(())
}

/// Refuses a setting that names a file or a server.
pub(super) fn check_setting(name: &str) -> Result<(), Exception> {
    match REACHING_SETTINGS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => refused(&format!("the setting {known} reaches outside of the database")),
        None => Ok(()),
    }
}

/// What was read of a text so far.
#[derive(Default)]
struct Look<'a> {
    first: Option<Token<'a>>,
    before: Option<Token<'a>>,
    /// The next name is an engine's.
    engine: bool,
    /// Brackets open inside of `SOURCE(CLICKHOUSE(`.
    source: usize,
}

impl<'a> Look<'a> {
    fn at(&mut self, token: Token<'a>) -> Result<(), Exception> {
        if let Some(word) = self.before {
            self.pair(word, token)?;
        }
        if self.engine && (token.has_escapes() || reaching_out(token).is_some()) {
            return outside(token);
        }
        self.engine = token.is("ENGINE") || self.engine && token.is_sign(b'=');
        self.source(token)?;
        self.first = self.first.or(Some(token));
        self.before = Some(token);
        Ok(())
    }

    /// Two tokens that stand together.
    fn pair(&self, word: Token<'_>, token: Token<'_>) -> Result<(), Exception> {
        if token.is_sign(b'(') {
            if word.has_escapes() {
                return refused("a name with escapes does not stand in front of (");
            }
            if reaching_out(word).is_some() {
                return outside(word);
            }
        }
        if token.is_sign(b'=')
            && let Some(name) = word.name().and_then(|name| std::str::from_utf8(name).ok())
        {
            check_setting(name)?;
            // Escapes that make letters, or nothing at all, could spell one of them.
            if word.has_escapes() && (name.contains("\\x") || name.contains("\\N")) {
                return refused("a name with such escapes does not stand in front of =");
            }
        }
        if word.is("INTO") && token.is("OUTFILE") || word.is("FROM") && token.is("INFILE") {
            return refused("queries read and write no files; send data through the connection");
        }
        if word.is("SYSTEM") && ENDINGS.iter().any(|verb| token.is(verb)) {
            return refused("the engine ends with the program that started it, not by a query");
        }
        // ATTACH TABLE … FROM 'folder' takes any folder as a table's data.
        if self.first.is_some_and(|word| word.is("ATTACH")) && word.is("FROM") && token.kind == Kind::Text {
            return refused("queries read and write no files; ATTACH takes no folder");
        }
        Ok(())
    }

    /// A dictionary reads this database; another server's only without a host of its own.
    fn source(&mut self, token: Token<'a>) -> Result<(), Exception> {
        let opens = token.is_sign(b'(');
        match self.source {
            0 => self.source = usize::from(opens && self.before.is_some_and(|word| word.is("CLICKHOUSE"))),
            depth if opens => self.source = depth + 1,
            depth if token.is_sign(b')') => self.source = depth - 1,
            _ if token.is("HOST") => return refused("a dictionary reads this database only, without HOST"),
            _ => {}
        }
        Ok(())
    }
}

fn reaching_out(word: Token<'_>) -> Option<&'static str> {
    let name = word.name()?;
    REACHING_OUT.iter().copied().find(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

fn outside(word: Token<'_>) -> Result<(), Exception> {
    refused(&format!("{}() reaches outside of the database", reaching_out(word).unwrap_or("it")))
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
            "CREATE DATABASE d ENGINE = Filesystem",
            "CREATE DATABASE d ENGINE Filesystem('/etc')",
            "SELECT * FROM eval('SELECT 1')",
            "SYSTEM SUSPEND FOR 1 SECOND",
            "SELECT 1 FORMAT Template SETTINGS format_template_row='/etc/passwd'",
            "SET `output_format_schema` = '/tmp/x'",
            "SET `output_format_sch\\x65ma` = '/tmp/x'",
            "CREATE DATABASE d ENGINE = `F\\x69lesystem`",
            "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 't' HOST '10.0.0.1'))",
            // Ways to write a name that a plain search does not find.
            "SELECT file/* /* */ */('/etc/hostname')",
            "SELECT file\u{b}('/etc/hostname')",
            "SELECT file\u{a0}('/etc/hostname')",
            "SELECT “file”('/etc/hostname')",
            "SELECT `f\\x69le`('/etc/hostname')",
            "SELECT 1 INTO\u{2003}OUTFILE '/tmp/x'",
            "SELECT 1 /* /* */ ' */ , file('/etc/hostname') -- '",
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
            "CREATE TABLE t (host String, url String) ENGINE = ReplacingMergeTree ORDER BY host",
            "SELECT “file”, `a\\`b` = 1 FROM t WHERE (url = 'http(')",
            "SELECT engine = 'File' FROM system.tables",
        ] {
            assert_eq!(check(sql.as_bytes()), Ok(()), "{sql}");
        }
    }
}
