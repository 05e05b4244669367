//! What the process that leads says to those who follow, and hears of them.

use super::{BEAT, Clock, Ending, listen, speak, thread, together};
use crate::{
    checkpoint::{Ordered, Pieces, Said, Speaker},
    cluster::{
        agreed::answer,
        wire::{Down, Go, Status, Up, say},
    },
    shared::Shared,
};
use anyhow::{Result, anyhow};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

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
            thread(format!("from-{process}"), move || {
                listen((back, process), |message| lead.take(message), &lead.ending)
            })?;
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
