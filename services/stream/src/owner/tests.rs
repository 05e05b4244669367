//! When rows are written, and when reading has to wait for them.

use super::*;
use crate::{
    alerts::AlertQueue,
    checkpoint::{self, PiecesOut, ShardForm},
    intake::tests::shared,
    sink::{Chunk, RowSink, RowsOut},
    together::InForce,
    windows::{Aggregate, At, Share, WIDTH},
};

struct Bench {
    shared: Arc<Shared>,
    owner: Owner,
    out: RowsOut,
    begun: Instant,
}

impl Bench {
    fn new(windows_mib: usize) -> Self {
        let shared = Arc::new(shared());
        let mut config = crate::config(None).expect("defaults").stream;
        (config.windows_mib, config.write_ms) = (windows_mib, 1_000);
        let (sink, out) = RowSink::new();
        let nothing = || InForce { timeline: Arc::default(), known_until: i64::MAX };
        let says = Says { alerts: AlertQueue::new().0, in_force: Box::new(nothing) };
        let ends = (sink, Loans::new(Duration::from_secs(10)).0);
        let owner = Owner::new(Arc::clone(&shared), config, ends, says, (0, 0, 1));
        Self { begun: owner.next_write, shared, owner, out }
    }

    fn is_past(&self, past: bool) {
        self.shared.progress[0].past.store(past, Ordering::Relaxed);
    }

    fn event(&mut self, area: u32, time: i64) {
        self.owner.deltas(0, &mut vec![delta(area, time)]);
    }

    /// A sum for an area above.
    fn sum(&mut self, area: u32, pane: i64) {
        let share = Share::Sum(Aggregate { count: 1, ..Aggregate::EMPTY });
        let shard = (area % 64) as u16;
        self.owner.partials(
            0,
            &mut vec![Partial { share, pane, area, group: 0, shard, domain: LIVE, column: 0, lane: Lane::First }],
        );
    }

    /// The watermarks of all three partitions.
    fn watermark(&mut self, watermark: i64) {
        let mark = |part| Mark { watermark, to: 0, part, domain: LIVE };
        self.owner.wait(7, &mut [0, 1, 2].map(mark).to_vec());
        self.owner.close(|_| false);
    }

    fn write(&mut self, seconds: u64) -> bool {
        self.owner.write(self.begun + Duration::from_secs(seconds))
    }

    /// What was written, as (start, whether closed).
    fn rows(&mut self) -> Vec<(i64, bool)> {
        let both = [&mut self.out.first, &mut self.out.others];
        let mut rows: Vec<(i64, bool)> = both
            .into_iter()
            .flat_map(|out| std::iter::from_fn(|| out.try_recv().ok()))
            .flat_map(Chunk::rows)
            .map(|row| (row.start_ms, row.closed))
            .collect();
        rows.sort_unstable();
        rows
    }
}

fn delta(area: u32, time: i64) -> Delta {
    let (at, values, shard) = (At::new(0, 0), [1; WIDTH], (area % 64) as u16);
    Delta { time, at, values, area, group: 0, shard, domain: LIVE, mask: 1, lane: Lane::Last }
}

#[test]
fn right_after_a_start_nothing_is_written_as_open_that_may_be_closed() {
    let mut bench = Bench::new(64);
    bench.is_past(false);
    bench.event(1, 5_000);
    assert!(!bench.write(0) && bench.rows().is_empty());
    bench.watermark(60_000);
    bench.write(2);
    assert_eq!(bench.rows(), [(0, true), (0, true)], "the pane and its minute, once it is known that they are closed");
    // Partitions that stay silent keep rows back for a while only.
    let mut bench = Bench::new(64);
    bench.is_past(false);
    bench.event(1, 5_000);
    bench.write(20);
    assert_eq!(bench.rows(), [(0, false), (0, false)]);
}

#[test]
fn the_first_lane_is_written_first_however_much_is_owed_of_others() {
    let mut bench = Bench::new(64);
    bench.is_past(false);
    bench.watermark(1);
    // More closed rows than there is room for.
    (0..80_000).for_each(|area| bench.event(area, 5_000));
    bench.write(0);
    bench.watermark(10_000);
    assert!(bench.write(1), "no room for all");
    bench.sum(100_000, 10_000);
    assert!(bench.write(2), "nothing was taken");
    let above = bench.out.first.try_recv().expect("there is room for it").rows();
    assert_eq!(above.iter().map(|row| (row.area, row.window_s)).collect::<Vec<_>>(), [(100_000, 10), (100_000, 60)]);
    assert_eq!(bench.owner.sink.taken(), 0, "what was handed over before is still under way");
    let owed: Vec<Row> = std::iter::from_fn(|| bench.out.others.try_recv().ok()).flat_map(Chunk::rows).collect();
    assert!(!owed.is_empty() && owed.iter().all(|row| row.start_ms == 0));
    assert_eq!(bench.owner.sink.taken() + 1, bench.owner.windows.chunk, "all that was handed over");
}

#[test]
fn a_closed_shard_comes_in_parts_however_large_and_the_first_lane_between_them() {
    let mut bench = Bench::new(64);
    bench.is_past(false);
    (0..20_000).for_each(|number| bench.event(number * 64, 5_000));
    bench.watermark(60_000);
    assert!(bench.write(0), "no room for all");
    bench.sum(2_000_000, 60_000);
    assert!(bench.write(1), "nothing was taken");
    let above = bench.out.first.try_recv().expect("there is room for it").rows();
    assert_eq!(above.len(), 2, "a pane and its minute");
    let (mut parts, mut second) = (Vec::new(), 2);
    while let Ok(part) = bench.out.others.try_recv() {
        assert_eq!(bench.owner.sink.taken(), 0, "there is more of the first chunk");
        parts.push(part.rows().len());
        bench.write(second);
        second += 1;
    }
    assert!(parts.len() > 4 && parts.iter().all(|rows| *rows <= 4_096 * 3 / 2), "{parts:?}");
    assert_eq!(parts.iter().sum::<usize>(), 40_000);
    assert_eq!(bench.owner.sink.taken(), 2, "and what overtook it");
}

#[test]
fn leaves_are_not_written_again_before_clickhouse_has_taken_them() {
    let mut bench = Bench::new(64);
    bench.is_past(false);
    bench.watermark(1);
    bench.event(1, 5_000);
    bench.write(0);
    bench.event(1, 6_000);
    bench.write(5);
    assert_eq!(bench.rows().len(), 2, "the first round is still under way");
    bench.write(6);
    assert!(bench.rows().is_empty(), "it took six seconds: the next waits for ten");
    bench.write(10);
    assert!(!bench.rows().is_empty());
}

#[test]
fn a_mark_counts_when_its_tick_is_over() {
    let mut bench = Bench::new(64);
    bench.event(1, 5_000);
    let mark = |part| Mark { watermark: 60_000, to: 0, part, domain: LIVE };
    bench.owner.wait(7, &mut [0, 1, 2].map(mark).to_vec());
    bench.owner.close(|time| time >= 7);
    bench.write(0);
    assert!(bench.rows().is_empty(), "something sent before the mark may still come");
    bench.owner.close(|time| time > 7);
    bench.write(1);
    assert_eq!(bench.rows(), [(0, true), (0, true)]);
}

#[test]
fn the_past_waits_for_a_clickhouse_that_is_slow_and_not_for_one_that_is_away() {
    let mut bench = Bench::new(3);
    // More than three times its share, all of it closed, and more rows than there is room for.
    for area in 0..80_000 {
        bench.event(area, 5_000);
    }
    bench.watermark(60_000);
    assert!(bench.write(1), "no room for all");
    assert!(bench.shared.is_pressed());
    assert!(bench.write(70));
    assert!(!bench.shared.is_pressed(), "it is away");
    bench.rows();
    assert!(bench.write(71));
    assert!(bench.shared.is_pressed(), "it takes rows again");
    while bench.write(72) {
        bench.rows();
    }
    assert!(!bench.shared.is_pressed(), "everything is written");
    // While all is live nothing waits. What was written is forgotten by then.
    bench.rows();
    bench.is_past(false);
    bench.watermark(800_000);
    for area in 0..80_000 {
        bench.event(area, 800_000);
    }
    bench.watermark(900_000);
    assert!(bench.write(80));
    assert!(!bench.shared.is_pressed());
}

#[test]
fn without_clickhouse_and_without_checkpoints_all_reading_waits_before_memory_ends() {
    let mut bench = Bench::new(1);
    bench.is_past(false);
    bench.event(1, 5_000);
    bench.write(20);
    assert!(!bench.shared.is_pressed());
    for area in 0..80_000 {
        bench.event(area, 5_000);
    }
    bench.write(70);
    assert!(!bench.shared.is_pressed(), "a checkpoint may still come");
    bench.write(81);
    assert!(bench.shared.is_pressed(), "six times its share, and no checkpoint to lend to");
}

#[test]
fn while_clickhouse_is_away_and_behind_nothing_stays_that_lies_in_a_checkpoint() {
    const MIB: usize = 1 << 20;
    let mut bench = Bench::new(8);
    bench.is_past(false);
    for area in 0..80_000 {
        bench.event(area, 5_000);
    }
    bench.watermark(60_000);
    bench.write(0);
    // All of it lies in a checkpoint.
    bench.owner.windows.copy(0);
    bench.write(5);
    assert!(bench.owner.windows.bytes() > 4 * MIB, "it will be taken soon");
    bench.write(70);
    assert!(bench.owner.windows.bytes() < MIB, "{}", bench.owner.windows.bytes());
    // It takes rows again. More is written at once, while what was lent is still on its way back.
    bench.rows();
    for area in 0..80_000 {
        bench.event(area, 65_000);
    }
    bench.watermark(130_000);
    bench.owner.windows.copy(0);
    assert!(bench.write(71), "no room for all");
    assert!(bench.owner.windows.bytes() < MIB, "what closed since waits in its checkpoint too");
    bench.rows();
    let mut second = 72;
    while bench.write(second) {
        bench.rows();
        second += 1;
    }
    assert!(bench.owner.windows.bytes() < MIB, "{}", bench.owner.windows.bytes());
}

#[test]
fn a_change_of_a_window_that_is_gone_is_counted() {
    let mut bench = Bench::new(64);
    bench.watermark(crate::windows::KEEP_MS + 60_000);
    bench.event(1, 59_999);
    bench.event(1, 60_000);
    bench.write(10);
    assert_eq!(bench.shared.metrics.windows_refused.get(), 1);
}

/// Keys in the copies made of shards, and whether all are made.
fn copied(pieces: &mut PiecesOut) -> (usize, bool) {
    let (mut keys, mut done) = (0, false);
    for (_, said) in pieces.all() {
        match said {
            Said::Piece(_, Some(Body::Windows(copy))) => {
                let form = ShardForm::read(&copy.write(Vec::new())).expect("as it was written");
                keys += form.entries.len();
            }
            Said::Done => done = true,
            _ => {}
        }
    }
    (keys, done)
}

#[test]
fn what_comes_after_a_cut_counts_at_once_and_is_not_in_it() {
    let (pieces, mut said) = checkpoint::way();
    let mut bench = Bench::new(64);
    bench.is_past(false);
    bench.event(1, 5_000);
    bench.owner.cut(&pieces);
    bench.event(1, 6_000);
    bench.event(2, 6_000);
    bench.watermark(60_000);
    bench.write(20);
    assert_eq!(bench.rows().len(), 4, "panes and minutes of both areas, before the cut is written");
    assert_eq!(copied(&mut said), (1, true));
    bench.event(3, 61_000);
    bench.owner.cut(&pieces);
    bench.event(4, 61_000);
    assert_eq!(copied(&mut said), (2 + 1, true), "the minute that was closed, and the new one without what came later");
    bench.owner.cut(&pieces);
    assert_eq!(copied(&mut said), (1, true), "the one that came since");
}

#[test]
fn what_comes_from_behind_a_cut_waits_for_it() {
    let (pieces, mut said) = checkpoint::way();
    let mut bench = Bench::new(64);
    bench.is_past(false);
    bench.event(1, 5_000);
    bench.owner.deltas(1, &mut vec![delta(2, 5_000)]);
    bench.owner.cut(&pieces);
    assert_eq!(copied(&mut said), (1, true));
    bench.watermark(60_000);
    bench.write(20);
    assert_eq!(bench.rows().len(), 4, "it counts once the cut is made");
}
