//! What processes say to each other while they run: how they are, cuts and parts of checkpoints, names.
//!
//! `CLU-3` the processes of a cluster end together. One whose connection breaks, or that says nothing for so long, is gone, and every
//! other one ends with words; one that ends by a signal says so, and the others end as well. Who starts them starts all.

mod follow;
mod lead;

pub(crate) use follow::FollowerLink;
pub(crate) use lead::{Links, Waiting};

use super::{
    Seat,
    wire::{Status, hear, say},
};
use crate::watchdog::STUCK;
use anyhow::{Result, anyhow};
use gridwarden_runtime::shutdown::Shutdown;
use serde::{Serialize, de::DeserializeOwned};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long after another process this one may be told to end as well.
const TOLD_TOO: Duration = Duration::from_millis(200);
/// How often a process says how it is.
const BEAT: Duration = Duration::from_millis(100);

/// How all other processes are.
pub(crate) struct Others {
    past: AtomicBool,
    pressed: AtomicBool,
    /// The lowest of their watermarks; [`i64::MIN`] before it is known.
    watermark: AtomicI64,
}

impl Others {
    /// There are none.
    pub(crate) fn none() -> Self {
        Self { past: AtomicBool::new(false), pressed: AtomicBool::new(false), watermark: AtomicI64::new(i64::MAX) }
    }

    /// Nothing is known of them yet.
    pub(crate) fn unknown() -> Self {
        let others = Self::none();
        others.set(UNKNOWN);
        others
    }

    fn set(&self, status: Status) {
        self.past.store(status.past, Ordering::Relaxed);
        self.pressed.store(status.pressed, Ordering::Relaxed);
        self.watermark.store(status.watermark.unwrap_or(i64::MIN), Ordering::Relaxed);
    }

    /// Whether one of them reads the past.
    pub(crate) fn in_the_past(&self) -> bool {
        self.past.load(Ordering::Relaxed)
    }

    /// Whether one of them has windows made faster than ClickHouse takes them.
    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    /// The lowest of their watermarks, [`i64::MIN`] before it is known.
    pub(crate) fn watermark(&self) -> i64 {
        self.watermark.load(Ordering::Relaxed)
    }
}

/// Nothing was heard yet.
const UNKNOWN: Status = Status { past: true, pressed: false, watermark: None };

/// Several as one: the least favourable of each.
fn together(all: impl Iterator<Item = Option<Status>>) -> Status {
    let none = Status { past: false, pressed: false, watermark: Some(i64::MAX) };
    all.fold(none, |one, other| {
        let other = other.unwrap_or(UNKNOWN);
        let watermark = one.watermark.zip(other.watermark).map(|(one, other)| one.min(other));
        Status { past: one.past || other.past, pressed: one.pressed || other.pressed, watermark }
    })
}

/// How long the cluster has run, alike in all processes: their ticks are compared.
#[derive(Clone)]
pub(crate) struct Clock {
    begun: Instant,
    /// What the process that leads is ahead, in ms.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// It begins now.
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), ahead: Arc::default() }
    }

    /// Milliseconds since it began.
    pub(crate) fn run_ms(&self, now: Instant) -> u64 {
        let own = now.saturating_duration_since(self.begun).as_millis() as i64;
        own.saturating_add(self.ahead.load(Ordering::Relaxed)).max(0) as u64
    }

    fn follow(&self, run_ms: i64) {
        self.ahead.store(run_ms - self.begun.elapsed().as_millis() as i64, Ordering::Relaxed);
    }
}

/// Whether the cluster ends, and what to do when it breaks.
#[derive(Clone)]
pub(crate) struct Ending {
    shutdown: Shutdown,
    /// The process that said it ends.
    said: watch::Sender<Option<usize>>,
}

impl Ending {
    pub(crate) fn new(shutdown: &Shutdown) -> Self {
        Self { shutdown: shutdown.clone(), said: watch::Sender::new(None) }
    }

    /// This process ends of itself, for a reason of its own: what others do then is none.
    pub(crate) fn leave(&self, seat: Seat) {
        self.said.send_replace(Some(seat.process));
    }

    fn is_ending(&self) -> bool {
        self.shutdown.is_triggered() || self.said.borrow().is_some()
    }

    /// The connection to a process is no more: this one ends as well (`CLU-3`), unless it does already.
    fn gone(&self, process: usize, why: &str) {
        if !self.is_ending() {
            self.broken(process, why);
        }
    }

    /// The same where nothing goes on without the connection.
    pub(super) fn broken(&self, process: usize, why: &str) {
        if self.is_ending() {
            tracing::warn!(process, why, "a process of the cluster has gone before the end was done");
        } else {
            tracing::error!(process, why, "a process of the cluster is gone, this one ends as well");
        }
        std::process::exit(STUCK);
    }

    /// Until the shutdown; an error when another process ends.
    pub(crate) async fn watch(self) -> Result<()> {
        let mut said = self.said.subscribe();
        let process = tokio::select! {
            biased;
            () = self.shutdown.wait() => return Ok(()),
            ended = said.wait_for(Option::is_some) => ended.ok().and_then(|ended| *ended).unwrap_or_default(),
        };
        // All may be told to end at once: who hears of another first is told a moment later.
        if tokio::time::timeout(TOLD_TOO, self.shutdown.wait()).await.is_ok() {
            return Ok(());
        }
        Err(anyhow!("process {process} of the cluster ends, and with it all others"))
    }
}

/// A thread with this name that lives as long as the process.
fn thread(name: String, work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().name(name).spawn(work)?;
    Ok(())
}

/// Says what there is to say, and in between how this process is.
fn speak<T: Serialize>(
    (mut stream, process): (TcpStream, usize),
    messages: &Receiver<T>,
    (beat, bye): (impl Fn() -> T, T),
    ending: &Ending,
) {
    let mut bye = Some(bye);
    let mut beaten = Instant::now();
    loop {
        let message = match messages.recv_timeout(BEAT) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let beat = (message.is_none() || beaten.elapsed() >= BEAT).then(|| {
            beaten = Instant::now();
            beat()
        });
        let last = if ending.shutdown.is_triggered() { bye.take() } else { None };
        for message in [message, beat, last].into_iter().flatten() {
            if let Err(error) = say(&mut stream, &message) {
                return ending.gone(process, &error.to_string());
            }
        }
    }
}

/// Hears what a process says, until it is gone.
fn listen<T: DeserializeOwned>((mut stream, process): (TcpStream, usize), take: impl Fn(T), ending: &Ending) {
    loop {
        match hear(&mut stream) {
            Ok(message) => take(message),
            Err(error) => return ending.gone(process, &error.to_string()),
        }
    }
}

/// What is known of the others at first.
pub(crate) fn others_of(seat: Seat) -> Others {
    if seat.is_alone() { Others::none() } else { Others::unknown() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_the_least_favourable_counts_and_one_not_heard_of_holds() {
        let status = |past, pressed, watermark| Some(Status { past, pressed, watermark });
        let all = [status(false, true, Some(7)), status(true, false, Some(5))];
        let all = together(all.into_iter());
        assert_eq!(all, Status { past: true, pressed: true, watermark: Some(5) });
        let one = together([status(false, false, Some(7)), None].into_iter());
        assert_eq!(one, Status { past: true, pressed: false, watermark: None });
        assert_eq!(together(std::iter::empty()).watermark, Some(i64::MAX));
    }

    #[test]
    fn a_clock_that_follows_goes_as_the_other_goes() {
        let (leads, follows) = (Clock::new(), Clock::new());
        follows.follow(60_000);
        let now = Instant::now();
        assert!((59_000..61_000).contains(&(follows.run_ms(now) - leads.run_ms(now))));
        follows.follow(-60_000);
        assert_eq!(follows.run_ms(now), 0);
    }
}
