//! Puts pieces together to objects and writes them, in whatever process they are copied.

use super::{
    manifest::{AlertPlace, Place, Section, Slice, hash},
    names,
    pieces::{PiecesOut, Said, Speaker},
    protocol::Mark,
};
use crate::alerts::Teller;
use anyhow::{Context, Result};
use gridwarden_runtime::{
    health::Health,
    objects::{Bytes, Created, Objects},
    shutdown::Shutdown,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pieces are put together to objects of about this size.
const OBJECT: usize = 4 << 20;
/// What the last piece may bring beyond that, most often.
const BEYOND: usize = 2 << 20;
/// How long to wait before writing again what could not be written.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// Where pieces lie: object, place in it.
pub(super) type Lain = BTreeMap<Section, (Arc<str>, Slice)>;

/// What another process has to say of a cut, once its pieces lie in the store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Where its partitions go on.
    pub(crate) places: Vec<Place>,
    /// Where its pieces lie.
    pub(crate) lain: Vec<(Section, String, Slice)>,
    /// How far it knows `alerts.v1` to be written.
    pub(crate) reached: Vec<AlertPlace>,
    /// Whether all that stood there at the start is decided again in its partitions.
    pub(crate) settled: bool,
    /// Bytes written for it.
    pub(crate) written: u64,
}

/// A checkpoint on its way.
pub(super) struct Draft {
    pub(super) mark: Mark,
    pub(super) begun: Instant,
    pub(super) places: Vec<Place>,
    pub(super) lain: Lain,
    /// What other processes said, by process.
    pub(super) parts: Vec<(usize, Part)>,
    /// Pieces that are not written yet.
    open: Vec<(Section, u64, u64, u128)>,
    bytes: Vec<u8>,
    objects: usize,
    pub(super) written: u64,
}

impl Draft {
    pub(super) fn new(mark: Mark) -> Self {
        Self {
            mark,
            begun: Instant::now(),
            places: Vec::new(),
            lain: Lain::new(),
            parts: Vec::new(),
            open: Vec::new(),
            bytes: Vec::new(),
            objects: 0,
            written: 0,
        }
    }

    pub(super) fn add(&mut self, section: Section, body: &[u8]) {
        // At once, for growing by doubling takes three times as much on the way.
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(OBJECT + BEYOND);
        }
        self.open.push((section, self.bytes.len() as u64, body.len() as u64, hash(body)));
        self.bytes.extend_from_slice(body);
    }

    /// What another process has written is part of it: no two have a section in common.
    fn join(&mut self, process: usize, mut part: Part) {
        self.written += part.written;
        self.places.append(&mut part.places);
        let lain = part.lain.drain(..).map(|(section, name, slice)| (section, (name.into(), slice)));
        self.lain.extend(lain);
        self.parts.push((process, part));
    }
}

/// Writes what is copied in this process.
pub(crate) struct Desk {
    pub(crate) objects: Objects,
    /// Which process this is: its objects have names of their own.
    pub(crate) process: usize,
    /// Workers of this process.
    pub(crate) workers: usize,
    /// Other processes whose parts are waited for.
    pub(crate) others: std::ops::Range<usize>,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Desk {
    /// Until everybody is done; false at the shutdown.
    pub(super) async fn collect(&self, draft: &mut Draft, last: &Lain, said: &mut PiecesOut) -> Result<bool> {
        let alerts = |worker| [Teller::Reading(worker), Teller::Together(worker)].map(Speaker::Alerts);
        let all = |worker| alerts(worker).into_iter().chain([Speaker::Source(worker), Speaker::Owner(worker)]);
        let mut awaited: BTreeSet<Speaker> = (0..self.workers).flat_map(all).collect();
        awaited.extend(self.others.clone().map(Speaker::Process));
        let mut room = Vec::new();
        while !awaited.is_empty() {
            let heard = tokio::select! {
                heard = said.next() => heard,
                () = self.shutdown.wait() => None,
            };
            let Some((speaker, said)) = heard else { return Ok(false) };
            match (speaker, said) {
                (_, Said::Piece(section, Some(body))) => draft.add(section, body.bytes(&mut room)),
                (_, Said::Piece(section, None)) => {
                    // A defect: a piece that was never written cannot be as it was.
                    let known = last.get(&section).context("a piece is said to be as it was, and never was")?;
                    draft.lain.insert(section, known.clone());
                }
                (_, Said::Place(place)) => draft.places.push(place),
                (Speaker::Process(process), Said::Part(part)) => {
                    draft.join(process, *part);
                    awaited.remove(&speaker);
                }
                (_, Said::Part(_)) => {}
                (_, Said::Done) => {
                    awaited.remove(&speaker);
                }
            }
            if draft.bytes.len() >= OBJECT && !self.write_object(draft).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what has come together as an object; false at the shutdown.
    pub(super) async fn write_object(&self, draft: &mut Draft) -> bool {
        if draft.bytes.is_empty() {
            return true;
        }
        let name: Arc<str> = names::piece(draft.mark, self.process, draft.objects).into();
        let bytes = std::mem::take(&mut draft.bytes);
        draft.written += bytes.len() as u64;
        draft.objects += 1;
        for (section, from, length, hash) in draft.open.drain(..) {
            draft.lain.insert(section, (Arc::clone(&name), Slice { object: 0, from, length, hash }));
        }
        self.create(&name, bytes).await
    }

    /// Writes an object, for as long as it takes; false at the shutdown. What is there under the name already was written by
    /// an attempt whose answer was lost.
    pub(super) async fn create(&self, name: &str, bytes: impl Into<Bytes>) -> bool {
        let bytes = bytes.into();
        loop {
            // What is broken off is there whole or not at all.
            let created = tokio::select! {
                created = self.objects.create(name, bytes.clone()) => created,
                () = self.shutdown.wait() => return false,
            };
            match created {
                Ok(Created::New | Created::Taken) => {
                    self.health.set_part("checkpoints", true, "");
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint cannot be written, will try again");
                    self.health.set_part("checkpoints", false, &error.to_string());
                    if !self.shutdown.sleep(AGAIN).await {
                        return false;
                    }
                }
            }
        }
    }
}
