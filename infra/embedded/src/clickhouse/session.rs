//! Sessions: connections that stay with a caller, for SET, USE and temporary tables across requests.

use super::{
    connection::{Connection, Pool},
    error::{Exception, code},
};
use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a request waits for the one before it in the same session: its answer reaches the caller a little before the
/// connection is free.
const WAIT: Duration = Duration::from_secs(2);
const MOST_SESSIONS: usize = 256;
const LONGEST: Duration = Duration::from_secs(3600);
const DEFAULT: Duration = Duration::from_secs(60);

/// Which session a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) id: String,
    pub(super) timeout: Option<Duration>,
    /// Fail when it does not exist yet.
    pub(super) must_exist: bool,
}

struct Slot {
    /// `None` while a request uses it.
    connection: Option<Connection>,
    used: Instant,
    timeout: Duration,
}

#[derive(Default)]
pub(super) struct Sessions {
    slots: Mutex<HashMap<String, Slot>>,
    freed: Condvar,
}

impl Sessions {
    /// The session's connection; waits a little while another request has it. Blocks.
    pub(super) fn take(&self, ask: &Ask, pool: &Pool) -> Result<Connection, Exception> {
        let locked = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |slots: &mut HashMap<String, Slot>| slots.get(&ask.id).is_some_and(|slot| slot.connection.is_none());
        let (mut slots, _) = self.freed.wait_timeout_while(locked, WAIT, busy).unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        slots.retain(|_, slot| slot.connection.is_none() || now.duration_since(slot.used) <= slot.timeout);
        let timeout = ask.timeout.unwrap_or(DEFAULT).min(LONGEST);
        if let Some(slot) = slots.get_mut(&ask.id) {
            slot.timeout = timeout;
            let locked = || {
                Exception::ours(code::SESSION_IS_LOCKED, format!("Session {} is locked by a concurrent client", ask.id))
            };
            return slot.connection.take().ok_or_else(locked);
        }
        if ask.must_exist {
            return Err(Exception::ours(code::SESSION_NOT_FOUND, format!("Session {} not found", ask.id)));
        }
        if slots.len() >= MOST_SESSIONS {
            return Err(Exception::ours(code::BAD_ARGUMENTS, "too many sessions"));
        }
        let connection = pool.fresh()?;
        slots.insert(ask.id.clone(), Slot { connection: None, used: now, timeout });
        Ok(connection)
    }

    /// Gives the connection back to its session.
    pub(super) fn give_back(&self, ask: &Ask, connection: Connection) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(&ask.id) {
            slot.connection = Some(connection);
            slot.used = Instant::now();
        }
        drop(slots);
        self.freed.notify_all();
    }

    /// Ends every session that is not in use.
    pub(super) fn close_idle(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let idle: Vec<Slot> = std::mem::take(&mut *slots).into_values().collect();
        drop(slots);
        drop(idle);
    }
}
