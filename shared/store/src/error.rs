//! What can go wrong with ClickHouse, and whether trying again can help. Decided by error codes, never by an error's wording.

use clickhouse::error::Error as ClientError;

/// Whether the same call may succeed later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// The server is away, busy or short of something: the same bytes may go through later.
    Later,
    /// The same bytes will fail again: schema, syntax, rights.
    Never,
}

impl Retry {
    /// `true` for [`Retry::Later`].
    pub fn can_help(self) -> bool {
        self == Self::Later
    }
}

/// An error of the store.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// ClickHouse answered with an error of its own.
    #[error("clickhouse error {code}: {message}")]
    Server {
        /// ClickHouse's error code.
        code: u32,
        /// ClickHouse's own words.
        message: String,
    },
    /// An answer that carries no ClickHouse error code: something between us and the server.
    #[error("unexpected answer from clickhouse: {0}")]
    Answer(String),
    /// No connection, or it broke.
    #[error("clickhouse cannot be reached: {0}")]
    Network(String),
    /// No answer in time.
    #[error("clickhouse did not answer in time")]
    TimedOut,
    /// An answer that could not be read as the rows asked for.
    #[error("clickhouse sent rows that do not fit: {0}")]
    Rows(String),
    /// An applied migration differs from the one in this program.
    #[error("migration {number:04} ({name}) was changed after it had been applied; restore the file and add a new one")]
    MigrationChanged {
        /// Its number.
        number: u32,
        /// Its name.
        name: String,
    },
    /// The database is newer than this program.
    #[error("the database knows migration {number:04} ({name}), this program does not: it is older than the database")]
    MigrationUnknown {
        /// Its number.
        number: u32,
        /// Its name.
        name: String,
    },
    /// A statement of a migration failed.
    #[error("migration {number:04} ({name}) failed: {source}")]
    MigrationFailed {
        /// Its number.
        number: u32,
        /// Its name.
        name: &'static str,
        /// Why.
        source: Box<StoreError>,
    },
    /// More rows than one part may hold, or a name that cannot be one.
    #[error("{0}")]
    Caller(&'static str),
}

/// Codes after which the same statement may succeed: <https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp>
const LATER: &[u32] = &[
    74,  // CANNOT_READ_FROM_FILE_DESCRIPTOR
    75,  // CANNOT_WRITE_TO_FILE_DESCRIPTOR: a full disk
    76,  // CANNOT_OPEN_FILE
    159, // TIMEOUT_EXCEEDED
    160, // TOO_SLOW
    173, // CANNOT_ALLOCATE_MEMORY
    202, // TOO_MANY_SIMULTANEOUS_QUERIES
    203, // NO_FREE_CONNECTION
    209, // SOCKET_TIMEOUT
    210, // NETWORK_ERROR
    216, // QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING
    225, // NO_ZOOKEEPER
    236, // ABORTED
    241, // MEMORY_LIMIT_EXCEEDED
    242, // TABLE_IS_READ_ONLY
    243, // NOT_ENOUGH_SPACE
    252, // TOO_MANY_PARTS
    279, // ALL_CONNECTION_TRIES_FAILED
    285, // TOO_FEW_LIVE_REPLICAS
    286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    289, // REPLICA_IS_NOT_IN_QUORUM
    319, // UNKNOWN_STATUS_OF_INSERT
    394, // QUERY_WAS_CANCELLED
    425, // SYSTEM_ERROR
    439, // CANNOT_SCHEDULE_TASK
    473, // DEADLOCK_AVOIDED
    722, // ASYNC_LOAD_WAIT_FAILED
    745, // SERVER_OVERLOADED
    999, // KEEPER_EXCEPTION
];

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn retry(&self) -> Retry {
        let later = match self {
            Self::Server { code, .. } => LATER.contains(code),
            Self::Answer(_) | Self::Network(_) | Self::TimedOut => true,
            Self::MigrationFailed { source, .. } => return source.retry(),
            Self::Rows(_) | Self::MigrationChanged { .. } | Self::MigrationUnknown { .. } | Self::Caller(_) => false,
        };
        if later { Retry::Later } else { Retry::Never }
    }

    /// A bounded name for metrics and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Server { .. } => "server",
            Self::Answer(_) => "answer",
            Self::Network(_) => "network",
            Self::TimedOut => "timeout",
            Self::Rows(_) => "rows",
            Self::MigrationChanged { .. } | Self::MigrationUnknown { .. } | Self::MigrationFailed { .. } => "migration",
            Self::Caller(_) => "caller",
        }
    }
}

impl From<ClientError> for StoreError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::BadResponse(text) => from_answer(text),
            ClientError::Network(source) => Self::Network(words(source.as_ref())),
            ClientError::TimedOut => Self::TimedOut,
            other => Self::Rows(words(&other)),
        }
    }
}

/// `Code: 60. DB::Exception: …` → code and words; anything else came from a proxy or a server in trouble.
fn from_answer(text: String) -> StoreError {
    let code = text.strip_prefix("Code: ").and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    match code {
        Some(code) => StoreError::Server { code, message: text },
        None => StoreError::Answer(text),
    }
}

/// An error with its causes in one line: the client's own text stops at "client error (Connect)".
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_whether_to_try_again() {
        let check = |text: &str, expected: Retry| {
            let error = StoreError::from(ClientError::BadResponse(text.into()));
            assert_eq!(error.retry(), expected, "{text}");
        };
        check("Code: 252. DB::Exception: Too many parts", Retry::Later);
        check("Code: 241. DB::Exception: Memory limit", Retry::Later);
        check("Code: 75. DB::ErrnoException: Cannot write to file: No space left on device", Retry::Later);
        check("Code: 60. DB::Exception: Unknown table", Retry::Never);
        check("Code: 62. DB::Exception: Syntax error", Retry::Never);
        check("503 Service Unavailable", Retry::Later);
        check("<html>bad gateway</html>", Retry::Later);
    }

    #[test]
    fn a_broken_connection_is_worth_another_try() {
        let error = StoreError::from(ClientError::Network("connection refused".into()));
        assert_eq!(error.retry(), Retry::Later);
        assert_eq!(StoreError::TimedOut.retry(), Retry::Later);
    }
}
