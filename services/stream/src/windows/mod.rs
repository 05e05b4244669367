//! Tumbling windows over area × metric: 10 s panes, six of which make a minute.
//!
//! ```text
//! source ── Delta (one event in one area) ──by shard──▶ Windows ─▶ Row ─▶ sink
//!    └─ Rollup (areas above, summed) ── Partial ──by shard──▶ ┘
//! ```
//! Only panes are kept: a minute is the sum of its panes, made when it is written. Beside the sums of a metric lie its sketches,
//! where the city asks for them ([`sketch`]). This module knows no thread, no clock and no ClickHouse; time comes in as watermarks.
//!
//! * `WIN-1` see [`aggregate`]: nothing depends on order.
//! * `WIN-2` every area has one owner, and the owner alone emits its rows.
//! * `WIN-3` a row's version is its number of admitted events: it can only rise with truth.

mod aggregate;
mod emit;
mod lane;
mod lend;
mod marks;
mod minute;
mod rollup;
mod saved;
mod shareable;
pub(crate) mod sketch;
mod store;
mod sums;

pub(crate) use aggregate::{Aggregate, At};
pub(crate) use emit::{Mode, Row};
pub(crate) use lane::Lane;
pub(crate) use lend::Owed;
pub(crate) use marks::{FENCE, Marks};
pub(crate) use rollup::{Above, Rollup, Tree};
pub(crate) use saved::{CopiedShard, ShardCopy};
pub(crate) use store::{AHEAD, KEEP_MS, LIVE, Windows};

use gridwarden_domain::value::Fixed;
use serde::{Deserialize, Serialize};
use sketch::Piece;
use smallvec::SmallVec;

/// Length of a pane.
pub(crate) const PANE_MS: i64 = 10_000;
/// Panes in a minute.
pub(crate) const PANES: usize = 6;
/// Length of the longer window.
pub(crate) const MINUTE_MS: i64 = PANE_MS * PANES as i64;

/// Metrics are numbered in groups of this size: metric = group × WIDTH + column. What one event changes lies together.
pub(crate) const WIDTH: usize = 4;

/// The values of one event in one area.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// Event time, epoch milliseconds.
    pub(crate) time: i64,
    /// The record.
    pub(crate) at: At,
    /// Values by column, in millionths.
    pub(crate) values: [i64; WIDTH],
    /// Number of the area.
    pub(crate) area: u32,
    /// Number of the metric group.
    pub(crate) group: u16,
    /// Shard of the area.
    pub(crate) shard: u16,
    /// Watermark domain.
    pub(crate) domain: u8,
    /// Which columns hold a value, one bit each.
    pub(crate) mask: u8,
    /// Lane of the area.
    pub(crate) lane: Lane,
}

impl Delta {
    /// The same for an area.
    #[inline]
    pub(crate) fn in_area(&self, area: Above) -> Self {
        Self { area: area.area, shard: area.shard, lane: area.lane, ..*self }
    }
}

/// What an event of this time, place in the log and watermark domain changes, by metric group, for no area yet: its count,
/// and its values by metric.
#[inline]
pub(crate) fn deltas(
    (time, at, domain): (i64, At, u8),
    count: (u32, Fixed),
    values: &[(u32, Fixed)],
) -> SmallVec<[Delta; 2]> {
    let mut groups: SmallVec<[Delta; 2]> = SmallVec::new();
    for (metric, value) in std::iter::once(&count).chain(values) {
        let (group, column) = ((*metric / WIDTH as u32) as u16, *metric as usize % WIDTH);
        let known = groups.iter().position(|delta| delta.group == group).unwrap_or_else(|| {
            groups.push(Delta {
                time,
                at,
                values: [0; WIDTH],
                area: 0,
                group,
                shard: 0,
                domain,
                mask: 0,
                lane: Lane::Last,
            });
            groups.len() - 1
        });
        if let Some(delta) = groups.get_mut(known)
            && let Some(place) = delta.values.get_mut(column)
        {
            *place = value.0;
            delta.mask |= 1 << column;
        }
    }
    groups
}

/// What travels to the owner of an area besides single events.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Share {
    /// A sum over many events, for an area above others.
    Sum(Aggregate),
    /// Some of a sketch of many events, for any area.
    Sketch(Piece),
}

/// A share of a pane.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Partial {
    /// What it is.
    pub(crate) share: Share,
    /// Start of the pane, epoch milliseconds.
    pub(crate) pane: i64,
    /// Number of the area.
    pub(crate) area: u32,
    /// Number of the metric group.
    pub(crate) group: u16,
    /// Shard of the area.
    pub(crate) shard: u16,
    /// Watermark domain.
    pub(crate) domain: u8,
    /// Column in the group.
    pub(crate) column: u8,
    /// Lane of the area.
    pub(crate) lane: Lane,
}

/// A partition's watermark, for one owner of windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// No event before it will come from the partition for windows that are not late; `i64::MAX` at a feed's end.
    pub(crate) watermark: i64,
    /// The worker it is for.
    pub(crate) to: u16,
    /// The partition.
    pub(crate) part: u16,
    /// The domain.
    pub(crate) domain: u8,
}

/// Start of the pane that holds a moment.
pub(crate) fn pane_of(time: i64) -> i64 {
    time.div_euclid(PANE_MS) * PANE_MS
}

#[cfg(test)]
mod tests;
