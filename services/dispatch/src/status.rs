//! How an endpoint is doing, for `/v1/endpoints`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

#[derive(Clone, Debug, Default)]
struct Answers {
    last_success_ms: Option<i64>,
    last_failure: Option<(i64, String)>,
    failures_in_a_row: u64,
}

/// The status of one endpoint.
#[derive(Debug, Default)]
pub struct Status {
    pending: AtomicUsize,
    in_flight: AtomicUsize,
    gone: AtomicBool,
    answers: Mutex<Answers>,
}

/// A status as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Transitions waiting.
    pub pending: usize,
    /// Attempts under way.
    pub in_flight: usize,
    /// Whether it said 410.
    pub gone: bool,
    /// When it last said yes.
    pub last_success_ms: Option<i64>,
    /// When and how it last failed.
    pub last_failure: Option<(i64, String)>,
    /// Failures since it last said yes.
    pub failures_in_a_row: u64,
}

impl Status {
    pub(crate) fn set_pending(&self, count: usize) {
        self.pending.store(count, Ordering::Relaxed);
    }

    pub(crate) fn set_in_flight(&self, count: usize) {
        self.in_flight.store(count, Ordering::Relaxed);
    }

    pub(crate) fn set_gone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Whether the endpoint said 410.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, success: bool, now_ms: i64, detail: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if success {
            answers.last_success_ms = Some(now_ms);
            answers.failures_in_a_row = 0;
        } else {
            answers.last_failure = Some((now_ms, detail.to_owned()));
            answers.failures_in_a_row += 1;
        }
    }

    /// What to show.
    pub fn shown(&self) -> Shown {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Shown {
            pending: self.pending.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            gone: self.is_gone(),
            last_success_ms: answers.last_success_ms,
            last_failure: answers.last_failure,
            failures_in_a_row: answers.failures_in_a_row,
        }
    }
}
