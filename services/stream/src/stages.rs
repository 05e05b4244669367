//! The way of an event without Kafka, ClickHouse and other threads, for benchmarks: the very intake and windows of the dataflow, called
//! one after the other, or as two operators of a dataflow. Sums for the areas above are made, but not handed on.

use crate::{
    cluster::{Seat, others_of},
    feeds::{Domains, Feeds},
    intake::{Intake, Outbox, Record},
    intern::{MetricNames, Views, Whereabouts},
    metrics::Metrics,
    rules::{Books, Limits},
    shared::{IdLimits, Lore, Part, Progress, Shared, Topic, World},
    table_order::TableOrder,
    windows::{AHEAD, Delta, LIVE, Mode, Row, Windows, sketch::Sketches},
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
        let world = World {
            topics: vec![topic],
            parts,
            feeds: Feeds::of(city),
            domains: Domains::new(vec![usize::from(PARTITIONS)]),
            lateness_ms: i64::from(city.limits.lateness_s) * 1000,
            max_age_ms: i64::from(city.limits.max_age_days) * 86_400_000,
            ids: IdLimits { of_source: defaults.ids_per_source, reports: defaults.report_ids_per_partition },
            timezone: city.timezone.clone(),
            sketches: Sketches::default(),
            quarantine: Default::default(),
            simulated: city.simulated,
            generation: 1,
        };
        let lore = Lore {
            names: Arc::new(MetricNames::default()),
            views: Views::default(),
            books: Books::restored(Limits { shapes_mib: defaults.fences_mib }, &[]),
            whereabouts: Whereabouts::default(),
        };
        let metrics = Metrics::new(&Registry::new())?;
        let progress = vec![Progress::in_the_past()];
        let others = others_of(Seat { process: 0, processes: 1, workers: 1 });
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
                apply(&mut self.windows, &out.deltas);
            }
            out.deltas.clear();
            out.alerts.clear();
        }
        changes
    }

    /// Takes messages as a dataflow of one worker; how many changes of windows came to them.
    pub fn through_timely(self, messages: &Messages) -> Result<u64> {
        let Self { shared, intake, windows } = self;
        let (messages, applied) = (Arc::clone(messages), Arc::new(Mutex::new(0)));
        let (hold, count) = (Mutex::new(Some((intake, windows))), Arc::clone(&applied));
        let guards = timely::execute(timely::Config::thread(), move |worker| {
            let Some((mut intake, mut windows)) = hold.lock().unwrap_or_else(PoisonError::into_inner).take() else {
                return;
            };
            let (shared, messages, count) = (Arc::clone(&shared), Arc::clone(&messages), Arc::clone(&count));
            worker.dataflow::<u64, _, _>(|scope| {
                let deltas =
                    source::<_, CapacityContainerBuilder<Vec<Delta>>, _, _>(scope, "read", |capability, info| {
                        let activator = scope.activator_for(info.address);
                        let (mut capability, mut next, mut out) = (Some(capability), 0, Outbox::default());
                        move |output| {
                            let Some(held) = &mut capability else { return };
                            let batch = messages.get(next..messages.len().min(next + BATCH)).unwrap_or_default();
                            next += batch.len();
                            take(&mut intake, &shared, batch, &mut out);
                            out.alerts.clear();
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
                        apply(&mut windows, data);
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
        Ok(applied)
    }

    /// Rows of all windows there are, sorted as the table is; how many. What an event's share of making and encoding rows costs.
    pub fn rows(&mut self, mut encode: impl FnMut(&str, i64, u64)) -> u64 {
        self.windows.advance(LIVE, i64::MAX / 2);
        let (mut rows, mut order) = (Vec::<Row>::new(), TableOrder::default());
        while !self.windows.emit_closed(Mode::CatchUp, 200_000, &mut rows) {}
        let names = &self.shared.lore.names;
        self.shared.lore.views.names.with(|areas| {
            order.sort(&rows, areas, |metric| names.name(metric));
            for row in order.of(&rows) {
                if let Some(area) = areas.get(row.area as usize) {
                    encode(&area.code, row.start_ms, row.aggregate.count);
                }
            }
        });
        rows.len() as u64
    }
}

fn take(intake: &mut Intake, shared: &Shared, batch: &[(u16, i64, i64, Vec<u8>)], out: &mut Outbox) {
    let records = batch.iter().map(|(part, offset, appended, payload)| Record {
        part: *part,
        offset: *offset,
        appended: *appended,
        payload: Some(payload),
        feed: None,
        end: None,
        content_type: None,
        simulated: false,
        origin: None,
        #[cfg(debug_assertions)]
        fault: None,
    });
    intake.take_known(shared, records, i64::MAX, std::iter::empty(), out);
}

fn apply(windows: &mut Windows, deltas: &[Delta]) {
    for chunk in deltas.chunks(AHEAD) {
        windows.look_ahead(chunk);
        for delta in chunk {
            windows.apply(delta);
        }
    }
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
        assert_eq!(stages().through_timely(&messages).expect("a dataflow"), 10_000);
    }
}
