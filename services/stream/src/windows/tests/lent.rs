//! `CKP-6`: what is lent to checkpoints and read back, at any moment, changes no row; nor does a kill in between.

use super::*;
use crate::checkpoint::{Renumber, ShardForm};

/// What a worker may do besides reading.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// What was handed out before is known to be in ClickHouse, or not.
    Checkpoint(bool),
    /// What may be lent that owes so much at most.
    Lend(Owed),
    /// Reads back what is wanted, so many at most.
    Back(usize),
    Emit,
    /// Time goes on.
    Advance(i64),
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        any::<bool>().prop_map(Step::Checkpoint),
        prop::sample::select(vec![Owed::Nothing, Owed::Closed, Owed::Changed]).prop_map(Step::Lend),
        (1usize..4).prop_map(Step::Back),
        Just(Step::Emit),
        (0i64..120_000).prop_map(Step::Advance),
    ];
    prop::collection::vec((0usize..120, step), 0..80)
}

/// Owners with a checkpoint folder, and what they have handed out.
struct Town {
    run: Run,
    mode: Mode,
    watermark: i64,
    /// Pieces of the newest checkpoint: start of the minute, shard, whether it came since the rest was lent.
    lain: BTreeMap<(i64, u16, bool), Vec<u8>>,
    /// What is known to be in ClickHouse, and the last chunk of it.
    there: Emitted,
    taken: u32,
    /// Asked for, not read yet.
    wanted: Vec<(i64, u16)>,
    lent: usize,
    back: usize,
}

impl Town {
    fn new(owners: usize, mode: Mode) -> Self {
        let (mut run, lain, wanted) = (Run::new(owners), BTreeMap::new(), Vec::new());
        run.owners.iter_mut().for_each(|owner| owner.chunk = 1);
        Self { run, mode, watermark: 0, lain, there: Emitted::new(), taken: 0, wanted, lent: 0, back: 0 }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Checkpoint(taken) => self.checkpoint(taken),
            Step::Lend(most) => {
                self.lent += self.run.owners.iter_mut().map(|owner| owner.lend_beyond(0, most)).sum::<usize>()
            }
            Step::Back(most) => self.read_back(most),
            Step::Emit => self.run.emit(self.mode),
            Step::Advance(by) => {
                self.run.flush();
                // Not so far that what is still to be read comes too late.
                self.watermark = (self.watermark + by).min(KEEP_MS);
                self.run.owners.iter_mut().for_each(|owner| owner.advance(0, self.watermark));
            }
        }
        for owner in &mut self.run.owners {
            self.wanted.extend(owner.wanted());
        }
    }

    fn checkpoint(&mut self, taken: bool) {
        self.run.flush();
        if taken {
            self.taken = self.run.owners.iter().map(|owner| owner.chunk).max().unwrap_or(0);
            self.there = self.run.kept.clone();
        }
        let mut lain = BTreeMap::new();
        for owner in &mut self.run.owners {
            owner.chunk += 1;
            for copied in owner.copy(self.taken) {
                let section = (copied.start, copied.shard, copied.more);
                let written = copied.body.map(|copy| copy.write(Vec::new()));
                let body = written.unwrap_or_else(|| self.lain[&section].clone());
                lain.insert(section, body);
            }
        }
        self.lain = lain;
    }

    fn read_back(&mut self, most: usize) {
        for _ in 0..most.min(self.wanted.len()) {
            let (start, shard) = self.wanted.remove(0);
            let form = ShardForm::read(&self.lain[&(start, shard, false)]).expect("read");
            self.run.owner(shard).take_back(start, shard, &form);
            self.back += 1;
        }
    }

    /// Until nothing is owed any more.
    fn settle(&mut self) {
        self.run.flush();
        self.step(Step::Advance(400_000));
        loop {
            self.step(Step::Emit);
            if self.wanted.is_empty() {
                break;
            }
            self.step(Step::Back(usize::MAX));
        }
    }
}

proptest! {
    #[test]
    fn what_is_lent_and_read_back_changes_no_row(
        events in events(),
        steps in steps(),
        owners in 1usize..3,
        live in any::<bool>(),
        killed in prop::option::of(1usize..3),
    ) {
        let mut town = Town::new(owners, if live { Mode::Live } else { Mode::CatchUp });
        let mut done = 0;
        for (number, event) in events.iter().enumerate() {
            town.run.read(event);
            for (_, step) in steps.iter().filter(|(at, _)| *at == number) {
                town.step(*step);
                if matches!(step, Step::Checkpoint(_)) {
                    done = number + 1;
                }
            }
        }
        if let Some(owners) = killed {
            // From the newest checkpoint on, as if nothing after it had come to ClickHouse, nor what was under way.
            let mut again = Town::new(owners, town.mode);
            for ((start, shard, _), body) in &town.lain {
                let form = ShardForm::read(body).expect("read");
                again.run.owner(*shard).know_sketched([SKETCHED].into());
                again.run.owner(*shard).restore(*start, *shard, form, &Renumber::same(2));
            }
            again.run.kept = std::mem::take(&mut town.there);
            events[done..].iter().for_each(|event| again.run.read(event));
            town = again;
        }
        town.settle();
        let rows: Table = town.run.kept.iter().map(|(key, (seen, _))| (*key, seen.clone())).collect();
        prop_assert_eq!(rows, naive(&events));
    }
}

#[test]
fn what_is_lent_takes_no_memory_and_is_read_back_when_its_rows_can_be_written() {
    let mut town = Town::new(1, Mode::CatchUp);
    let events: Vec<Event> = (0..100).map(|number| event(1 + number % 5, i64::from(number) * 6_000, 3)).collect();
    events.iter().for_each(|event| town.run.read(event));
    town.step(Step::Advance(700_000));
    town.step(Step::Lend(Owed::Changed));
    assert_eq!(town.lent, 0, "nothing is in a checkpoint yet");
    town.step(Step::Checkpoint(false));
    let before = town.run.owners[0].bytes();
    town.step(Step::Lend(Owed::Changed));
    assert!(town.lent > 10 && town.run.owners[0].bytes() < before / 50, "{} of {before}", town.run.owners[0].bytes());
    town.run.owners[0].forget(u32::MAX);
    assert_eq!(town.run.owners[0].minutes.len(), 10, "what is owed is not forgotten");
    // Some more comes, and is saved beside what is lent; so it was at the kill, too.
    town.run.read(&event(1, 500, 9));
    town.step(Step::Checkpoint(false));
    assert!(town.lain.keys().any(|(.., more)| *more));
    town.settle();
    assert!(town.back > 10);
    let all: Vec<Event> = events.into_iter().chain([event(1, 500, 9)]).collect();
    let rows: Table = town.run.kept.iter().map(|(key, (seen, _))| (*key, seen.clone())).collect();
    assert_eq!(rows, naive(&all));
    town.run.owners[0].advance(0, 600_000 + KEEP_MS);
    town.run.owners[0].forget(u32::MAX);
    assert!(town.run.owners[0].minutes.is_empty());
}

#[test]
fn rows_of_closed_windows_may_wait_in_a_checkpoint_and_those_that_changed_stay() {
    let mut town = Town::new(1, Mode::CatchUp);
    (0..40).for_each(|number| town.run.read(&event(1 + number % 5, 500, 3)));
    town.step(Step::Advance(100_000));
    town.step(Step::Emit);
    (0..40).for_each(|number| town.run.read(&event(1 + number % 5, 60_500, 3)));
    town.run.read(&event(1, 900, 9));
    town.step(Step::Advance(200_000));
    town.step(Step::Checkpoint(false));
    let minutes = |town: &Town| town.run.owners[0].minutes.values().map(|minute| minute.bytes()).collect::<Vec<_>>();
    let before = minutes(&town);
    town.step(Step::Lend(Owed::Closed));
    let [first, second] = minutes(&town)[..] else { panic!("two minutes") };
    assert!(first > 0 && first < before[0] && second == 0, "{first} of {before:?}");
    town.settle();
    assert!(town.back > 0);
}

#[test]
fn what_was_written_may_be_lent_again_at_once_unless_something_came() {
    let mut town = Town::new(1, Mode::CatchUp);
    (0..40).for_each(|number| town.run.read(&event(1 + number % 5, 500, 3)));
    town.step(Step::Checkpoint(false));
    town.step(Step::Advance(100_000));
    town.step(Step::Lend(Owed::Nothing));
    assert_eq!(town.lent, 0, "its rows are owed");
    town.step(Step::Lend(Owed::Changed));
    let lent = town.lent;
    assert!(lent > 1);
    town.step(Step::Emit);
    town.step(Step::Back(usize::MAX));
    assert_eq!(town.back, lent);
    town.step(Step::Lend(Owed::Changed));
    assert_eq!(town.lent, lent, "it came back to be written");
    town.step(Step::Emit);
    town.step(Step::Lend(Owed::Nothing));
    assert_eq!(town.lent, 2 * lent);
    town.run.read(&event(1, 900, 9));
    town.run.flush();
    town.settle();
    let back = town.back - lent;
    assert!((1..lent).contains(&back), "{back} of {lent}");
    town.step(Step::Lend(Owed::Changed));
    assert_eq!(town.lent, 2 * lent, "what came is in no checkpoint");
    town.step(Step::Checkpoint(true));
    town.step(Step::Lend(Owed::Nothing));
    assert_eq!(town.lent, 2 * lent + back);
}
