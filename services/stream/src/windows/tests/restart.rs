//! `CKP-5`, `WIN-3`: after a kill and a restart from a copy, at any number of owners, the rows are the naive count all the
//! same, whatever was under way to ClickHouse.

use super::*;
use crate::checkpoint::{Renumber, ShardForm};

/// Where things happen, by number of events read.
#[derive(Clone, Copy, Debug)]
struct Plan {
    cut: usize,
    /// How many events are read while copies are written down, and after that until the kill.
    copying: usize,
    lost: usize,
    /// Chunks that had not come to ClickHouse at the cut.
    under_way: u32,
}

fn plan() -> impl Strategy<Value = Plan> {
    (0usize..100, 0usize..30, 0usize..30, 0u32..3).prop_map(|(cut, copying, lost, under_way)| Plan {
        cut,
        copying,
        lost,
        under_way,
    })
}

/// Owners, and the chunks of rows they have handed out.
struct Life {
    run: Run,
    chunks: Vec<(u32, Vec<Row>)>,
}

impl Life {
    fn new(owners: usize) -> Self {
        let mut run = Run::new(owners);
        run.owners.iter_mut().for_each(|owner| owner.chunk = 1);
        Self { run, chunks: Vec::new() }
    }

    fn read(&mut self, event: &Event, number: usize, mode: Mode) {
        self.run.read(event);
        if number.is_multiple_of(3) {
            self.run.flush();
        }
        if number.is_multiple_of(7) {
            self.advance(event.time.min(60_000));
            self.emit(mode);
        }
    }

    fn advance(&mut self, watermark: i64) {
        self.run.owners.iter_mut().for_each(|owner| owner.advance(0, watermark));
    }

    fn emit(&mut self, mode: Mode) {
        for owner in &mut self.run.owners {
            let mut out = Vec::new();
            while !owner.emit_closed(out.len() + 3, &mut out) {}
            for lane in Lane::ALL {
                while !owner.emit_changed(lane, mode, out.len() + 3, &mut out) {}
            }
            self.chunks.push((owner.chunk, out));
            owner.chunk += 1;
        }
    }

    /// What ClickHouse holds of chunks up to a number: of each key the row with most events.
    fn taken(&self, until: u32, table: &mut Table) {
        for row in self.chunks.iter().filter(|(number, _)| *number <= until).flat_map(|(_, rows)| rows) {
            let key = (row.area, row.metric, row.window_s, row.start_ms);
            table.entry(key).or_default().take(row);
        }
    }

    fn chunk(&self) -> u32 {
        self.run.owners[0].chunk
    }
}

/// A copy as it lies in a checkpoint.
fn write(copied: CopiedShard) -> (i64, u16, Vec<u8>) {
    (copied.start, copied.shard, copied.body.expect("the first copy").write(Vec::new()))
}

proptest! {
    #[test]
    fn a_restart_from_a_copy_changes_no_row(
        events in events(),
        plan in plan(),
        before in 1usize..4,
        after in 1usize..4,
        live in any::<bool>(),
    ) {
        let mode = if live { Mode::Live } else { Mode::CatchUp };
        let cut = plan.cut.min(events.len());
        let mut life = Life::new(before);
        events[..cut].iter().enumerate().for_each(|(number, event)| life.read(event, number, mode));
        // Sums are sent on before a cut.
        life.run.flush();
        let taken = life.chunk().saturating_sub(1 + plan.under_way);
        let copies: Vec<CopiedShard> = life.run.owners.iter_mut().flat_map(|owner| owner.copy(taken)).collect();

        // It goes on while copies are written down, and for a while after that; then it is killed.
        let rest = &events[cut..];
        let mut written = Vec::new();
        let mut copies = copies.into_iter();
        for (number, event) in rest.iter().take(plan.copying).enumerate() {
            life.read(event, number, mode);
            written.extend(copies.next().map(write));
        }
        written.extend(copies.map(write));
        rest.iter().skip(plan.copying).take(plan.lost).enumerate().for_each(|(number, event)| life.read(event, number, mode));
        let mut table = Table::new();
        life.taken(taken, &mut table);

        let mut again = Life::new(after);
        for (start, shard, body) in written {
            let form = ShardForm::read(&body).expect("read");
            again.run.owner(shard).know_sketched([SKETCHED].into());
            again.run.owner(shard).restore(start, shard, form, &Renumber::same(2));
        }
        rest.iter().enumerate().for_each(|(number, event)| again.read(event, number, mode));
        again.run.flush();
        again.advance(300_000);
        again.emit(mode);
        again.taken(u32::MAX, &mut table);
        prop_assert_eq!(table, naive(&events));
    }
}

#[test]
fn what_did_not_change_is_not_copied_again() {
    let mut windows = Windows::from_chunk(1);
    windows.apply(&event(1, 5_000, 7).delta());
    windows.apply(&event(2, 5_000, 7).delta());
    let copied = |windows: &mut Windows| {
        let copies = windows.copy(0);
        let mut copies: Vec<(u16, bool)> = copies.iter().map(|copied| (copied.shard, copied.body.is_some())).collect();
        copies.sort_unstable();
        copies
    };
    assert_eq!(copied(&mut windows), [(shard(1), true), (shard(2), true)]);
    assert_eq!(copied(&mut windows), [(shard(1), false), (shard(2), false)]);
    windows.apply(&event(2, 6_000, 7).delta());
    assert_eq!(copied(&mut windows), [(shard(1), false), (shard(2), true)]);
    // A closed pane is told in every shard of the minute.
    windows.advance(0, 10_000);
    assert_eq!(copied(&mut windows), [(shard(1), true), (shard(2), true)]);
}

#[test]
fn nothing_is_forgotten_that_is_not_known_to_be_in_clickhouse() {
    let mut windows = Windows::from_chunk(4);
    windows.apply(&event(1, 5_000, 7).delta());
    windows.advance(0, 60_000 + KEEP_MS);
    assert!(windows.emit_closed(100, &mut Vec::new()));
    windows.forget(3);
    assert_eq!(windows.minutes.len(), 1);
    windows.forget(4);
    assert!(windows.minutes.is_empty());
}

/// Copies of all there is.
fn copied(windows: &mut Windows) -> Vec<(i64, u16, ShardForm)> {
    let read = |(start, shard, body): (i64, u16, Vec<u8>)| (start, shard, ShardForm::read(&body).expect("read"));
    windows.copy(0).into_iter().map(write).map(read).collect()
}

/// A city asks for sketches of a metric while windows are open: those windows have none, for what was before is not in them, in this
/// life or the next. Windows that begin later have theirs.
#[test]
fn a_sketch_that_lacks_what_was_before_it_was_asked_for_is_never_written() {
    let sketched = |run: &mut Run, event: &Event| {
        run.read(event);
        run.flush();
    };
    let written = |windows: &mut Windows| {
        let mut out = Vec::new();
        windows.advance(0, 600_000);
        assert!(windows.emit_closed(usize::MAX, &mut out));
        let of = |row: &Row| row.sketch.as_ref().map(|sketch| (row.window_s, row.start_ms, sketch.events));
        let mut found: Vec<_> = out.iter().filter(|row| row.area == 1).filter_map(of).collect();
        found.sort_unstable();
        found
    };
    let mut before = Windows::from_chunk(1);
    before.apply(&event(1, 5_000, 7).delta());
    let mut saved = copied(&mut before);
    for life in 0..2 {
        let mut run = Run::new(1);
        run.owners[0].know_sketched([SKETCHED].into());
        for (start, shard, form) in saved {
            run.owners[0].restore(start, shard, form, &Renumber::same(2));
        }
        // Into a pane that has a sum and no sketch, beside it, and into a later minute.
        for time in [6_000, 15_000, 65_000] {
            sketched(&mut run, &event(1, time + life, 7));
        }
        saved = copied(&mut run.owners[0]);
        let events = 1 + life as u64;
        let whole = [(10, 10_000, events), (10, 60_000, events), (60, 60_000, events)];
        assert_eq!(written(&mut run.owners[0]), whole, "life {life}");
    }
    // Nobody asks any more: what is left of them is dropped.
    let mut run = Run::new(1);
    for (start, shard, form) in saved {
        run.owners[0].restore(start, shard, form, &Renumber::same(2));
    }
    assert_eq!(written(&mut run.owners[0]), []);
}
