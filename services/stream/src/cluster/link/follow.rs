//! What a process that follows says to the one that leads, and hears of it.

use super::{Clock, Ending, UNKNOWN, listen, speak, thread};
use crate::{
    checkpoint::Ordered,
    cluster::{
        agreed::{Ask, Authority, Tail},
        wire::{Down, Up},
    },
    shared::Shared,
};
use anyhow::Result;
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
        let hearer = Listen { slot: Arc::clone(&slot), clock: clock.clone(), told, ordered, ending: ending.clone() };
        thread("from-0".to_owned(), move || listen((back, 0), |message| hearer.take(message), &hearer.ending))?;
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
