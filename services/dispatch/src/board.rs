//! What all parts of dispatch share: known alerts, the ledger, the live stream. One lock, held for no longer than a look-up.

use crate::alerts::{Admission, Alerts};
use crate::decide::{self, Arrived, Decision, Times};
use crate::endpoint::Target;
use crate::ledger::Ledger;
use crate::ring::{Event, Resume, Ring};
use gridwarden_domain::alert::Alert;
use gridwarden_domain::delivery::Delivery;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Deliveries kept for `/v1/deliveries`.
const RECENT: usize = 1_000;
/// Events a viewer may lag behind before it is told of a gap.
const LAG: usize = 256;

struct State {
    alerts: Alerts,
    ledger: Ledger,
    ring: Ring,
    recent: VecDeque<Delivery>,
}

/// The shared state.
pub struct Board {
    state: Mutex<State>,
    live: broadcast::Sender<Event>,
}

/// A viewer's beginning: what it missed, then what comes.
pub struct View {
    /// What to send first.
    pub resume: Resume,
    /// Id of the newest event now.
    pub newest: String,
    /// Number of open alerts now.
    pub open: usize,
    /// What comes.
    pub live: broadcast::Receiver<Event>,
}

impl Board {
    /// An empty board. `epoch` names this process's life, `keep` bounds the live stream's memory.
    pub fn new(epoch: i64, keep: usize) -> Self {
        let (alerts, ledger) = (Alerts::default(), Ledger::default());
        let state = State { alerts, ledger, ring: Ring::new(epoch, keep), recent: VecDeque::new() };
        Self { state: Mutex::new(state), live: broadcast::Sender::new(LAG) }
    }

    /// Sets the ledger as its topic held it at the start.
    pub fn begin(&self, ledger: Ledger) {
        self.with(|state| state.ledger = ledger);
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a transition; a new one goes to the live stream when `live`.
    pub fn admit(&self, alert: &Arc<Alert>, live: bool) -> Admission {
        let text = if live { serde_json::to_string(alert.as_ref()).ok() } else { None };
        self.with(|state| {
            let admission = state.alerts.admit(alert);
            if let (Admission::New { .. }, Some(text)) = (admission, text) {
                let event = state.ring.push(text.into());
                // Nobody listening is no failure. Sent under the lock, so that a viewer that begins now has it once.
                self.live.send(event).ok();
            }
            admission
        })
    }

    /// What to do with a transition at an endpoint.
    pub fn decide(&self, arrived: &Arrived<'_>, target: &Target, times: Times) -> Decision {
        self.with(|state| decide::decide(arrived, &target.id, &target.wants, &state.ledger, times))
    }

    /// Takes what became of a delivery.
    pub fn note(&self, delivery: &Delivery) {
        self.with(|state| {
            state.ledger.note(delivery);
            state.recent.push_back(delivery.clone());
            if state.recent.len() > RECENT {
                state.recent.pop_front();
            }
        });
    }

    /// Whether an endpoint said that it is gone.
    pub fn is_gone(&self, endpoint: &str) -> bool {
        self.with(|state| state.ledger.is_gone(endpoint))
    }

    /// Open alerts, newest raise first.
    pub fn open(&self, limit: usize) -> Vec<Arc<Alert>> {
        self.with(|state| state.alerts.open().take(limit).cloned().collect())
    }

    /// How many are open.
    pub fn open_count(&self) -> usize {
        self.with(|state| state.alerts.open_count())
    }

    /// The newest deliveries this process has noted that `wanted` takes, newest first.
    pub fn deliveries(&self, limit: usize, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        self.with(|state| state.recent.iter().rev().filter(|delivery| wanted(delivery)).take(limit).cloned().collect())
    }

    /// Begins a view of the live stream after `last`.
    pub fn view(&self, last: Option<&str>) -> View {
        self.with(|state| View {
            resume: state.ring.resume(last),
            newest: state.ring.newest_id(),
            open: state.alerts.open_count(),
            live: self.live.subscribe(),
        })
    }

    /// The id of an event.
    pub fn event_id(&self, number: u64) -> String {
        self.with(|state| state.ring.id(number))
    }
}
