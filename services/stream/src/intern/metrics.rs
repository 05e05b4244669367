//! Numbers of kinds and metrics. The metrics of a kind lie in groups of [`WIDTH`]: first the count of its events, then its
//! values in the order in which they were first seen.

use crate::{
    checkpoint::KindForm,
    cluster::{Ask, Authority, MetricForm, MetricOf, Tail},
    windows::WIDTH,
};
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Most kinds, and most values of one kind, that get windows. Beyond them events are kept but not aggregated, and counted:
/// a source that invents names must not fill the memory.
const MOST_KINDS: usize = 2_000;
const MOST_VALUES: usize = 1_000;

struct Kind {
    name: Arc<str>,
    values: HashMap<Box<str>, u32>,
    /// Where the next value goes.
    next: Option<u32>,
    count: u32,
}

/// What a metric is of.
#[derive(Clone)]
struct Metric {
    name: Arc<str>,
    kind: u16,
    value: Option<Arc<str>>,
}

#[derive(Default)]
struct Inner {
    kinds: Vec<Kind>,
    by_name: HashMap<Box<str>, u16>,
    metrics: Vec<Option<Metric>>,
    /// Metrics in the order they were made.
    made: Vec<u32>,
}

/// All kinds and metrics of the process.
#[derive(Default)]
pub(crate) struct MetricNames {
    inner: RwLock<Inner>,
    /// Who gives out numbers, when this process does not.
    authority: Option<Authority>,
}

impl MetricNames {
    /// The number of a kind, made if need be; none when there are too many.
    pub(crate) fn kind(&self, name: &str) -> Option<u16> {
        if let Some(number) = self.read().by_name.get(name) {
            return Some(*number);
        }
        match &self.authority {
            None => self.write().kind(name),
            Some(authority) => {
                self.ask(authority, Some((name.to_owned(), None)));
                self.read().by_name.get(name).copied()
            }
        }
    }

    /// A kind's name.
    pub(crate) fn kind_name(&self, kind: u16) -> Arc<str> {
        self.read().kinds.get(usize::from(kind)).map_or_else(|| "".into(), |kind| Arc::clone(&kind.name))
    }

    /// The metric that counts events of a kind.
    pub(crate) fn count(&self, kind: u16) -> u32 {
        self.read().kinds.get(usize::from(kind)).map_or(0, |kind| kind.count)
    }

    /// The metric of a kind's value, made if need be; none when there are too many.
    pub(crate) fn value(&self, kind: u16, name: &str) -> Option<u32> {
        if let Some(number) = self.read().kinds.get(usize::from(kind))?.values.get(name) {
            return Some(*number);
        }
        match &self.authority {
            None => self.write().value(kind, name),
            Some(authority) => {
                self.ask(authority, Some((self.kind_name(kind).to_string(), Some(name.to_owned()))));
                self.read().kinds.get(usize::from(kind))?.values.get(name).copied()
            }
        }
    }

    /// The metric's name as it stands in rows.
    pub(crate) fn name(&self, metric: u32) -> Option<Arc<str>> {
        self.look(metric, |metric| Arc::clone(&metric.name))
    }

    /// What the metric is of: kind and, unless it counts events, the value's name.
    pub(crate) fn parts(&self, metric: u32) -> Option<(u16, Option<Arc<str>>)> {
        self.look(metric, |metric| (metric.kind, metric.value.clone()))
    }

    fn look<R>(&self, metric: u32, take: impl Fn(&Metric) -> R) -> Option<R> {
        let find = || self.read().metrics.get(metric as usize)?.as_ref().map(&take);
        let found = find();
        match &self.authority {
            // Another process has met it.
            Some(authority) if found.is_none() => {
                self.ask(authority, None);
                find()
            }
            _ => found,
        }
    }

    /// Learns what was numbered since; what is wanted is numbered, unless there are too many.
    #[cold]
    fn ask(&self, authority: &Authority, wanted: Option<(String, Option<String>)>) {
        let from = self.read().made.len() as u32;
        if let Tail::Metrics { from, metrics } = authority.ask(Ask::Metrics { from, wanted }) {
            self.write().take_over(from, metrics);
        }
    }

    /// For another process: the metrics made after the first `from`, with what is wanted.
    pub(crate) fn tail(&self, from: u32, wanted: Option<(&str, Option<&str>)>) -> Vec<MetricForm> {
        if let Some((kind, value)) = wanted
            && let Some(kind) = self.kind(kind)
            && let Some(value) = value
        {
            // One too many is none, and not there.
            self.value(kind, value);
        }
        let inner = self.read();
        let form = |number: &u32| {
            let metric = inner.metrics.get(*number as usize)?.as_ref()?;
            let of = match &metric.value {
                None => MetricOf::Kind(metric.name.to_string()),
                Some(value) => MetricOf::Value(value.to_string()),
            };
            Some(MetricForm { metric: *number, kind: metric.kind, of })
        };
        inner.made.iter().skip(from as usize).filter_map(form).collect()
    }

    /// The same, with numbers given out by another process.
    pub(crate) fn asking(self, authority: Option<Authority>) -> Self {
        Self { authority, ..self }
    }

    /// For saving: kinds by number.
    pub(crate) fn saved(&self) -> Vec<KindForm> {
        let form = |kind: &Kind| KindForm {
            name: kind.name.to_string(),
            count: kind.count,
            next: kind.next,
            values: kind.values.iter().map(|(name, metric)| (name.to_string(), *metric)).collect(),
        };
        self.read().kinds.iter().map(form).collect()
    }

    /// As they were saved, with the numbers they had.
    pub(crate) fn restored(saved: &[KindForm]) -> Self {
        let mut inner = Inner::default();
        for (number, form) in (0u16..).zip(saved) {
            inner.put_back(number, form);
        }
        Self { inner: RwLock::new(inner), authority: None }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn kind(&mut self, name: &str) -> Option<u16> {
        if let Some(number) = self.by_name.get(name) {
            return Some(*number);
        }
        if self.kinds.len() >= MOST_KINDS {
            return None;
        }
        let number = self.kinds.len() as u16;
        let shared: Arc<str> = name.into();
        let count = self.group(Metric { name: Arc::clone(&shared), kind: number, value: None })?;
        self.kinds.push(Kind { name: shared, values: HashMap::new(), next: Some(count + 1), count });
        self.by_name.insert(name.into(), number);
        Some(number)
    }

    fn value(&mut self, kind: u16, name: &str) -> Option<u32> {
        let known = self.kinds.get(usize::from(kind))?;
        if let Some(number) = known.values.get(name) {
            return Some(*number);
        }
        if known.values.len() >= MOST_VALUES {
            return None;
        }
        let metric = Metric { name: format!("{}.{name}", known.name).into(), kind, value: Some(name.into()) };
        let number = match known.next {
            Some(number) => {
                *self.metrics.get_mut(number as usize)? = Some(metric);
                self.made.push(number);
                number
            }
            None => self.group(metric)?,
        };
        let next = number + 1;
        let known = self.kinds.get_mut(usize::from(kind))?;
        known.next = (!next.is_multiple_of(WIDTH as u32)).then_some(next);
        known.values.insert(name.into(), number);
        Some(number)
    }

    fn put_back(&mut self, number: u16, form: &KindForm) {
        let name: Arc<str> = form.name.as_str().into();
        let mut put = |metric: u32, value: Option<&str>| {
            let full = value.map_or_else(|| Arc::clone(&name), |value| format!("{name}.{value}").into());
            let place = metric as usize;
            let end = (place / WIDTH + 1) * WIDTH;
            self.metrics.resize_with(self.metrics.len().max(end), || None);
            if let Some(known) = self.metrics.get_mut(place) {
                *known = Some(Metric { name: full, kind: number, value: value.map(Into::into) });
            }
            self.made.push(metric);
        };
        put(form.count, None);
        form.values.iter().for_each(|(value, metric)| put(*metric, Some(value)));
        let values = form.values.iter().map(|(value, metric)| (value.as_str().into(), *metric)).collect();
        self.by_name.insert(form.name.as_str().into(), number);
        self.kinds.push(Kind { name, values, next: form.next, count: form.count });
    }

    /// Takes metrics numbered by another process; those before `from` are known, and may be more by now.
    fn take_over(&mut self, from: u32, metrics: Vec<MetricForm>) {
        let known = self.made.len().saturating_sub(from as usize);
        for MetricForm { metric, kind, of } in metrics.into_iter().skip(known) {
            match of {
                MetricOf::Kind(name) => {
                    let form = KindForm { name, count: metric, next: None, values: Vec::new() };
                    self.put_back(kind, &form);
                }
                MetricOf::Value(value) => {
                    let Some(kind_known) = self.kinds.get_mut(usize::from(kind)) else { continue };
                    kind_known.values.insert(value.as_str().into(), metric);
                    let name = format!("{}.{value}", kind_known.name).into();
                    let end = (metric as usize / WIDTH + 1) * WIDTH;
                    self.metrics.resize_with(self.metrics.len().max(end), || None);
                    if let Some(place) = self.metrics.get_mut(metric as usize) {
                        *place = Some(Metric { name, kind, value: Some(value.as_str().into()) });
                    }
                    self.made.push(metric);
                }
            }
        }
    }

    /// A new group that begins with `first`; none when group numbers are used up.
    fn group(&mut self, first: Metric) -> Option<u32> {
        let number = self.metrics.len();
        u16::try_from(number / WIDTH).ok()?;
        self.metrics.push(Some(first));
        self.metrics.resize_with(number + WIDTH, || None);
        self.made.push(number as u32);
        Some(number as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kinds_metrics_lie_together() {
        let names = MetricNames::default();
        let air = names.kind("air").unwrap();
        let noise = names.kind("noise").unwrap();
        let of = |name: &str| names.value(air, name).unwrap();
        assert_eq!([names.count(air), of("a"), of("b"), of("c")], [0, 1, 2, 3]);
        assert_eq!(names.count(noise), 4);
        assert_eq!([of("d"), of("e"), of("a")], [8, 9, 1]);
        assert_eq!(names.value(noise, "laeq"), Some(5));
        assert_eq!(names.name(9).as_deref(), Some("air.e"));
        assert_eq!(names.name(4).as_deref(), Some("noise"));
        assert_eq!(names.name(7), None);
        assert_eq!(names.parts(8), Some((air, Some("d".into()))));
        assert_eq!(names.kind("air"), Some(air));
    }

    #[test]
    fn saved_names_keep_their_numbers_and_go_on_from_there() {
        let names = MetricNames::default();
        let ask = |names: &MetricNames| {
            ["air", "noise", "air", "water"].map(|kind| {
                let kind = names.kind(kind).unwrap();
                (kind, names.count(kind), ["a", "b", "c", "d"].map(|value| names.value(kind, value)))
            })
        };
        let before = ask(&names);
        let again = MetricNames::restored(&names.saved());
        assert_eq!(ask(&again), before);
        let (kind, new) = (names.kind("gas").unwrap(), names.value(0, "e"));
        assert_eq!((again.kind("gas").unwrap(), again.value(0, "e")), (kind, new));
        assert_eq!(again.name(1), names.name(1));
    }

    /// A process that gives out numbers, and another that asks it.
    fn two() -> (Arc<MetricNames>, MetricNames) {
        let leads = Arc::new(MetricNames::default());
        leads.value(leads.kind("air").unwrap(), "a");
        let asked = Arc::clone(&leads);
        let follows = MetricNames::restored(&leads.saved()).asking(Some(Authority::new(move |ask| match ask {
            Ask::Metrics { from, wanted } => {
                let wanted = wanted.as_ref().map(|(kind, value)| (kind.as_str(), value.as_deref()));
                Tail::Metrics { from, metrics: asked.tail(from, wanted) }
            }
            other => panic!("{other:?}"),
        })));
        (leads, follows)
    }

    #[test]
    fn two_processes_number_alike_whoever_meets_a_name_first() {
        let (leads, follows) = two();
        // Each meets names the other has not met, in another order.
        let (noise, air) = (follows.kind("noise").unwrap(), leads.kind("air").unwrap());
        let x = follows.value(noise, "x").unwrap();
        let b = leads.value(air, "b").unwrap();
        leads.kind("water").unwrap();
        let e = ["c", "d", "e"].map(|name| follows.value(air, name).unwrap());
        assert_eq!(leads.kind("noise"), Some(noise));
        assert_eq!((leads.value(noise, "x"), leads.value(air, "b")), (Some(x), follows.value(air, "b")));
        assert_eq!(e.map(|metric| leads.name(metric)), ["air.c", "air.d", "air.e"].map(|name| Some(name.into())));
        assert_eq!(follows.kind("water"), leads.kind("water"));
        // A number that came from the other process, with a name not asked for yet.
        let late = leads.value(leads.kind("water").unwrap(), "level").unwrap();
        assert_eq!(follows.name(late).as_deref(), Some("water.level"));
        assert_eq!(follows.parts(b), leads.parts(b));
        let count = |names: &MetricNames, kind: &str| names.count(names.kind(kind).unwrap());
        assert_eq!(count(&follows, "noise"), count(&leads, "noise"));
    }

    #[test]
    fn limits_hold_over_all_processes() {
        let (leads, follows) = two();
        let air = leads.kind("air").unwrap();
        let half = |names: &MetricNames, from: usize| {
            (from..from + MOST_VALUES).filter(|number| names.value(air, &number.to_string()).is_some()).count()
        };
        assert_eq!(half(&leads, 0) + half(&follows, MOST_VALUES), MOST_VALUES - 1, "and the one named a");
    }

    #[test]
    fn invented_names_end_somewhere() {
        let names = MetricNames::default();
        let air = names.kind("air").unwrap();
        let given = (0..3 * MOST_VALUES).filter(|number| names.value(air, &number.to_string()).is_some()).count();
        assert_eq!(given, MOST_VALUES);
        let kinds = (0..3 * MOST_KINDS).filter(|number| names.kind(&number.to_string()).is_some()).count();
        assert_eq!(kinds, MOST_KINDS - 1);
    }
}
