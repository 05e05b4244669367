//! What processes say to each other while they run: how they are, cuts and parts of checkpoints, names.
//!
//! `CLU-3` the processes of a cluster end together. One whose connection breaks, or that says nothing for so long, is gone, and every
//! other one ends with words; one that ends by a signal says so, and the others end as well. Who starts them starts all.

use super::{
    Seat,
    agreed::{Ask, Authority, Tail, answer},
    wire::{Down, Go, Status, Up, hear, say},
};
use crate::{
    checkpoint::{Ordered, Pieces, Said, Speaker},
    shared::Shared,
    watchdog::STUCK,
};
use anyhow::{Result, anyhow};
use gridwarden_runtime::shutdown::Shutdown;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    watch,
};

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
        tokio::select! {
            biased;
            () = self.shutdown.wait() => Ok(()),
            ended = said.wait_for(Option::is_some) => {
                let process = ended.ok().and_then(|ended| *ended).unwrap_or_default();
                Err(anyhow!("process {process} of the cluster ends, and with it all others"))
            }
        }
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

/// Everybody who follows, for the one who leads. Nobody where a process is alone.
#[derive(Clone, Default)]
pub(crate) struct Links(Arc<[Sender<Down>]>);

/// How those who follow are.
type Statuses = Arc<Mutex<BTreeMap<usize, Status>>>;

impl Links {
    /// Tells all that all are there, and goes on speaking with them.
    pub(crate) fn lead(
        streams: Vec<TcpStream>,
        go: Go,
        (shared, pieces): (&Arc<Shared>, &Pieces),
        (clock, ending): (&Clock, &Ending),
    ) -> Result<Self> {
        let statuses = Statuses::default();
        let processes = streams.len();
        let mut senders = Vec::new();
        for (process, mut stream) in (1..).zip(streams) {
            say(&mut stream, &Down::Go(go)).map_err(|error| anyhow!("process {process} has gone again: {error}"))?;
            let (sender, messages) = mpsc::channel();
            let (back, own, clock) = (stream.try_clone()?, Arc::clone(shared), clock.clone());
            let (speaking, all) = (ending.clone(), Arc::clone(&statuses));
            thread(format!("to-{process}"), move || {
                let beat = || {
                    let of = |other: usize| all.lock().unwrap_or_else(PoisonError::into_inner).get(&other).copied();
                    let others = (1..=processes).filter(|other| *other != process).map(of);
                    let others = together(others.chain([Some(own.status())]));
                    Down::Beat { others, run_ms: clock.run_ms(Instant::now()) as i64 }
                };
                speak((stream, process), &messages, (beat, Down::Bye), &speaking);
            })?;
            let lead = Lead {
                process,
                processes,
                answers: sender.clone(),
                shared: Arc::clone(shared),
                pieces: pieces.clone(),
                statuses: Arc::clone(&statuses),
                ending: ending.clone(),
            };
            thread(format!("from-{process}"), move || lead.listen(back))?;
            senders.push(sender);
        }
        Ok(Self(senders.into()))
    }

    /// Tells all about a checkpoint.
    pub(crate) fn order(&self, ordered: Ordered) {
        for sender in self.0.iter() {
            let message = match ordered {
                Ordered::Cut { cuts, mark } => Down::Cut { cuts, mark },
                Ordered::Laid { cuts } => Down::Laid { cuts },
            };
            // Nobody listens any more when the process ends.
            sender.send(message).ok();
        }
    }
}

/// One who leads listens to one who follows.
struct Lead {
    process: usize,
    processes: usize,
    answers: Sender<Down>,
    shared: Arc<Shared>,
    pieces: Pieces,
    statuses: Statuses,
    ending: Ending,
}

impl Lead {
    fn listen(self, mut stream: TcpStream) {
        loop {
            match hear(&mut stream) {
                Ok(message) => self.take(message),
                Err(error) => return self.ending.gone(self.process, &error.to_string()),
            }
        }
    }

    fn take(&self, message: Up) {
        match message {
            Up::Beat(status) => {
                let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
                statuses.insert(self.process, status);
                let all = (1..=self.processes).map(|process| statuses.get(&process).copied());
                self.shared.others.set(together(all));
            }
            Up::Ask(ask) => {
                let told = answer(&self.shared.world, &self.shared.lore, ask);
                self.answers.send(Down::Told(told)).ok();
            }
            Up::Part(part) => self.pieces.say(Speaker::Process(self.process), Said::Part(Box::new(part))),
            Up::Bye => drop(self.ending.said.send_replace(Some(self.process))),
            Up::Join(_) | Up::Records { .. } => {}
        }
    }
}

/// Those who wait for the process that leads while it claims and loads: they hear that it is still there.
pub(crate) struct Waiting {
    stop: Sender<()>,
    thread: JoinHandle<Vec<TcpStream>>,
}

impl Waiting {
    pub(crate) fn begin(mut streams: Vec<TcpStream>) -> Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let tell = move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // Who has gone is missed at the first message that counts.
                streams.iter_mut().for_each(|stream| drop(say(stream, &Down::Wait)));
            }
            streams
        };
        let thread = std::thread::Builder::new().name("waiting".to_owned()).spawn(tell)?;
        Ok(Self { stop, thread })
    }

    pub(crate) fn end(self) -> Result<Vec<TcpStream>> {
        drop(self.stop);
        self.thread.join().map_err(|_| anyhow!("who tells those who wait has panicked"))
    }
}

/// What this process is, once it is.
type Slot = Arc<OnceLock<Arc<Shared>>>;

/// The way to the process that leads, and what comes from there.
pub(crate) struct FollowerLink {
    pub(crate) to: Sender<Up>,
    pub(crate) orders: UnboundedReceiver<Ordered>,
    /// Who gives out numbers.
    pub(crate) authority: Authority,
    slot: Slot,
}

impl FollowerLink {
    /// Begins to speak with the process that leads.
    pub(crate) fn begin(stream: TcpStream, (clock, ending): (&Clock, &Ending)) -> Result<Self> {
        let (to, messages) = mpsc::channel();
        let (told, answers) = mpsc::channel();
        let (ordered, orders) = unbounded_channel();
        let slot = Slot::default();
        let (back, own, speaking) = (stream.try_clone()?, Arc::clone(&slot), ending.clone());
        thread("to-0".to_owned(), move || {
            let beat = || Up::Beat(own.get().map_or(UNKNOWN, |shared| shared.status()));
            speak((stream, 0), &messages, (beat, Up::Bye), &speaking);
        })?;
        let listen = Listen { slot: Arc::clone(&slot), clock: clock.clone(), told, ordered, ending: ending.clone() };
        thread("from-0".to_owned(), move || listen.listen(back))?;
        let authority = authority(to.clone(), answers);
        Ok(Self { to, orders, authority, slot })
    }

    /// This process has all it begins with.
    pub(crate) fn is_ready(&self, shared: &Arc<Shared>) {
        self.slot.set(Arc::clone(shared)).ok();
    }
}

/// Asks the process that leads.
fn authority(to: Sender<Up>, answers: Receiver<Tail>) -> Authority {
    let desk = Mutex::new((to, answers));
    Authority::new(move |ask: Ask| {
        // One question at a time.
        let desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        let (to, answers) = &*desk;
        to.send(Up::Ask(ask)).ok();
        loop {
            match answers.recv() {
                Ok(answer) => return answer,
                // There will be no answer, and the process ends. A number made up would be worse.
                Err(_) => std::thread::park(),
            }
        }
    })
}

struct Listen {
    slot: Slot,
    clock: Clock,
    told: Sender<Tail>,
    ordered: UnboundedSender<Ordered>,
    ending: Ending,
}

impl Listen {
    fn listen(self, mut stream: TcpStream) {
        loop {
            match hear(&mut stream) {
                Ok(message) => self.take(message),
                Err(error) => return self.ending.gone(0, &error.to_string()),
            }
        }
    }

    fn take(&self, message: Down) {
        match message {
            Down::Beat { others, run_ms } => {
                if let Some(shared) = self.slot.get() {
                    shared.others.set(others);
                }
                self.clock.follow(run_ms);
            }
            Down::Told(tail) => drop(self.told.send(tail)),
            Down::Cut { cuts, mark } => drop(self.ordered.send(Ordered::Cut { cuts, mark })),
            Down::Laid { cuts } => drop(self.ordered.send(Ordered::Laid { cuts })),
            Down::Bye => drop(self.ending.said.send_replace(Some(0))),
            Down::Refused(_) | Down::Wait | Down::Go(_) => {}
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
