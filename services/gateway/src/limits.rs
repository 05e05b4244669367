//! How much is let in at once: requests in all, requests per feed, memory for bodies. What is too much is told at once,
//! with a time to come back, and costs nothing further.

use crate::config::Limits;
use crate::feeds::Number;
use axum::http::StatusCode;
use gridwarden_runtime::http::Problem;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const KIB: usize = 1024;

/// The gates.
pub struct Gates {
    all: Arc<Semaphore>,
    feeds: Vec<Arc<Semaphore>>,
    memory: Arc<Semaphore>,
}

/// A place inside; given back when dropped.
pub struct Place {
    _all: OwnedSemaphorePermit,
    _feed: OwnedSemaphorePermit,
}

impl Gates {
    /// Gates for `parties` parties.
    pub fn new(limits: &Limits, parties: usize) -> Self {
        let per_feed = limits.in_flight_per_feed.max(1);
        let memory_kib = limits.body_mib as usize * KIB;
        Self {
            all: Arc::new(Semaphore::new(limits.in_flight.max(1))),
            feeds: (0..parties).map(|_| Arc::new(Semaphore::new(per_feed))).collect(),
            memory: Arc::new(Semaphore::new(memory_kib.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Lets a request of a party in: 429 when the party has too many under way, 503 when all together have.
    pub fn enter(&self, party: Number) -> Result<Place, Problem> {
        let feed = self.feeds.get(usize::from(party)).ok_or_else(|| Problem::unavailable("no such feed"))?;
        let feed = Arc::clone(feed).try_acquire_owned().map_err(|_| {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS);
            problem.detail("this feed has too many requests under way").retry_after(1)
        })?;
        let all = Arc::clone(&self.all).try_acquire_owned();
        let all = all.map_err(|_| Problem::unavailable("too many requests are under way"))?;
        Ok(Place { _all: all, _feed: feed })
    }

    /// Sets memory aside for a body of up to `bytes` bytes.
    pub fn memory(&self, bytes: usize) -> Result<Memory, Problem> {
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.memory).try_acquire_many_owned(kib);
        permit.map(Memory).map_err(|_| Problem::unavailable("too many bodies are under way"))
    }
}

/// Memory set aside; given back when dropped.
pub struct Memory(OwnedSemaphorePermit);

impl Memory {
    /// Gives back what is more than `bytes`, once it is known how long a body is.
    pub fn shrink_to(&mut self, bytes: usize) {
        let more = self.0.num_permits().saturating_sub(bytes.div_ceil(KIB));
        drop(self.0.split(more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, DEFAULTS};

    fn gates() -> Gates {
        let config: Config = gridwarden_runtime::config::load_with("gateway", DEFAULTS, None, []).expect("defaults");
        Gates::new(&Limits { in_flight: 3, in_flight_per_feed: 2, body_mib: 1, ..config.limits }, 3)
    }

    #[test]
    fn one_feed_cannot_take_all_places() {
        let gates = gates();
        let status = |result: Result<Place, Problem>| result.err().map(|problem| problem.status.as_u16());
        let _places = [gates.enter(1).expect("place"), gates.enter(1).expect("place")];
        assert_eq!(status(gates.enter(1)), Some(429));
        let other = gates.enter(2).expect("place");
        assert_eq!(status(gates.enter(0)), Some(503));
        drop(other);
        assert!(gates.enter(0).is_ok());
    }

    #[test]
    fn memory_is_given_back() {
        let gates = gates();
        let held = gates.memory(1 << 20).expect("memory");
        assert_eq!(gates.memory(1).err().map(|problem| problem.status.as_u16()), Some(503));
        drop(held);
        let mut held = gates.memory(1 << 20).expect("memory");
        held.shrink_to(1 << 19);
        held.shrink_to(1 << 20);
        let _half = gates.memory(1 << 19).expect("what was given back");
        assert!(gates.memory(1).is_err());
    }
}
