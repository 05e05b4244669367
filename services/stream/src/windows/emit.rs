//! Which rows to write now: what a watermark has closed, then what has changed. Bounded in each step, so that a worker never
//! stands still for the sake of rows.

use super::{
    Aggregate, Lane, MINUTE_MS, PANE_MS, PANES, WIDTH, Windows,
    minute::{Key, MINUTE},
    sketch::{Sketch, SketchKey},
    store::{ALL, Minute},
    sums::{Entry, Sums},
};

/// What to write of windows that are still open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// The log is read as it is written: open windows are written while they change.
    Live,
    /// The same, but minutes that are open wait. Most that is written live is a minute and ten seconds of it for every event.
    Panes,
    /// The past is being read: a window is written when it is closed.
    CatchUp,
}

/// One row of `area_metrics`, by numbers, and one of `area_sketches` where there is a sketch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The values.
    pub(crate) aggregate: Aggregate,
    /// Start of the window, epoch milliseconds.
    pub(crate) start_ms: i64,
    /// Number of the area.
    pub(crate) area: u32,
    /// Number of the metric.
    pub(crate) metric: u32,
    /// Length of the window in seconds.
    pub(crate) window_s: u32,
    /// Whether the watermark had passed the window.
    pub(crate) closed: bool,
    /// What is kept of the metric besides.
    pub(crate) sketch: Option<Box<Sketch>>,
}

impl Mode {
    /// Whether windows are written while they are open.
    pub(crate) fn is_live(self) -> bool {
        self != Self::CatchUp
    }
}

const PANE_S: u32 = (PANE_MS / 1000) as u32;
const MINUTE_S: u32 = (MINUTE_MS / 1000) as u32;

/// What of a minute is written: a pane, or all of it.
#[derive(Clone, Copy)]
enum Length {
    Pane(usize),
    Minute,
}

fn rows(sums: &Sums, (key, entry): (Key, &Entry), length: Length, window: (i64, bool), out: &mut Vec<Row>) {
    let (minute, closed) = window;
    let whole;
    let (cells, start_ms, window_s) = match length {
        Length::Pane(pane) => (sums.pane(entry, pane), minute + PANE_MS * pane as i64, PANE_S),
        Length::Minute => {
            whole = sums.minute(entry);
            (whole.as_slice(), minute, MINUTE_S)
        }
    };
    let first = u32::from(key.group()) * WIDTH as u32;
    for (column, aggregate) in cells.iter().enumerate().filter(|(_, aggregate)| aggregate.count > 0) {
        let sketch = if sums.sketches().is_empty() { None } else { sketch(sums, key, column, length) };
        let metric = first + column as u32;
        out.push(Row { aggregate: *aggregate, start_ms, area: key.area(), metric, window_s, closed, sketch });
    }
}

/// A torn one is not written: events are missing that no log will bring.
fn sketch(sums: &Sums, key: Key, column: usize, length: Length) -> Option<Box<Sketch>> {
    let key = SketchKey::new(key, column);
    let found = match length {
        Length::Pane(pane) => sums.sketches().pane(key, pane).cloned(),
        Length::Minute => sums.sketches().minute(key),
    };
    found.filter(|sketch| sketch.events > 0 && !sketch.torn).map(Box::new)
}

impl Windows {
    /// Appends rows that closed windows owe, until `room` rows are in `out` (the last shard may exceed it). True when nothing
    /// is owed any more but what is lent.
    pub(crate) fn emit_closed(&mut self, room: usize, out: &mut Vec<Row>) -> bool {
        for (start, minute) in &mut self.minutes {
            while minute.owed != 0 || minute.owed_minute {
                if out.len() >= room {
                    return false;
                }
                if minute.waits(*start, &mut self.wanted) {
                    break;
                }
                step(*start, minute, self.chunk, out);
            }
        }
        true
    }

    /// Appends rows of a lane that changed since they were last handed out, until `room` rows are in `out`. True when it came
    /// round; otherwise the next call goes on where this one stopped.
    pub(crate) fn emit_changed(&mut self, lane: Lane, mode: Mode, room: usize, out: &mut Vec<Row>) -> bool {
        let (first_minute, first_shard) = std::mem::take(self.resume.of_mut(lane));
        let mut from = first_shard;
        for (start, minute) in self.minutes.range_mut(first_minute..) {
            // What is owed comes anyhow, but behind many others.
            let wanted = match (mode.is_live(), lane) {
                (true, Lane::First | Lane::Second) => ALL,
                (true, Lane::Last) => !minute.owed & ALL,
                (false, _) => minute.closed & !minute.owed,
            };
            if wanted != 0 {
                for index in from..minute.shards.len() {
                    if out.len() >= room {
                        *self.resume.of_mut(lane) = (*start, index);
                        return false;
                    }
                    // One that has nothing to say is not touched: it need not be copied again.
                    let Some(shard) = minute.shards.get(index).filter(|shard| shard.owes_in(lane)) else { continue };
                    if let Some(lent) = shard.lent {
                        self.wanted.want((*start, index), lent);
                        continue;
                    }
                    changed((*start, minute), (index, lane), (wanted, mode), self.chunk, out);
                }
            }
            from = 0;
        }
        true
    }
}

/// One shard of what is owed.
fn step(start: i64, minute: &mut Minute, chunk: u32, out: &mut Vec<Row>) {
    let (owed, minute_closed) = (minute.owed, minute.is_closed());
    if let Some(shard) = minute.shard_mut(minute.cursor) {
        shard.handed = if shard.is_empty() { shard.handed } else { chunk };
        for (key, entry) in shard.sums.entries() {
            for pane in (0..PANES).filter(|pane| owed & (1 << pane) != 0) {
                rows(&shard.sums, (key, entry), Length::Pane(pane), (start, true), out);
            }
            if minute_closed {
                rows(&shard.sums, (key, entry), Length::Minute, (start, true), out);
            }
        }
        // An open minute comes with others that are open.
        let written = if minute_closed { owed | MINUTE } else { owed };
        for lane in Lane::ALL {
            for key in shard.take_dirty(lane) {
                let touched = shard.sums.entry(key).is_some_and(|entry| entry.dirty() & owed != 0);
                let later = if touched && !minute_closed { MINUTE } else { 0 };
                shard.keep_dirty(key, (written, later), lane);
            }
        }
    }
    minute.cursor += 1;
    if minute.cursor >= minute.shards.len() {
        minute.cursor = 0;
        minute.owed = 0;
        minute.owed_minute = false;
    }
}

fn changed(
    (start, minute): (i64, &mut Minute),
    (index, lane): (usize, Lane),
    what: (u8, Mode),
    chunk: u32,
    out: &mut Vec<Row>,
) {
    let (wanted, mode) = what;
    let (closed, minute_closed) = (minute.closed, minute.is_closed());
    let Some(shard) = minute.shard_mut(index) else { return };
    shard.handed = chunk;
    for key in shard.take_dirty(lane) {
        let Some(entry) = shard.sums.entry(key).copied() else { continue };
        let panes = entry.dirty() & wanted;
        for pane in (0..PANES).filter(|pane| panes & (1 << pane) != 0) {
            rows(&shard.sums, (key, &entry), Length::Pane(pane), (start, closed & (1 << pane) != 0), out);
        }
        let minute_due = panes != 0 || entry.dirty() & MINUTE != 0;
        let minute_written = minute_due && (minute_closed || mode == Mode::Live);
        if minute_written {
            rows(&shard.sums, (key, &entry), Length::Minute, (start, minute_closed), out);
        }
        let written = if minute_written { panes | MINUTE } else { panes };
        let later = if minute_due && !minute_written { MINUTE } else { 0 };
        shard.keep_dirty(key, (written, later), lane);
    }
}
