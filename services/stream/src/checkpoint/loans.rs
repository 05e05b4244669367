//! Pieces of the newest checkpoint read back while the process goes on: windows that were lent to it.
//!
//! `CKP-6` what is read back is what was written, or the process ends: a checkpoint before it still has the rest of the log to
//! read.

use super::{
    desk::Lain,
    form::ShardForm,
    manifest::{Section, Slice, hash},
};
use crate::wake::Wakers;
use anyhow::{Context, Result, ensure};
use gridwarden_runtime::{objects::Objects, shutdown::Shutdown};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// How long to wait before reading again what could not be read.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the writing of a checkpoint may take.
const SLOW: Duration = Duration::from_secs(60);

/// What the newest checkpoint this process has finished is made of.
#[derive(Clone, Default)]
pub(crate) struct Laid(Arc<(AtomicU32, Mutex<Arc<Lain>>)>);

impl Laid {
    /// The checkpoint after so many cuts is finished.
    pub(super) fn set(&self, cuts: u32, lain: Arc<Lain>) {
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = lain;
        self.0.0.store(cuts, Ordering::Release);
    }

    /// Cuts made until the newest one that is finished; 0: none.
    pub(crate) fn cuts(&self) -> u32 {
        self.0.0.load(Ordering::Acquire)
    }

    fn find(&self, section: Section) -> Option<(Arc<str>, Slice)> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner).get(&section).cloned()
    }
}

/// A shard of windows that is back.
pub(crate) struct Back {
    /// Start of the minute.
    pub(crate) start: i64,
    /// The shard.
    pub(crate) shard: u16,
    /// What it held.
    pub(crate) form: ShardForm,
}

/// A shard of windows to be read back.
struct Wish {
    start: i64,
    shard: u16,
    to: Sender<Back>,
}

/// Where shards are asked back.
#[derive(Clone)]
pub(crate) struct Loans {
    /// What may be lent to.
    pub(crate) laid: Laid,
    /// When the next checkpoint must be finished; without one nothing more can be lent.
    pub(crate) patience: Duration,
    wishes: UnboundedSender<Wish>,
}

impl Loans {
    /// The desk, and what [`Lender`] reads. `every`: how often a checkpoint is taken.
    pub(crate) fn new(every: Duration) -> (Self, Wishes) {
        let (wishes, receiver) = mpsc::unbounded_channel();
        (Self { laid: Laid::default(), patience: 2 * every + SLOW, wishes }, Wishes(receiver))
    }

    /// Asks a shard back; it comes to `to`. Nobody listens any more when the process ends.
    pub(crate) fn ask(&self, start: i64, shard: u16, to: Sender<Back>) {
        self.wishes.send(Wish { start, shard, to }).ok();
    }
}

/// What was asked for.
pub(crate) struct Wishes(UnboundedReceiver<Wish>);

/// Reads back what is asked for.
pub(crate) struct Lender {
    pub(crate) objects: Objects,
    pub(crate) laid: Laid,
    pub(crate) wakers: Wakers,
    pub(crate) shutdown: Shutdown,
}

impl Lender {
    /// Until the shutdown; an error when a piece is not what was written.
    pub(crate) async fn run(self, mut wishes: Wishes) -> Result<()> {
        loop {
            let wish = tokio::select! {
                wish = wishes.0.recv() => wish,
                () = self.shutdown.wait() => None,
            };
            let Some(Wish { start, shard, to }) = wish else { return Ok(()) };
            let section = Section::Windows(start, shard);
            let Some(form) = self.fetch(section).await.with_context(|| format!("{section:?}"))? else { return Ok(()) };
            to.send(Back { start, shard, form }).ok();
            self.wakers.wake();
        }
    }

    /// None at the shutdown.
    async fn fetch(&self, section: Section) -> Result<Option<ShardForm>> {
        loop {
            let (name, slice) = self.laid.find(section).context("lent to a checkpoint that does not name it")?;
            match self.objects.get_range(&name, slice.from..slice.from + slice.length).await {
                Ok(bytes) => {
                    ensure!(hash(&bytes) == slice.hash, "{name} is not as it was written");
                    return Ok(Some(ShardForm::read(&bytes)?));
                }
                Err(error) => {
                    tracing::warn!(%error, "windows cannot be read back, will try again");
                    if !self.shutdown.sleep(AGAIN).await {
                        return Ok(None);
                    }
                }
            }
        }
    }
}
