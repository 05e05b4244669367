//! The part of a process that does not lead: copies when it is told to, writes its pieces itself, and tells where they lie.
//!
//! It refuses to know manifests and claims: the process that leads writes them for all.

use super::{
    desk::{Desk, Draft, Lain, Part},
    keeper::Order,
    loans::Laid,
    manifest::AlertPlace,
    pieces::PiecesOut,
    protocol::Mark,
};
use crate::{metrics::Metrics, wake::Wakers};
use anyhow::Result;
use gridwarden_runtime::clock::now_ms;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// What the process that leads orders of all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ordered {
    /// A cut: so many with it, and the checkpoint it is for.
    Cut { cuts: u32, mark: Mark },
    /// The checkpoint after so many cuts is finished.
    Laid { cuts: u32 },
}

/// How far this process knows `alerts.v1` to be written, and whether all that stood there at the start is decided again.
pub(crate) type Heard = Box<dyn Fn() -> (Vec<AlertPlace>, bool) + Send + Sync>;

/// Takes this process's part of checkpoints.
pub(crate) struct Scribe {
    pub(crate) desk: Desk,
    pub(crate) order: Order,
    pub(crate) wakers: Wakers,
    pub(crate) laid: Laid,
    pub(crate) reached: Heard,
    /// To the process that leads.
    pub(crate) tell: Box<dyn Fn(Part) + Send + Sync>,
    pub(crate) metrics: Metrics,
}

impl Scribe {
    /// Until the shutdown.
    pub(crate) async fn run(self, mut orders: UnboundedReceiver<Ordered>, mut said: PiecesOut) -> Result<()> {
        let mut last = Arc::new(Lain::new());
        let mut begun = std::time::Instant::now();
        loop {
            let ordered = tokio::select! {
                ordered = orders.recv() => ordered,
                () = self.desk.shutdown.wait() => None,
            };
            match ordered {
                None => return Ok(()),
                Some(Ordered::Cut { cuts, mark }) => {
                    let mut draft = Draft::new(mark);
                    begun = draft.begun;
                    self.order.set(cuts);
                    self.wakers.wake();
                    if !self.desk.collect(&mut draft, &last, &mut said).await?
                        || !self.desk.write_object(&mut draft).await
                    {
                        return Ok(());
                    }
                    last = self.hand_over(draft);
                }
                Some(Ordered::Laid { cuts }) => {
                    self.laid.set(cuts, Arc::clone(&last));
                    self.metrics.checkpoints.inc();
                    self.metrics.checkpoint_at.set(now_ms());
                    self.metrics.checkpoint_seconds.observe(begun.elapsed().as_secs_f64());
                }
            }
        }
    }

    fn hand_over(&self, draft: Draft) -> Arc<Lain> {
        let (reached, settled) = (self.reached)();
        let bytes: u64 = draft.lain.values().map(|(_, slice)| slice.length).sum();
        self.metrics.checkpoint_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let lain = draft.lain.iter().map(|(section, (name, slice))| (*section, name.to_string(), *slice)).collect();
        (self.tell)(Part { places: draft.places, lain, reached, settled, written: draft.written });
        Arc::new(draft.lain)
    }
}
