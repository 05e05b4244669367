//! The live stream: each tick asks ClickHouse once for all viewers together and tells everyone what changed.
//!
//! `CON-4` the number of questions depends on what is watched, never on how many watch.
//! `CON-5` a viewer that lags behind is told so (`gap`) and never makes others wait.

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
use tokio::sync::{Notify, broadcast};

/// What one tick tells; every part is JSON made once.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// console's clock, epoch ms.
    pub now: i64,
    /// Key figures.
    pub kpi: Option<String>,
    /// Freshness.
    pub freshness: Option<String>,
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

struct Watch {
    viewers: usize,
    look: Option<Look>,
}

/// Where viewers and ticker meet.
pub struct Hub {
    frames: broadcast::Sender<Arc<Frame>>,
    watches: Mutex<HashMap<Subject, Watch>>,
    /// The newest key figures and freshness, for those who just came.
    latest: Mutex<(Option<String>, Option<String>)>,
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
        let last = watches.get_mut(&self.subject).is_some_and(|watch| {
            watch.viewers = watch.viewers.saturating_sub(1);
            watch.viewers == 0
        });
        if last {
            watches.remove(&self.subject);
        }
    }
}

impl Hub {
    /// A hub whose viewers may lag `buffer` ticks behind.
    pub fn new(buffer: usize) -> Self {
        let (frames, _) = broadcast::channel(buffer.max(1));
        Self { frames, watches: Mutex::default(), latest: Mutex::default(), arrived: Notify::new() }
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

    /// Takes part in a subject; what is known of it comes back.
    pub fn watch(self: &Arc<Self>, subject: Subject) -> (Share, Option<Look>) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(subject.clone()).or_insert(Watch { viewers: 0, look: None });
        watch.viewers += 1;
        let look = watch.look.clone();
        drop(watches);
        (Share { hub: Arc::clone(self), subject }, look)
    }

    /// What is watched.
    fn subjects(&self) -> Vec<(Subject, bool)> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.iter().map(|(subject, watch)| (subject.clone(), watch.look.is_some())).collect()
    }

    /// Keeps a look and gives what it was before; `None` when nobody watches it any more.
    fn keep(&self, subject: &Subject, look: Look) -> Option<Option<Look>> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.get_mut(subject).map(|watch| watch.look.replace(look))
    }

    fn tell(&self, frame: Frame) {
        {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            if frame.kpi.is_some() {
                latest.0.clone_from(&frame.kpi);
            }
            if frame.freshness.is_some() {
                latest.1.clone_from(&frame.freshness);
            }
        }
        // Nobody there is no fault.
        self.frames.send(Arc::new(frame)).ok();
    }

    /// The newest key figures and freshness told.
    pub fn latest(&self) -> (Option<String>, Option<String>) {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Statistic;

    fn subject() -> Subject {
        Subject { layer: "l".into(), level: "v".into(), metric: "m".into(), span_s: 60, statistic: Statistic::Mean }
    }

    #[test]
    fn a_subject_is_looked_at_while_someone_watches() {
        let hub = Arc::new(Hub::new(4));
        let (first, look) = hub.watch(subject());
        assert!(look.is_none());
        assert_eq!(hub.keep(&subject(), Look::default()), Some(None));
        let (second, look) = hub.watch(subject());
        assert_eq!(look, Some(Look::default()));
        drop(first);
        assert_eq!(hub.subjects().len(), 1);
        drop(second);
        assert!(hub.subjects().is_empty());
        assert_eq!(hub.keep(&subject(), Look::default()), None);
    }

    #[tokio::test]
    async fn a_slow_viewer_lags_alone() {
        let hub = Hub::new(2);
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
