//! The live stream: each tick asks ClickHouse once for all viewers together and tells everyone what changed.
//!
//! `CON-4` the number of questions depends on what is watched, never on how many watch; and what is watched is bounded.
//! `CON-5` a viewer that lags behind is told so (`gap`) and never makes others wait.

pub mod board;
pub mod book;
pub mod diff;
mod news;
pub mod stream;
mod ticker;

pub use ticker::Ticker;

use crate::looks::Subject;
use diff::Look;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, broadcast};

/// What nobody watches any more is kept this long as it was last seen: a page that is loaded again shows it at once, also
/// while ClickHouse is away.
const KEEP: Duration = Duration::from_secs(600);

/// What one tick tells; every part is JSON made once.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// console's clock, epoch ms.
    pub now: i64,
    /// Since when ClickHouse does not answer, epoch ms.
    pub away_since: Option<i64>,
    /// Key figures.
    pub kpi: Option<String>,
    /// Freshness.
    pub freshness: Option<String>,
    /// Storms that go on.
    pub storms: Option<String>,
    /// Entities that moved.
    pub entities: Option<String>,
    /// Alerts that changed.
    pub alerts: Option<String>,
    /// Alerts changed that a tick does not tell one by one: fetch the list.
    pub alerts_gap: bool,
    /// The layers have another version.
    pub layers: bool,
    /// Changed values per subject.
    pub values: HashMap<String, String>,
}

/// The newest figures told; every part is JSON.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// Key figures.
    pub kpi: Option<String>,
    /// Freshness.
    pub freshness: Option<String>,
    /// Storms that go on.
    pub storms: Option<String>,
}

struct Watch {
    viewers: usize,
    /// When the last viewer left.
    left: Option<Instant>,
    look: Option<Look>,
}

/// Where viewers and ticker meet.
pub struct Hub {
    frames: broadcast::Sender<Arc<Frame>>,
    watches: Mutex<HashMap<Subject, Watch>>,
    most_watches: usize,
    /// The newest figures, for those who just came.
    latest: Mutex<Latest>,
    /// Someone came: the next tick need not wait.
    arrived: Notify,
}

/// A viewer's share in a subject; given back when dropped.
pub struct Share {
    hub: Arc<Hub>,
    subject: Subject,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut watches = self.hub.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watches.get_mut(&self.subject) {
            watch.viewers = watch.viewers.saturating_sub(1);
            watch.left = (watch.viewers == 0).then(Instant::now);
        }
    }
}

impl Hub {
    /// A hub whose viewers may lag `buffer` ticks behind, and watch at most `most_watches` subjects.
    pub fn new(buffer: usize, most_watches: usize) -> Self {
        let (frames, _) = broadcast::channel(buffer.max(1));
        Self { frames, watches: Mutex::default(), most_watches, latest: Mutex::default(), arrived: Notify::new() }
    }

    /// Frames from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Frame>> {
        let receiver = self.frames.subscribe();
        self.arrived.notify_one();
        receiver
    }

    /// How many look on.
    pub fn viewers(&self) -> usize {
        self.frames.receiver_count()
    }

    /// Takes part in a subject; what is known of it comes back. `None` when too many others are watched.
    pub fn watch(self: &Arc<Self>, subject: Subject) -> Option<(Share, Option<Look>)> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if !watches.contains_key(&subject) && watches.len() >= self.most_watches && !forget_one(&mut watches) {
            return None;
        }
        let watch = watches.entry(subject.clone()).or_insert(Watch { viewers: 0, left: None, look: None });
        watch.viewers += 1;
        watch.left = None;
        let look = watch.look.clone();
        drop(watches);
        Some((Share { hub: Arc::clone(self), subject }, look))
    }

    /// What is watched now, and whether it was looked at before. What nobody has watched for long is forgotten.
    fn subjects(&self) -> Vec<(Subject, bool)> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.retain(|_, watch| watch.left.is_none_or(|left| left.elapsed() < KEEP));
        let watched = watches.iter().filter(|(_, watch)| watch.viewers > 0);
        watched.map(|(subject, watch)| (subject.clone(), watch.look.is_some())).collect()
    }

    /// Keeps a look and gives what it was before; `None` when it is forgotten.
    fn keep(&self, subject: &Subject, look: Look) -> Option<Option<Look>> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.get_mut(subject).map(|watch| watch.look.replace(look))
    }

    fn tell(&self, frame: Frame) {
        {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            let told = [&frame.kpi, &frame.freshness, &frame.storms];
            let Latest { kpi, freshness, storms } = &mut *latest;
            for (kept, told) in [kpi, freshness, storms].into_iter().zip(told) {
                if told.is_some() {
                    kept.clone_from(told);
                }
            }
        }
        // Nobody there is no fault.
        self.frames.send(Arc::new(frame)).ok();
    }

    /// The newest figures told.
    pub fn latest(&self) -> Latest {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes room by forgetting what was left longest ago; `false` when everything is watched.
fn forget_one(watches: &mut HashMap<Subject, Watch>) -> bool {
    let left = watches.iter().filter_map(|(subject, watch)| Some((watch.left?, subject.clone())));
    match left.min_by_key(|(left, _)| *left) {
        Some((_, subject)) => watches.remove(&subject).is_some(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Statistic;

    fn subject(span_s: u32) -> Subject {
        Subject { layer: "l".into(), level: "v".into(), metric: "m".into(), span_s, statistic: Statistic::Mean }
    }

    #[test]
    fn a_subject_is_looked_at_while_someone_watches() {
        let hub = Arc::new(Hub::new(4, 2));
        let (first, look) = hub.watch(subject(60)).expect("room");
        assert!(look.is_none());
        assert_eq!(hub.keep(&subject(60), Look::default()), Some(None));
        let (second, look) = hub.watch(subject(60)).expect("known");
        assert_eq!(look, Some(Look::default()));
        drop(first);
        assert_eq!(hub.subjects(), [(subject(60), true)]);
        drop(second);
        assert!(hub.subjects().is_empty());
        let (_third, look) = hub.watch(subject(60)).expect("kept");
        assert_eq!(look, Some(Look::default()), "as it was last seen");
    }

    #[test]
    fn only_so_much_is_watched_and_what_was_left_makes_room() {
        let hub = Arc::new(Hub::new(4, 2));
        let first = hub.watch(subject(10)).expect("room");
        let _second = hub.watch(subject(20)).expect("room");
        assert!(hub.watch(subject(30)).is_none());
        assert!(hub.watch(subject(20)).is_some());
        drop(first);
        let _third = hub.watch(subject(30)).expect("room again");
        assert_eq!(hub.keep(&subject(10), Look::default()), None, "forgotten");
    }

    #[tokio::test]
    async fn a_slow_viewer_lags_alone() {
        let hub = Hub::new(2, 8);
        let mut slow = hub.listen();
        for now in 0..5 {
            hub.tell(Frame { now, ..Frame::default() });
        }
        assert!(matches!(slow.recv().await, Err(broadcast::error::RecvError::Lagged(_))));
        let mut quick = hub.listen();
        hub.tell(Frame { now: 9, ..Frame::default() });
        assert_eq!(quick.recv().await.expect("frame").now, 9);
    }
}
