//! A connection of the engine and the pool of them.
//!
//! Traps avoided in this file:
//! * a query that fails after it produced output leaves that output behind, in front of the *next* result on the same
//!   connection: after any error a connection is dropped (a session's is drained instead, it holds temporary tables).
//! * SET and USE stick to a connection: what we set ourselves is noted and undone lazily, what a caller's SQL set ends with the
//!   connection.
//! * when the last connection closes the engine closes its data: one connection is kept open.
//! * without its first database the library opens no connection: one that was dropped comes back.

use super::{
    error::{Exception, code},
    ffi::{Api, Params, Raw, RawInsert, RawResult},
    first_database,
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// Settings by name.
pub(super) type Settings = BTreeMap<String, String>;

/// Idle connections kept for the next request. Opening one takes 0.3 ms.
const MOST_IDLE: usize = 16;

/// A connection and what is known of its state.
pub(super) struct Connection {
    raw: Raw,
    settings: Settings,
    /// `None` when a caller's USE may have changed it.
    database: Option<String>,
    /// Whether its state is known well enough to serve somebody else.
    pub(super) reusable: bool,
}

impl Connection {
    fn new(raw: Raw) -> Self {
        let database = Some(first_database::NAME.to_owned());
        Self { raw, settings: Settings::new(), database, reusable: true }
    }

    /// Brings the connection to `settings` and `database` (`None`: as it is).
    pub(super) fn prepare(&mut self, database: Option<&str>, settings: &Settings) -> Result<(), Exception> {
        let sql = difference(&self.settings, settings);
        if !sql.is_empty() {
            self.query(&format!("SET {sql}"), "Null", &[])?;
            self.settings.clone_from(settings);
        }
        // A connection that was made read-only cannot be made anything else.
        self.reusable &= !settings.contains_key("readonly");
        if let Some(name) = database
            && self.database.as_deref() != Some(name)
        {
            self.query(&format!("USE {}", quoted(name, '`')), "Null", &[])?;
            self.database = Some(name.to_owned());
        }
        Ok(())
    }

    /// A caller's SET or USE ran.
    pub(super) fn changed_by_caller(&mut self) {
        self.database = None;
        self.reusable = false;
    }

    pub(super) fn query(&self, sql: &str, format: &str, params: &Params) -> Result<RawResult, Exception> {
        checked(self.raw.query(sql, format, params))
    }

    pub(super) fn stream(&self, sql: &str, format: &str, params: &Params) -> Result<RawResult, Exception> {
        checked(self.raw.stream(sql, format, params))
    }

    pub(super) fn fetch(&self, stream: &RawResult) -> Result<RawResult, Exception> {
        checked(self.raw.fetch(stream))
    }

    pub(super) fn cancel(&self, stream: &RawResult) {
        self.raw.cancel(stream);
    }

    pub(super) fn insert(&self, sql: &str, format: &str) -> Result<RawInsert<'_>, Exception> {
        let insert = self.raw.insert(sql, format).ok_or_else(no_answer)?;
        match insert.error() {
            Some(error) => Err(Exception::engine(error)),
            None => Ok(insert),
        }
    }

    /// Takes what a failed query left behind.
    pub(super) fn drain(&self) {
        // Its result, the left-behind output included, is dropped.
        drop(self.raw.query("SELECT 1 FORMAT Null", "Null", &[]));
    }
}

pub(super) fn checked(result: Option<RawResult>) -> Result<RawResult, Exception> {
    let result = result.ok_or_else(no_answer)?;
    match result.error() {
        Some(error) => Err(Exception::engine(error)),
        None => Ok(result),
    }
}

fn no_answer() -> Exception {
    Exception::ours(code::UNKNOWN, "the engine gave no answer")
}

/// `a = 'x', b = DEFAULT`: what turns settings `is` into `wanted`.
fn difference(is: &Settings, wanted: &Settings) -> String {
    let set = wanted.iter().filter(|(name, value)| is.get(*name) != Some(value));
    let set = set.map(|(name, value)| format!("{name} = {}", quoted(value, '\'')));
    let reset = is.keys().filter(|name| !wanted.contains_key(*name));
    let reset = reset.map(|name| format!("{name} = DEFAULT"));
    set.chain(reset).collect::<Vec<_>>().join(", ")
}

pub(super) fn quoted(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        if c == quote || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push(quote);
    out
}

/// Connections that wait for work.
pub(super) struct Pool {
    api: Arc<Api>,
    args: Vec<String>,
    idle: Mutex<Vec<Connection>>,
    /// Keeps the engine's data open.
    anchor: Mutex<Raw>,
}

impl Pool {
    /// Opens the data in `folder`; `None` when the engine refused (it says why on stderr).
    pub(super) fn open(api: Arc<Api>, args: Vec<String>, folder: &Path) -> Result<Option<Self>, Exception> {
        let Some(anchor) = Raw::open(&api, &args) else { return Ok(None) };
        let unwritten = |error| Exception::ours(code::UNKNOWN, format!("{}: {error}", folder.display()));
        for sql in first_database::replacement(folder).map_err(unwritten)? {
            checked(anchor.query(sql, "Null", &[]))?;
        }
        Ok(Some(Self { api, args, idle: Mutex::new(Vec::new()), anchor: Mutex::new(anchor) }))
    }

    /// A connection, best one that needs no changes.
    pub(super) fn take(&self, database: Option<&str>, settings: &Settings) -> Result<Connection, Exception> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |connection: &Connection| connection.database.as_deref() == database && &connection.settings == settings;
        let at = idle.iter().position(fits).or_else(|| idle.len().checked_sub(1));
        let found = at.map(|at| idle.swap_remove(at));
        drop(idle);
        match found {
            Some(connection) => Ok(connection),
            None => self.fresh(),
        }
    }

    /// A new connection.
    pub(super) fn fresh(&self) -> Result<Connection, Exception> {
        let refused = || Exception::ours(code::UNKNOWN, "the engine opens no further connection");
        let open = || Raw::open(&self.api, &self.args);
        let opened = match open() {
            Some(raw) => Some(raw),
            None => {
                self.restore_first_database()?;
                open()
            }
        };
        opened.map(Connection::new).ok_or_else(refused)
    }

    /// Makes the first database again when somebody has dropped it.
    pub(super) fn restore_first_database(&self) -> Result<(), Exception> {
        let anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        checked(anchor.query(first_database::CREATE, "Null", &[])).map(drop)
    }

    /// Gives memory that was freed back to the system.
    pub(super) fn give_back_memory(&self) -> Result<(), Exception> {
        let anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        checked(anchor.query("SYSTEM JEMALLOC PURGE", "Null", &[])).map(drop)
    }

    /// Takes a connection back. Closing one may take 20 ms: call it from a blocking thread.
    pub(super) fn give_back(&self, connection: Connection) {
        if !connection.reusable {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }

    /// Closes what is idle.
    pub(super) fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_changed_by_their_difference() {
        let settings = |pairs: &[(&str, &str)]| -> Settings {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let is = settings(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let wanted = settings(&[("a", "1"), ("b", "it's"), ("d", "4")]);
        assert_eq!(difference(&is, &wanted), r"b = 'it\'s', d = '4', c = DEFAULT");
        assert_eq!(difference(&is, &is), "");
    }
}
