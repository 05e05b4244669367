//! The way of an event without Kafka, ClickHouse and other threads, for benchmarks: the very intake and windows of the dataflow, called
//! one after the other, or as two operators of a dataflow. Sums for the areas above are made, but not handed on.

use crate::{
    checkpoint::Names,
    cluster::Others,
    intake::{Intake, Outbox, Record},
    metrics::Metrics,
    prepare::world,
    shared::{Lore, Part, Progress, Shared, Topic},
    table_order::TableOrder,
    windows::{Delta, LIVE, Row, Windows, sketch::Sketches},
};
use anyhow::{Result, anyhow};
use gridwarden_domain::{city::CityFile, control::Timeline, decode::Decoder, identity::TopicId};
use prometheus::Registry;
use std::sync::{Arc, Mutex, PoisonError};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::{Operator, source};

/// Messages of one partition each, in order: partition, offset, append time, text.
pub type Messages = Arc<Vec<(u16, i64, i64, Vec<u8>)>>;

/// Partitions there are.
pub const PARTITIONS: u16 = 12;
/// Messages taken at once.
const BATCH: usize = 4_096;

/// What is needed to take messages.
pub struct Stages {
    shared: Arc<Shared>,
    intake: Intake,
    windows: Windows,
}

/// How far messages go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Decoded, placed, weighed by rules, and made changes of windows.
    Deltas,
    /// In windows.
    Windows,
}

impl Stages {
    /// A city and what is in force in it.
    pub fn new(city: &CityFile, timeline: Arc<Timeline>) -> Result<Self> {
        let parts = (0..PARTITIONS).map(|partition| Part { topic: 0, partition: i32::from(partition) }).collect();
        let topic = Topic { name: "observations.v1".to_owned(), id: TopicId(1), decoder: Decoder::observations() };
        let defaults = crate::config(None)?.stream;
        let mut world = world(city, (vec![topic], parts), defaults.remembered());
        // What only some cities ask for is no part of the path.
        world.sketches = Sketches::default();
        let lore = Lore::restored(&Names::default(), defaults.fences_mib, jiff::tz::TimeZone::UTC, None);
        let metrics = Metrics::new(&Registry::new())?;
        let progress = vec![Progress::in_the_past()];
        let others = Others::none();
        let shared = Arc::new(Shared { world, lore, metrics, progress, others });
        let numbers: Vec<u16> = (0..PARTITIONS).collect();
        let mut intake = Intake::new(&shared, &numbers, defaults.most_entities);
        intake.set_timeline(timeline);
        Ok(Self { shared, intake, windows: Windows::from_chunk(1) })
    }

    /// Takes messages in a plain loop; how many changes of windows they made.
    pub fn plainly(&mut self, messages: &Messages, until: Until) -> u64 {
        let mut out = Outbox::default();
        let mut changes = 0;
        for batch in messages.chunks(BATCH) {
            take(&mut self.intake, &self.shared, batch, &mut out);
            changes += out.deltas.len() as u64;
            if until == Until::Windows {
                self.windows.apply_all(&out.deltas);
            }
            out.deltas.clear();
            out.alerts.clear();
            out.sightings.clear();
        }
        changes
    }

    /// Takes messages as a dataflow of one worker; how many changes of windows came to them, and what was made of them: to drop it takes
    /// as long as to make it, and is not the dataflow's.
    pub fn through_timely(self, messages: &Messages) -> Result<(u64, Made)> {
        let Self { shared, intake, windows } = self;
        let (messages, applied, made) = (Arc::clone(messages), Arc::new(Mutex::new(0)), Made::default());
        let (hold, count, kept) = (Mutex::new(Some((intake, windows))), Arc::clone(&applied), made.clone());
        let guards = timely::execute(timely::Config::thread(), move |worker| {
            let Some((intake, windows)) = hold.lock().unwrap_or_else(PoisonError::into_inner).take() else {
                return;
            };
            let (shared, messages, count) = (Arc::clone(&shared), Arc::clone(&messages), Arc::clone(&count));
            let mut intake = Kept { what: Some(intake), made: kept.clone() };
            let mut windows = Kept { what: Some(windows), made: kept.clone() };
            worker.dataflow::<u64, _, _>(|scope| {
                let deltas =
                    source::<_, CapacityContainerBuilder<Vec<Delta>>, _, _>(scope, "read", |capability, info| {
                        let activator = scope.activator_for(info.address);
                        let (mut capability, mut next, mut out) = (Some(capability), 0, Outbox::default());
                        move |output| {
                            let Some(held) = &mut capability else { return };
                            let batch = messages.get(next..messages.len().min(next + BATCH)).unwrap_or_default();
                            next += batch.len();
                            if let Some(intake) = &mut intake.what {
                                take(intake, &shared, batch, &mut out);
                            }
                            out.alerts.clear();
                            out.sightings.clear();
                            output.session(held).give_iterator(out.deltas.drain(..));
                            held.downgrade(&(*held.time() + 1));
                            if batch.is_empty() {
                                capability = None;
                            }
                            activator.activate();
                        }
                    });
                deltas.sink(Exchange::new(|delta: &Delta| u64::from(delta.shard)), "windows", move |(input, _)| {
                    input.for_each(|_, data| {
                        if let Some(windows) = &mut windows.what {
                            windows.apply_all(data);
                        }
                        *count.lock().unwrap_or_else(PoisonError::into_inner) += data.len() as u64;
                    });
                });
            });
            while worker.has_dataflows() {
                worker.step();
            }
        });
        for outcome in guards.map_err(|error| anyhow!(error))?.join() {
            outcome.map_err(|error| anyhow!(error))?;
        }
        let applied = *applied.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((applied, made))
    }

    /// Rows of all windows there are, sorted as the table is; how many. What an event's share of making and encoding rows costs.
    pub fn rows(&mut self, mut encode: impl FnMut(&str, i64, u64)) -> u64 {
        self.windows.advance(LIVE, i64::MAX / 2);
        let (mut rows, mut order) = (Vec::<Row>::new(), TableOrder::default());
        self.windows.emit_closed(usize::MAX, &mut rows);
        let names = &self.shared.lore.names;
        self.shared.lore.views.names.with(|areas| {
            for row in order.sorted(std::slice::from_ref(&rows), areas, |metric| names.name(metric)) {
                if let Some(area) = areas.get(row.area as usize) {
                    encode(&area.code, row.start_ms, row.aggregate.count);
                }
            }
        });
        rows.len() as u64
    }
}

/// What a dataflow made.
#[derive(Clone, Default)]
pub struct Made(Arc<Mutex<Vec<Box<dyn Send>>>>);

/// Something of a dataflow that outlives it.
struct Kept<T: Send + 'static> {
    what: Option<T>,
    made: Made,
}

impl<T: Send + 'static> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(what) = self.what.take() {
            self.made.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(what));
        }
    }
}

fn take(intake: &mut Intake, shared: &Shared, batch: &[(u16, i64, i64, Vec<u8>)], out: &mut Outbox) {
    let records = batch
        .iter()
        .map(|(part, offset, appended, payload)| Record::plain(*part, *offset, *appended, Some(payload.as_slice())));
    intake.take_known(shared, records, i64::MAX, std::iter::empty(), out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::tests::{city, timeline};

    #[test]
    fn the_dataflow_brings_what_the_loop_makes() {
        let messages: Messages = Arc::new(
            (0..10_000i64)
                .map(|number| {
                    let text = format!(
                        r#"{{"source":"s{}","kind":"air","time":{},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":{}}}}}"#,
                        number % 7,
                        100_000 + number,
                        number % 40
                    );
                    ((number % 12) as u16, number / 12, 111_000, text.into_bytes())
                })
                .collect(),
        );
        let stages = || Stages::new(&city(), timeline(0)).expect("stages");
        let mut plain = stages();
        assert_eq!(plain.plainly(&messages, Until::Windows), 10_000);
        let mut events = 0;
        assert!(plain.rows(|_, _, count| events += count) > 0 && events >= 20_000, "panes and minutes: {events}");
        assert_eq!(stages().through_timely(&messages).expect("a dataflow").0, 10_000);
    }
}
