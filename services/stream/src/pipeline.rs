//! The dataflow: one per process, the same on every worker.
//!
//! ```text
//!            ┌─ Delta ──── by shard ──┐
//!  source ───┼─ Partial ── by shard ──┼─▶ owner ─▶ rows, alerts over several entities
//!  (reads)   ├─ Sighting ─ by rule ───┤
//!            └─ Mark ───── to all ────┘
//! ```
//! Timely's time is [`Tick`]: checkpoint number, then tick. It orders nothing but marks: deltas and sums are applied as they
//! come, a mark counts once the frontier has passed the tick it was sent at, when all that was sent before it has come.

use crate::{
    cluster::{Clock, Records, allocators},
    owner::{Owner, Says},
    sink::RowSink,
    source::{Next, Source, SourceContext},
    together::{InForce, Sighting},
    wake::Wakers,
    windows::{Delta, Mark, Partial},
};
use anyhow::{Result, anyhow};
use gridwarden_bus::control::CLOCK_MARGIN_MS;
use gridwarden_runtime::seeded::seeded;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use timely::communication::Config as Communication;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::{OutputBuilder, builder_rc::OperatorBuilder};
use timely::dataflow::{Scope, Stream};
use timely::worker::Worker;

/// Cuts made × 2^40 + tick.
type Tick = u64;

/// The first time after so many cuts.
fn after(cuts: u32) -> Tick {
    u64::from(cuts) << 40
}

type Flow<'scope, D> = Stream<'scope, Tick, Vec<D>>;
type Builder<D> = CapacityContainerBuilder<Vec<D>>;

/// How long to wait before looking again for room in a full channel, or for the control topics.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How far the frontier may be behind before reading waits.
const FAR_AHEAD_MS: u64 = 5_000;

/// The exit code of a process whose worker panicked, as the binary's own.
const PANICKED: i32 = 101;

/// What the dataflow is made of.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) context: SourceContext,
    /// One per worker.
    pub(crate) rows: Vec<RowSink>,
    pub(crate) wakers: Wakers,
    pub(crate) clock: Clock,
    /// The first failure of a worker.
    pub(crate) failure: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Plan {
    fn fail(&self, error: anyhow::Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.context.shutdown.trigger("a worker failed");
        self.wakers.wake();
    }

    fn tick(&self, now: Instant) -> Tick {
        self.clock.run_ms(now) / self.context.config.tick_ms.max(1)
    }

    fn until_next_tick(&self, now: Instant) -> Duration {
        let tick_ms = self.context.config.tick_ms.max(1);
        Duration::from_millis(tick_ms - self.clock.run_ms(now) % tick_ms)
    }

    /// Whether what was sent does not come through to the owners, in other processes, as fast as it is read: then reading waits, or
    /// what is under way would fill the memory.
    fn is_far_ahead(&self) -> bool {
        if self.context.seat.is_alone() {
            return false;
        }
        let frontier = self.context.shared.frontier();
        frontier.is_some_and(|frontier| is_far(self.tick(Instant::now()), frontier, self.context.config.tick_ms))
    }
}

/// Whether a frontier is far behind a tick, however many cuts were made.
fn is_far(tick: Tick, frontier: Tick, tick_ms: u64) -> bool {
    let behind = tick.saturating_sub(frontier & (after(1) - 1));
    behind.saturating_mul(tick_ms) > FAR_AHEAD_MS
}

/// Runs the dataflow until the shutdown, with other processes where there are connections to them. Blocks.
pub(crate) fn run(plan: &Plan, records: Option<Records>) -> Result<()> {
    let seat = plan.context.seat;
    let (builders, guard) = match records {
        Some(records) => allocators(seat, records)?,
        None if seat.workers == 1 => Communication::Thread.try_build().map_err(|error| anyhow!(error))?,
        None => Communication::Process(seat.workers).try_build().map_err(|error| anyhow!(error))?,
    };
    // Spinning buys nothing here and costs a core.
    let worker = timely::WorkerConfig::default().idle_spin(Duration::ZERO);
    let own = plan.clone();
    let work = move |worker: &mut Worker| guarded(worker.index(), || work(worker, &own));
    let guards = timely::execute::execute_from(builders, guard, worker, work);
    let guards = guards.map_err(|error| anyhow!(error))?;
    for outcome in guards.join() {
        outcome.map_err(|error| anyhow!(error))?;
    }
    plan.failure.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

/// A worker that panics leaves the others parked for ever, so it takes the process with it; the supervisor starts anew.
fn guarded(worker: usize, work: impl FnOnce()) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if outcome.is_err() {
        tracing::error!(worker, "a worker panicked, the process ends");
        std::process::exit(PANICKED);
    }
}

fn work(worker: &mut Worker, plan: &Plan) {
    let (index, peers) = (worker.index(), worker.peers());
    let local = plan.context.seat.local(index);
    let source = match Source::open(plan.context.clone(), index) {
        Ok(source) => Some(source),
        Err(error) => {
            plan.fail(error);
            None
        }
    };
    let owner = plan.rows.get(local).map(|rows| {
        let context = &plan.context;
        let ends = (rows.clone(), context.loans.clone());
        let control = Arc::clone(&context.control);
        let in_force = move || {
            // First how far it is known, then what is known.
            let known_until = control.covered_until_ms().saturating_add(CLOCK_MARGIN_MS);
            InForce { timeline: control.timeline(), known_until }
        };
        let says = Says { alerts: context.alerts.clone(), in_force: Box::new(in_force) };
        let seats = (local, index, peers);
        let mut owner = Owner::new(Arc::clone(&context.shared), context.config.clone(), ends, says, seats);
        context.restored.fill_together(|shard| usize::from(shard) % peers == index, owner.together_mut());
        context.restored.fill_windows(|shard| usize::from(shard) % peers == index, owner.windows_mut());
        owner
    });
    worker.dataflow::<Tick, _, _>(|scope| {
        let read = read(scope, plan.clone(), source);
        own(scope, plan, owner, read);
    });
    while worker.has_dataflows() {
        worker.step_or_park(None);
    }
}

type Read<'scope> = (Flow<'scope, Delta>, Flow<'scope, Partial>, Flow<'scope, Sighting>, Flow<'scope, Mark>);

/// Capabilities of the source's outputs.
struct Held(Vec<Capability<Tick>>);

impl Held {
    fn time(&self) -> Tick {
        self.0.first().map_or(Tick::MAX, |capability| *capability.time())
    }

    fn downgrade(&mut self, tick: Tick) {
        for capability in &mut self.0 {
            capability.downgrade(&tick);
        }
    }
}

/// The source on this worker.
fn read<'scope>(scope: Scope<'scope, Tick>, plan: Plan, source: Option<Source>) -> Read<'scope> {
    let mut builder = OperatorBuilder::new("read".to_owned(), scope);
    let address = builder.operator_info().address;
    let (deltas_out, deltas) = builder.new_output::<Vec<Delta>>();
    let (partials_out, partials) = builder.new_output::<Vec<Partial>>();
    let (sightings_out, sightings) = builder.new_output::<Vec<Sighting>>();
    let (marks_out, marks) = builder.new_output::<Vec<Mark>>();
    let mut deltas_out = OutputBuilder::<Tick, Builder<Delta>>::from(deltas_out);
    let mut partials_out = OutputBuilder::<Tick, Builder<Partial>>::from(partials_out);
    let mut sightings_out = OutputBuilder::<Tick, Builder<Sighting>>::from(sightings_out);
    let mut marks_out = OutputBuilder::<Tick, Builder<Mark>>::from(marks_out);
    let activator = scope.activator_for(Rc::clone(&address));
    let wake = plan.wakers.add(scope.worker().sync_activator_for(address.to_vec()));
    // The bug shows where something is held: behind the cut of a worker that was sooner.
    let comes_late = seeded("held-records-saved") && scope.index() % 2 == 1;
    let mut source = source;
    if let Some(source) = &mut source {
        source.on_ready(move || {
            wake.activate().ok();
        });
    }
    builder.build(move |capabilities| {
        let mut held = Held(capabilities);
        let mut armed = Tick::MAX;
        move |_| {
            let Some(reading) = source.as_mut().filter(|source| !source.is_ending()) else {
                // Without capabilities the dataflow ends.
                held.0.clear();
                source = None;
                return;
            };
            let [delta_cap, partial_cap, sighting_cap, mark_cap] = held.0.as_slice() else { return };
            let next = if plan.is_far_ahead() { Ok(Next::Wait) } else { reading.read() };
            deltas_out.activate().session(delta_cap).give_iterator(reading.deltas());
            sightings_out.activate().session(sighting_cap).give_iterator(reading.sightings());
            let now = Instant::now();
            let is_cut = reading.is_cut_wanted();
            if is_cut && !seeded("sums-behind-the-cut") || reading.is_turn(now) {
                let (mut partials_out, mut marks_out) = (partials_out.activate(), marks_out.activate());
                let mut partials = partials_out.session(partial_cap);
                let mut marks = marks_out.session(mark_cap);
                reading.turn(now, |partial| partials.give(partial), |mark| marks.give(mark));
            }
            if is_cut {
                if comes_late {
                    std::thread::sleep(Duration::from_millis(20));
                }
                reading.cut();
            }
            // Only now, so that what was read goes out under the tick it was read in.
            let tick = after(reading.cuts()) + plan.tick(now);
            if tick > held.time() {
                reading.settle();
                held.downgrade(tick);
            }
            if let Some(again) = reading.copy_on(now) {
                activator.activate_after(again);
            }
            match next {
                Ok(Next::Again) => activator.activate(),
                Ok(Next::Wait) => {
                    if armed != tick {
                        armed = tick;
                        activator.activate_after(plan.until_next_tick(now));
                    }
                }
                Err(error) => plan.fail(error),
            }
        }
    });
    (deltas, partials, sightings, marks)
}

/// How many cuts were made when a message was sent.
fn cuts_of(time: Option<&Tick>) -> u32 {
    time.map_or(0, |time| (time >> 40) as u32)
}

/// The owner of windows on this worker.
fn own<'scope>(scope: Scope<'scope, Tick>, plan: &Plan, owner: Option<Owner>, input: Read<'scope>) {
    let Some(mut owner) = owner else { return };
    let (deltas, partials, sightings, marks) = input;
    let mut builder = OperatorBuilder::new("windows".to_owned(), scope);
    let address = builder.operator_info().address;
    let mut deltas = builder.new_input(deltas, Exchange::new(|delta: &Delta| u64::from(delta.shard)));
    let mut partials = builder.new_input(partials, Exchange::new(|partial: &Partial| u64::from(partial.shard)));
    let mut sightings = builder.new_input(sightings, Exchange::new(|sighting: &Sighting| u64::from(sighting.to)));
    let mut marks = builder.new_input(marks, Exchange::new(|mark: &Mark| u64::from(mark.to)));
    let activator = scope.activator_for(Rc::clone(&address));
    let config = &plan.context.config;
    let write_every = Duration::from_millis(config.write_ms.min(config.first_ms));
    let shutdown = plan.context.shutdown.clone();
    let pieces = plan.context.pieces.clone();
    let (shared, index) = (Arc::clone(&plan.context.shared), plan.context.seat.local(scope.index()));
    plan.wakers.add(scope.worker().sync_activator_for(address.to_vec()));
    builder.build(move |_capabilities| {
        let mut armed = Instant::now();
        move |frontiers| {
            deltas.for_each(|capability, data| owner.deltas(cuts_of(capability.least()), data));
            partials.for_each(|capability, data| owner.partials(cuts_of(capability.least()), data));
            sightings.for_each(|capability, data| owner.sightings(cuts_of(capability.least()), data));
            marks.for_each(|capability, data| {
                let time = capability.least().copied().unwrap_or_default();
                owner.wait(time, data);
            });
            let is_open = |time: Tick| frontiers.iter().any(|frontier| frontier.less_equal(&time));
            let earliest = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min();
            shared.set_frontier(index, earliest);
            let goes_on = earliest.is_some();
            loop {
                let next_cut = after(owner.cuts() + 1);
                let is_complete = goes_on && !is_open(next_cut - 1);
                owner.close(|time| time >= next_cut || is_open(time));
                if !is_complete {
                    break;
                }
                owner.cut(&pieces);
            }
            let now = Instant::now();
            if shutdown.is_triggered() {
                return;
            }
            let again = now + if owner.write(now) { LOOK_AGAIN } else { write_every };
            // One timer at a time: each that is set would set the next, for ever.
            if now >= armed || again < armed {
                armed = again;
                activator.activate_after(again - now);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_frontier_is_far_behind_after_seconds_whatever_cuts_were_made() {
        assert!(!is_far(1_000, after(3) + 1_000, 50) && !is_far(1_000, after(3) + 1_200, 50));
        assert!(!is_far(1_000, after(3) + 900, 50));
        assert!(is_far(1_000, after(3) + 899, 50) && is_far(1_000, 0, 50));
    }

    const IN_CHILD: &str = "GRIDWARDEN_TEST_PANICS";

    /// In a process of its own: in this one the test would end.
    #[test]
    fn a_panic_in_one_worker_ends_the_process_though_others_wait() {
        if std::env::var_os(IN_CHILD).is_some() {
            let config = timely::Config { communication: Communication::Process(2), ..timely::Config::thread() };
            let guards = timely::execute(config, |worker| {
                let index = worker.index();
                guarded(index, || {
                    worker.dataflow::<Tick, _, _>(|scope| {
                        use timely::dataflow::operators::generic::source;
                        source::<_, Builder<u64>, _, _>(scope, "held", move |capability, _| {
                            let held = capability;
                            move |_| assert!(index == 0 || *held.time() > 0, "on purpose")
                        });
                    });
                    while worker.has_dataflows() {
                        worker.step_or_park(None);
                    }
                });
            });
            // Without the guard this waits for ever.
            drop(guards);
            std::process::exit(0);
        }
        let own = std::env::current_exe().expect("a running test has a path");
        let name = "pipeline::tests::a_panic_in_one_worker_ends_the_process_though_others_wait";
        let mut child = Command::new(own)
            .args(["--exact", name])
            .env(IN_CHILD, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let begun = Instant::now();
        let code = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status.code();
            }
            if begun.elapsed() > Duration::from_secs(30) {
                child.kill().expect("a child");
                panic!("it waits for ever");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(code, Some(PANICKED));
    }
}
