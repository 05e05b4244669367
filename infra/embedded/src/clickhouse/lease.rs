//! A connection on loan to one request, from the pool or from a session, and given back in the right way.

use super::{
    connection::{Connection, Pool, Settings},
    error::{Exception, code},
    first_database,
    session::{Ask, Sessions},
};
use std::sync::Arc;

/// Where connections come from.
#[derive(Clone)]
pub(super) struct Lender {
    pub(super) pool: Arc<Pool>,
    pub(super) sessions: Arc<Sessions>,
}

/// A connection on loan. Made, used and dropped on a blocking thread.
pub(super) struct Lease {
    lender: Lender,
    session: Option<Ask>,
    /// `None` only while dropping.
    connection: Option<Connection>,
    failed: bool,
}

impl Lender {
    /// A connection with these settings and this database.
    pub(super) fn lend(
        &self,
        session: Option<Ask>,
        database: Option<&str>,
        settings: &Settings,
    ) -> Result<Lease, Exception> {
        // Outside of a session a request without a database means the server's default one, not the last caller's.
        let database = if session.is_none() { database.or(Some(first_database::NAME)) } else { database };
        let connection = match &session {
            Some(ask) => self.sessions.take(ask, &self.pool)?,
            None => self.pool.take(database, settings)?,
        };
        let mut lease = Lease { lender: self.clone(), session, connection: Some(connection), failed: false };
        lease.with(|connection| match connection.prepare(database, settings) {
            Err(error) if error.code == code::UNKNOWN_DATABASE && database == Some(first_database::NAME) => {
                self.pool.restore_first_database()?;
                connection.reusable = false;
                connection.prepare(database, settings)
            }
            prepared => prepared,
        })?;
        Ok(lease)
    }
}

impl Lease {
    /// Works with the connection; after an error it serves nobody else.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Exception>,
    ) -> Result<T, Exception> {
        let Some(connection) = self.connection.as_mut() else {
            return Err(Exception::ours(code::UNKNOWN, "the connection is gone"));
        };
        let done = work(connection);
        self.failed |= done.is_err();
        done
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match &self.session {
            Some(ask) => {
                if self.failed {
                    connection.drain();
                }
                self.lender.sessions.give_back(ask, connection);
            }
            None if self.failed => drop(connection),
            None => self.lender.pool.give_back(connection),
        }
    }
}
