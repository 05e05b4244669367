//! The owner of windows on one worker, and of rules over several entities: takes deltas, sums, sightings and marks, hands rows to the
//! sink and alerts to their producer.

mod rounds;
mod rows;
mod together;

pub(crate) use together::Says;

use crate::{
    checkpoint::{Back, Body, Loans, Pieces, Said, Section, Speaker},
    config::StreamSection,
    shared::Shared,
    sink::RowSink,
    together::Sighting,
    windows::{CopiedShard, Delta, LIVE, Lane, Mark, Marks, Mode, Owed, Partial, Row, Windows},
};
use gridwarden_runtime::{clock::now_ms, seeded::seeded};
use rounds::Rounds;
use rows::Parts;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};
use together::Gathered;

/// How long a worker does one thing before it looks at others.
const MOMENT: Duration = Duration::from_millis(1);
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often windows are lent. ClickHouse takes tens of MiB of them in a second.
const LEND_EVERY: Duration = Duration::from_millis(100);
/// A ClickHouse that has taken nothing for so long is away; nothing waits for it then.
const AWAY_AFTER: Duration = Duration::from_secs(10);
/// How long the first marks may take.
const SETTLE: Duration = Duration::from_secs(10);

/// The windows of one worker and the way out for their rows.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    config: StreamSection,
    sink: RowSink,
    worker: usize,
    label: String,
    windows: Windows,
    marks: Marks,
    /// Marks by the time they were sent at: they count once that time is over.
    waiting: BTreeMap<u64, Vec<Mark>>,
    chunk: Vec<Row>,
    /// The chunk for other lanes before it, as far as it found no room yet.
    parts: Parts,
    /// Rows of changed windows still allowed in this interval, and when the next begins.
    budget: usize,
    next_write: Instant,
    /// When changed windows of the first lane are written again, and those of the others.
    next_first: Instant,
    second: Rounds,
    last: Rounds,
    next_look: Instant,
    next_lend: Instant,
    /// Until then a watermark that is not known yet may still come at once, with the first marks.
    settled: Instant,
    /// When ClickHouse last had room for rows.
    took: Instant,
    refused: u64,
    /// Where windows are lent, and where they come back.
    loans: Loans,
    back: (Sender<Back>, Receiver<Back>),
    /// The newest finished checkpoint, and since when it is known.
    laid: (u32, Instant),
    /// Cuts whose records have all come.
    cuts: u32,
    /// What came from behind the next cut before the rest of what is before it.
    behind: Held,
    gathered: Gathered,
}

/// Held, not saved: it is read again after a restart.
#[derive(Default)]
struct Held {
    deltas: Vec<Vec<Delta>>,
    partials: Vec<Vec<Partial>>,
    sightings: Vec<Vec<Sighting>>,
}

impl Owner {
    /// `seats`: which worker of this process, which of how many of all.
    pub(crate) fn new(
        shared: Arc<Shared>,
        config: StreamSection,
        (sink, loans): (RowSink, Loans),
        says: Says,
        (worker, index, peers): (usize, usize, usize),
    ) -> Self {
        let now = Instant::now();
        let [write, minutes] = [config.write_ms, config.minutes_ms].map(Duration::from_millis);
        let rounds = |lane| Rounds::new(lane, (write, minutes), now);
        Self {
            shared,
            config,
            sink,
            worker,
            label: worker.to_string(),
            windows: Windows::from_chunk(1),
            marks: Marks::default(),
            waiting: BTreeMap::new(),
            chunk: Vec::with_capacity(rows::CHUNK),
            parts: Parts::none(),
            budget: 0,
            next_write: now,
            next_first: now,
            second: rounds(Lane::Second),
            last: rounds(Lane::Last),
            next_look: now,
            next_lend: now,
            settled: now + SETTLE,
            took: now,
            refused: 0,
            loans,
            back: mpsc::channel(),
            laid: (0, now),
            cuts: 0,
            behind: Held::default(),
            gathered: Gathered::new(says, worker, (index, peers)),
        }
    }

    /// The windows, to put back what was saved.
    pub(crate) fn windows_mut(&mut self) -> &mut Windows {
        &mut self.windows
    }

    /// Takes deltas sent after so many cuts; those from behind a cut that is not complete here are held.
    #[inline]
    pub(crate) fn deltas(&mut self, cuts: u32, deltas: &mut Vec<Delta>) {
        if cuts > self.cuts {
            self.behind.deltas.push(std::mem::take(deltas));
        } else {
            self.apply(deltas);
        }
    }

    #[inline]
    fn apply(&mut self, deltas: &[Delta]) {
        self.refused += self.windows.apply_all(deltas);
    }

    /// Takes sums sent after so many cuts, as [`Owner::deltas`].
    pub(crate) fn partials(&mut self, cuts: u32, partials: &mut Vec<Partial>) {
        if cuts > self.cuts {
            self.behind.partials.push(std::mem::take(partials));
        } else {
            self.apply_partials(partials);
        }
    }

    fn apply_partials(&mut self, partials: &[Partial]) {
        for partial in partials {
            self.refused += u64::from(!self.windows.apply_partial(partial));
        }
    }

    /// Takes marks sent at a time.
    pub(crate) fn wait(&mut self, time: u64, marks: &mut Vec<Mark>) {
        self.waiting.entry(time).or_default().append(marks);
    }

    /// Makes the marks count whose time is over.
    pub(crate) fn close(&mut self, is_open: impl Fn(u64) -> bool) {
        let mut moved = false;
        while let Some(entry) = self.waiting.first_entry() {
            if is_open(*entry.key()) {
                break;
            }
            for mark in entry.remove() {
                self.marks.set(mark.domain, mark.part, mark.watermark);
                moved = true;
            }
        }
        if moved {
            self.advance();
        }
    }

    fn advance(&mut self) {
        let shared = Arc::clone(&self.shared);
        for (domain, watermark) in self.marks.watermarks(|domain| shared.world.domains.expected(domain)) {
            self.windows.advance(domain, watermark);
            self.gathered.advance((domain, watermark), &self.shared);
        }
        self.gathered.tell_open(&self.marks, &self.shared);
    }

    /// The number of cuts whose records have all come.
    pub(crate) fn cuts(&self) -> u32 {
        self.cuts
    }

    /// All that is before the next cut has come: windows are copied as they are now, and what was held is taken. A cut is ordered when the
    /// last one is written.
    pub(crate) fn cut(&mut self, pieces: &Pieces) {
        self.cuts += 1;
        if seeded("held-records-saved") {
            self.take_behind();
        }
        self.gathered.cut(pieces);
        let speaker = Speaker::Owner(self.worker);
        pieces.say_all(speaker, self.windows.copy(self.sink.taken()).into_iter().map(piece));
        pieces.say(speaker, Said::Done);
        self.take_behind();
    }

    /// What came from behind the cut.
    fn take_behind(&mut self) {
        let Held { deltas, partials, sightings } = std::mem::take(&mut self.behind);
        sightings.into_iter().flatten().for_each(|sighting| self.gathered.take(sighting, &self.shared));
        deltas.iter().for_each(|deltas| self.apply(deltas));
        partials.iter().for_each(|partials| self.apply_partials(partials));
    }

    /// Takes back what was lent and read again. Bounded, so that a worker never stands still for it; whether there may be more.
    fn take_back(&mut self) -> bool {
        let until = Instant::now() + MOMENT;
        while Instant::now() < until {
            let Ok(Back { start, shard, form }) = self.back.1.try_recv() else { return false };
            self.windows.take_back(start, shard, &form);
            self.shared.metrics.windows_back.inc();
        }
        true
    }

    fn ask_back(&mut self) {
        for (start, shard) in self.windows.wanted() {
            self.loans.ask(start, shard, self.back.0.clone());
        }
    }

    /// Hands out rows as far as there is room for them. Whether it must be called again soon.
    pub(crate) fn write(&mut self, now: Instant) -> bool {
        let mode = self.mode(now);
        let coming = self.take_back();
        let due = now >= self.next_write;
        if due {
            self.next_write = now + Duration::from_millis(self.config.write_ms);
            self.budget = self.config.live_rows_per_s * self.config.write_ms as usize / 1000;
        }
        if self.sink.others.has_room() {
            self.took = now;
        }
        let more = self.write_rows(mode, now);
        self.ask_back();
        if now >= self.next_lend {
            self.next_lend = now + LEND_EVERY;
            self.lend(now);
        }
        if due || self.is_pressed() {
            self.press(now, more);
            if let Some(watermark) = self.windows.watermark(LIVE) {
                self.shared.metrics.watermark_lag.set(now_ms().saturating_sub(watermark));
                if let Some(progress) = self.shared.progress.get(self.worker) {
                    progress.watermark.store(watermark, Ordering::Relaxed);
                }
            }
        }
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY;
            self.look();
        }
        more || coming
    }

    /// Right after a start nothing says yet which windows are closed; rows that were closed before must not open again.
    fn mode(&self, now: Instant) -> Mode {
        let unknown = self.windows.watermark(LIVE).is_none() && now < self.settled;
        if unknown || self.shared.in_the_past() { Mode::CatchUp } else { Mode::Live }
    }

    /// The past can be read faster than ClickHouse takes its windows: then reading waits, at three times the memory for windows, so that
    /// it need not wait for every chunk. Never while all is live, and never for a ClickHouse that is away: rules do not wait for
    /// it. Unless checkpoints cannot be written either, and memory would end.
    fn press(&mut self, now: Instant, more: bool) {
        let waits = more && self.shared.in_the_past() && now.duration_since(self.took) < AWAY_AFTER;
        let share = self.share();
        let limit = match (waits, self.can_lend(now)) {
            (true, _) => 3 * share,
            (false, true) => usize::MAX,
            (false, false) => 6 * share,
        };
        if self.windows.bytes() > limit {
            self.windows.forget(self.sink.taken());
        }
        let pressed = self.windows.bytes() > limit;
        if let Some(progress) = self.shared.progress.get(self.worker) {
            progress.pressed.store(pressed, Ordering::Relaxed);
        }
    }

    fn is_pressed(&self) -> bool {
        self.shared.progress.get(self.worker).is_some_and(|progress| progress.pressed.load(Ordering::Relaxed))
    }

    /// Whether checkpoints are finished, sooner or later.
    fn can_lend(&mut self, now: Instant) -> bool {
        let cuts = self.loans.laid.cuts();
        if cuts != self.laid.0 {
            self.laid = (cuts, now);
        }
        now.duration_since(self.laid.1) < self.loans.patience
    }

    /// This worker's share of the memory for windows, in bytes.
    fn share(&self) -> usize {
        (self.config.windows_mib << 20) / self.shared.progress.len().max(1)
    }

    /// Lends what is beyond the memory for windows to the newest checkpoint: what was copied last must be in it. What a
    /// ClickHouse that is there will take soon stays, unless it is far too much. While it is away, and until it has what was lent
    /// meanwhile, nothing stays: nothing can be written before it is back, and then all is asked for in its turn. Behind what was lent
    /// wait the windows that closed since; those that only changed are written in rounds, and what is lent of them would wait for
    /// theirs.
    fn lend(&mut self, now: Instant) {
        if self.loans.laid.cuts() != self.cuts {
            return;
        }
        let share = self.share();
        let away = now.duration_since(self.took) >= AWAY_AFTER;
        let behind = away || self.windows.are_owed_back();
        let far_too_much = self.windows.bytes() > 6 * share;
        let most = match (away || far_too_much, behind) {
            (true, _) => Owed::Changed,
            (false, true) => Owed::Closed,
            (false, false) => Owed::Nothing,
        };
        let lent = self.windows.lend_beyond(if behind { 0 } else { share }, most);
        self.shared.metrics.windows_lent.inc_by(lent as u64);
    }

    fn look(&mut self) {
        self.windows.forget(self.sink.taken());
        let metrics = &self.shared.metrics;
        let refused = std::mem::take(&mut self.refused);
        if refused > 0 {
            metrics.windows_refused.inc_by(refused);
            tracing::error!(
                refused,
                "the brokers' clocks are too far apart: changes came after their windows had gone"
            );
        }
        metrics.window_bytes.with_label_values(&[&self.label]).set(self.windows.bytes() as i64);
    }
}

/// A copy as a piece of the checkpoint.
fn piece(copied: CopiedShard) -> (Section, Option<Body>) {
    let CopiedShard { start, shard, more, body } = copied;
    let section = if more { Section::More(start, shard) } else { Section::Windows(start, shard) };
    (section, body.map(|copy| Body::Windows(Box::new(copy))))
}

#[cfg(test)]
mod tests;
