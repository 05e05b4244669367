//! `Idempotency-Key`: the same key with the same body gets the first answer again, without a second record.
//!
//! `GTW-4` kept in this process's memory, bounded in number, bytes and time: another gateway process, or this one after a
//! restart, does not know the answers. Reports without id are safe all the same (their id follows from key and body),
//! observations with an `id` as well (readers drop repeats). Only answers that mean "taken" are kept; a failed request may be
//! tried again.
//!
//! Pure but for the notice a waiting second request sleeps on.

use crate::feeds::Number;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// SHA-256 of path and unpacked body.
pub type Fingerprint = [u8; 32];
type Name = (Number, String);

enum Entry {
    /// The first request is under way; the sender is dropped when it ends.
    Running {
        fingerprint: Fingerprint,
        ended: watch::Receiver<()>,
    },
    Done {
        fingerprint: Fingerprint,
        answer: Arc<str>,
        order: u64,
        until_ms: i64,
    },
}

#[derive(Default)]
struct State {
    entries: HashMap<Name, Entry>,
    /// Done entries from the least recently used on.
    order: BTreeMap<u64, Name>,
    next: u64,
    /// Of the answers kept: the answer to a batch tells of every line that was not taken, so it may be long.
    bytes: usize,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Answers.
    pub answers: usize,
    /// Bytes of answers and keys.
    pub bytes: usize,
    /// For how long, in milliseconds.
    pub ttl_ms: i64,
}

/// Remembered answers.
pub struct Answers {
    state: Arc<Mutex<State>>,
    keep: Keep,
}

/// What a request finds.
pub enum Claim {
    /// Nobody came with this key before: go on, and tell with [`Turn::done`].
    Yours(Turn),
    /// Answered before.
    Answered(Arc<str>),
    /// Under way; wait for this, then ask again.
    Wait(watch::Receiver<()>),
    /// The key was used with another body.
    Mismatch,
}

/// The right to answer for a key. Dropped without [`Turn::done`], the key is free again.
pub struct Turn {
    state: Arc<Mutex<State>>,
    name: Option<Name>,
    fingerprint: Fingerprint,
    keep: Keep,
    until_ms: i64,
    _ended: watch::Sender<()>,
}

fn locked(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Answers {
    /// No answer yet.
    pub fn new(keep: Keep) -> Self {
        Self { state: Arc::default(), keep }
    }

    /// Claims a key for a request.
    pub fn claim(&self, party: Number, key: &str, fingerprint: Fingerprint, now_ms: i64) -> Claim {
        let name = (party, key.to_owned());
        let mut state = locked(&self.state);
        state.expire(&name, now_ms);
        match state.entries.get(&name) {
            Some(Entry::Running { fingerprint: first, .. } | Entry::Done { fingerprint: first, .. })
                if *first != fingerprint =>
            {
                return Claim::Mismatch;
            }
            Some(Entry::Running { ended, .. }) => return Claim::Wait(ended.clone()),
            Some(Entry::Done { answer, .. }) => {
                let answer = Arc::clone(answer);
                state.used(&name);
                return Claim::Answered(answer);
            }
            None => {}
        }
        let (sender, ended) = watch::channel(());
        state.entries.insert(name.clone(), Entry::Running { fingerprint, ended });
        let until_ms = now_ms.saturating_add(self.keep.ttl_ms);
        let state = Arc::clone(&self.state);
        Claim::Yours(Turn { state, name: Some(name), fingerprint, keep: self.keep, until_ms, _ended: sender })
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        locked(&self.state).order.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    fn expire(&mut self, name: &Name, now_ms: i64) {
        if let Some(Entry::Done { until_ms, order, .. }) = self.entries.get(name)
            && *until_ms <= now_ms
        {
            self.order.remove(&order.clone());
            self.forget(name);
        }
    }

    fn forget(&mut self, name: &Name) {
        if let Some(Entry::Done { answer, .. }) = self.entries.remove(name) {
            self.bytes = self.bytes.saturating_sub(size(name, &answer));
        }
    }

    fn used(&mut self, name: &Name) {
        let fresh = self.next;
        if let Some(Entry::Done { order, .. }) = self.entries.get_mut(name) {
            self.next += 1;
            self.order.remove(order);
            *order = fresh;
            self.order.insert(fresh, name.clone());
        }
    }
}

impl Turn {
    /// Keeps the answer for whoever comes with the same key.
    pub fn done(mut self, answer: Arc<str>) {
        let Some(name) = self.name.take() else { return };
        let mut state = locked(&self.state);
        let order = state.next;
        state.next += 1;
        state.bytes += size(&name, &answer);
        let entry = Entry::Done { fingerprint: self.fingerprint, answer, order, until_ms: self.until_ms };
        state.entries.insert(name.clone(), entry);
        state.order.insert(order, name);
        while (state.order.len() > self.keep.answers || state.bytes > self.keep.bytes)
            && let Some((_, oldest)) = state.order.pop_first()
        {
            state.forget(&oldest);
        }
    }
}

fn size((_, key): &Name, answer: &str) -> usize {
    key.len() + answer.len()
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            locked(&self.state).entries.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping(answers: usize, bytes: usize) -> Answers {
        Answers::new(Keep { answers, bytes, ttl_ms: 1000 })
    }

    fn claimed(answers: &Answers, key: &str, body: u8, now: i64) -> Claim {
        answers.claim(1, key, [body; 32], now)
    }

    fn answer(answers: &Answers, key: &str, text: &str, now: i64) {
        let Claim::Yours(turn) = claimed(answers, key, 1, now) else { panic!("{key} is taken") };
        turn.done(text.into());
    }

    #[test]
    fn the_first_answer_again_for_the_same_body_only() {
        let answers = keeping(10, 1000);
        answer(&answers, "k", "yes", 0);
        assert!(matches!(claimed(&answers, "k", 1, 999), Claim::Answered(text) if &*text == "yes"));
        assert!(matches!(claimed(&answers, "k", 2, 999), Claim::Mismatch));
        assert!(matches!(answers.claim(2, "k", [2; 32], 0), Claim::Yours(_)), "another feed's key is another key");
        assert!(matches!(claimed(&answers, "k", 2, 1000), Claim::Yours(_)), "forgotten in time");
    }

    #[tokio::test]
    async fn a_second_request_waits_for_the_first() {
        let answers = keeping(10, 1000);
        let Claim::Yours(turn) = claimed(&answers, "k", 1, 0) else { panic!("taken") };
        let Claim::Wait(mut ended) = claimed(&answers, "k", 1, 0) else { panic!("not waiting") };
        assert!(matches!(claimed(&answers, "k", 2, 0), Claim::Mismatch));
        turn.done("yes".into());
        ended.changed().await.expect_err("the sender is gone");
        assert!(matches!(claimed(&answers, "k", 1, 0), Claim::Answered(_)));
    }

    #[test]
    fn a_failed_request_frees_its_key() {
        let answers = keeping(10, 1000);
        drop(claimed(&answers, "k", 1, 0));
        assert!(matches!(claimed(&answers, "k", 2, 0), Claim::Yours(_)));
        assert!(answers.is_empty());
    }

    #[test]
    fn long_answers_are_kept_within_the_bytes_allowed() {
        let answers = keeping(100, 20);
        answer(&answers, "a", "123456789", 0);
        answer(&answers, "b", "123456789", 0);
        assert_eq!(answers.len(), 2);
        answer(&answers, "c", "1", 0);
        assert_eq!(answers.len(), 2);
        assert!(matches!(claimed(&answers, "a", 1, 0), Claim::Yours(_)));
        assert!(matches!(claimed(&answers, "b", 1, 0), Claim::Answered(_)));
        answer(&answers, "d", "longer than what may be kept at all", 0);
        assert!(answers.is_empty());
        // What was forgotten, by time too, is not counted any more.
        answer(&answers, "e", "123456789", 0);
        answer(&answers, "e", "123456789", 2000);
        answer(&answers, "f", "123456789", 2000);
        assert_eq!(answers.len(), 2);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let answers = keeping(2, 1000);
        answer(&answers, "a", "1", 0);
        answer(&answers, "b", "2", 0);
        assert!(matches!(claimed(&answers, "a", 1, 0), Claim::Answered(_)));
        answer(&answers, "c", "3", 0);
        assert_eq!(answers.len(), 2);
        assert!(matches!(claimed(&answers, "a", 1, 0), Claim::Answered(_)));
        assert!(matches!(claimed(&answers, "b", 1, 0), Claim::Yours(_)));
    }
}
