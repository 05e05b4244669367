//! Following the control topics: what is in force for a record, and how far that is known.
//!
//! A thread reads `registry.v1`, `rules.v1` and `layers.v1` from the beginning and feeds `domain::control::Fold`, which
//! decides. A record appended at `a` may be processed once the control topics were read to an end that was asked for at
//! `a` − 1 s or later; what is in force for it was appended at `a` − 2 s or earlier (`DOM-3`), so nothing can be missed.
//! While the control topics are idle, asking for their ends alone moves that point forward.
//!
//! `BUS-6` a timeline is published before the moment it covers.

mod follow;

use crate::{BusError, KafkaConfig};
use arc_swap::ArcSwap;
use gridwarden_domain::control::{Fold, Timeline};
use gridwarden_domain::locate::LayerSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much earlier than a record's append time the ends may have been asked for: it bounds the difference between the
/// broker's clocks and ours that does no harm.
pub const CLOCK_MARGIN_MS: i64 = 1000;

/// Called after the covered moment or the timeline has moved.
type Listener = Box<dyn Fn() + Send + Sync>;

/// What makes the rasters of a set of layers: `LayerSet::prepare`, or somebody who keeps them.
pub type Prepare = Arc<dyn Fn(&LayerSet) + Send + Sync>;

/// What the thread writes and everyone reads.
struct Shared {
    timeline: ArcSwap<Timeline>,
    covered_until: AtomicI64,
    skipped: AtomicU64,
    /// The next offset of each control topic.
    positions: [AtomicI64; 3],
    stop: AtomicBool,
    rasters_ahead: OnceLock<Prepare>,
    failure: Mutex<Option<BusError>>,
    moved: Condvar,
    listeners: Mutex<Vec<Listener>>,
}

impl Shared {
    /// Publishes how far the control topics are known, and wakes whoever waits for it.
    fn cover(&self, until_ms: i64) {
        self.covered_until.fetch_max(until_ms, Ordering::Release);
        self.wake();
    }

    fn fail(&self, error: BusError) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.wake();
    }

    fn wake(&self) {
        drop(self.failure.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            listener();
        }
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Follows the control topics until dropped. Share it in an `Arc`.
pub struct ControlReader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl ControlReader {
    /// Opens the control topics (they must exist) and starts following them.
    pub fn start(kafka: &KafkaConfig) -> Result<Self, BusError> {
        Self::follow(kafka, Fold::new())
    }

    /// The same for whoever only places records, see [`Fold::to_place`].
    pub fn start_to_place(kafka: &KafkaConfig) -> Result<Self, BusError> {
        Self::follow(kafka, Fold::to_place())
    }

    fn follow(kafka: &KafkaConfig, fold: Fold) -> Result<Self, BusError> {
        let follower = follow::Follower::open(kafka, fold)?;
        let shared = Arc::new(Shared {
            timeline: ArcSwap::from_pointee(follower.empty_timeline()),
            covered_until: AtomicI64::new(i64::MIN),
            skipped: AtomicU64::new(0),
            positions: Default::default(),
            stop: AtomicBool::new(false),
            rasters_ahead: OnceLock::new(),
            failure: Mutex::new(None),
            moved: Condvar::new(),
            listeners: Mutex::new(Vec::new()),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || follower.run(&of_thread))
            .map_err(|error| BusError::Control(format!("no thread: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What is in force, by append time. Cheap; take it once per batch.
    pub fn timeline(&self) -> Arc<Timeline> {
        self.shared.timeline.load_full()
    }

    /// The control topics were read to an end asked for at this moment (epoch ms); `i64::MIN` before the first time.
    pub fn covered_until_ms(&self) -> i64 {
        self.shared.covered_until.load(Ordering::Acquire)
    }

    /// Whether what is in force for a record appended then is known.
    pub fn covers(&self, appended_ms: i64) -> bool {
        self.covered_until_ms() >= appended_ms.saturating_sub(CLOCK_MARGIN_MS)
    }

    /// Waits (blocking the thread) until a record appended then may be processed: `Ok(false)` when the time is up.
    /// An error when the control topics cannot be followed any more.
    pub fn wait_covered(&self, appended_ms: i64, timeout: Duration) -> Result<bool, BusError> {
        if self.covers(appended_ms) {
            return Ok(true);
        }
        let deadline = Instant::now() + timeout;
        let mut failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.covers(appended_ms) {
                return Ok(true);
            }
            if let Some(error) = failure.as_ref() {
                return Err(error.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            failure = self.shared.moved.wait_timeout(failure, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// For services that place records: builds the rasters of the layers known now (blocks, up to seconds), and from now on
    /// those of new layers before they come into force, as `prepare` does it (who asked first is heard). Without it a raster is
    /// built by the first look-up.
    pub fn build_rasters_ahead(&self, prepare: Prepare) {
        let prepare = self.shared.rasters_ahead.get_or_init(|| prepare);
        prepare(self.timeline().layers_at(i64::MAX));
    }

    /// Why the control topics cannot be followed any more, if so.
    pub fn failure(&self) -> Option<BusError> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the control topics are read: topic, the next offset.
    pub fn positions(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        let next = self.shared.positions.iter().map(|next| next.load(Ordering::Relaxed));
        follow::TOPICS.into_iter().zip(next)
    }

    /// How many control records were skipped because they could not be taken (each is logged with its reason).
    pub fn skipped(&self) -> u64 {
        self.shared.skipped.load(Ordering::Relaxed)
    }

    /// Calls `f` on the control thread whenever the covered moment moves (several times a second) or following fails.
    /// It must be quick.
    pub fn on_move(&self, f: impl Fn() + Send + Sync + 'static) {
        self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(f));
    }
}

impl Drop for ControlReader {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread panicked");
        }
    }
}
