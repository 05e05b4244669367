//! Why a rule looks at an event or not, and what it sees. Pure; the same choices the operators make, one by one and with words.

use super::{
    book::Book,
    ready::{Body, Gathering, Ready, Who},
};
use gridwarden_domain::{
    observation::Position,
    rule::{Condition, Crossing, Fence, Shape, Side, together::When},
    value::Fixed,
};

/// An event, as it is asked about.
pub(crate) struct Event<'a> {
    /// Whom it is about.
    pub(crate) who: Who<'a>,
    /// Event time.
    pub(crate) time: i64,
    /// Where, if known.
    pub(crate) position: Option<Position>,
    /// Values by name.
    pub(crate) values: &'a [(&'a str, Fixed)],
}

/// One thing a rule asks of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Finding {
    /// It does not look at it.
    Out(Out),
    /// It looks at it, and it offends, or counts.
    In(String),
    /// It looks at it, and it does not offend, or ends an offence.
    Not(String),
}

/// Why a rule does not look at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    /// Another kind of entity.
    Kind,
    /// Another entity.
    Source,
    /// Another area.
    Area,
    /// Outside of its hours.
    Hours,
    /// It does not have the value.
    Value,
    /// It does not say where it is.
    Position,
    /// It says that it is too inaccurate.
    Accuracy,
    /// The rule looks at reports only.
    Reports,
}

impl Out {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Kind => "the rule selects other kinds",
            Self::Source => "the rule selects other entities",
            Self::Area => "it lies in none of the areas the rule selects",
            Self::Hours => "it lies outside the hours in which the rule looks",
            Self::Value => "it does not have the value the rule looks at",
            Self::Position => "it does not say where it is, and the registry does not know",
            Self::Accuracy => "its position is less accurate than the rule asks",
            Self::Reports => "the rule looks at reports only",
        }
    }
}

/// What a rule makes of an event.
pub(crate) fn explain(book: &Book, (slot, ready): (u32, &Ready), event: &Event<'_>) -> Finding {
    let is_to = |gathering: &Gathering| gathering.is_to(ready, &event.who);
    let also = matches!(&ready.body, Body::Together(gathering) if is_to(gathering));
    if let Some(out) = ready.refuses(&event.who).filter(|_| !also) {
        return Finding::Out(out);
    }
    if !ready.hold.looks_at(event.time) {
        return Finding::Out(Out::Hours);
    }
    match (&ready.rule.condition, &ready.body) {
        (Condition::Threshold(threshold), _) => {
            value_beyond((&threshold.value, threshold.side, threshold.level), event)
        }
        (Condition::Silence(silence), _) => {
            Finding::Not(format!("it spoke: it is silent if nothing follows within {} s", silence.after_s))
        }
        (Condition::Fence(fence), Body::Fence(_)) => of_fence(book, (slot, ready), fence, event),
        (Condition::Cluster(cluster), _) => match &cluster.when {
            None => Finding::Out(Out::Reports),
            Some(_) if event.position.is_none() => Finding::Out(Out::Position),
            Some(When { value, side, level }) => value_beyond((value, *side, *level), event),
        },
        (Condition::Window(window), _) if window.reports.is_some() => Finding::Out(Out::Reports),
        (Condition::Proximity(_), _) => counts(event, "it is one the rule measures distances of"),
        (Condition::Window(window), _) => match &window.value {
            Some(value) if value_of(value, event).is_none() => Finding::Out(Out::Value),
            _ => in_place(book, slot, event),
        },
        (Condition::Density(_), _) => in_place(book, slot, event),
        (Condition::Fence(_), _) => Finding::Out(Out::Position),
    }
}

fn value_of(name: &str, event: &Event<'_>) -> Option<Fixed> {
    event.values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn value_beyond((name, side, level): (&str, Side, f64), event: &Event<'_>) -> Finding {
    let (Some(value), Some(limit)) = (value_of(name, event), Fixed::from_f64(level)) else {
        return Finding::Out(Out::Value);
    };
    let value_is = value.to_f64();
    match (side, side.is_beyond(value, limit)) {
        (Side::Above, true) => Finding::In(format!("{name} = {value_is} is above {level}")),
        (Side::Above, false) => Finding::Not(format!("{name} = {value_is} is not above {level}")),
        (Side::Below, true) => Finding::In(format!("{name} = {value_is} is below {level}")),
        (Side::Below, false) => Finding::Not(format!("{name} = {value_is} is not below {level}")),
    }
}

fn counts(event: &Event<'_>, words: &str) -> Finding {
    if event.position.is_some() { Finding::In(words.to_owned()) } else { Finding::Out(Out::Position) }
}

/// Whether an event lies in an area the rule is filed under.
fn in_area(book: &Book, slot: u32, event: &Event<'_>) -> bool {
    event.who.areas.iter().any(|area| book.of_area(*area).contains(&slot))
}

/// Where an event is, for rules that count in places.
fn in_place(book: &Book, slot: u32, event: &Event<'_>) -> Finding {
    let Some(position) = event.position else { return Finding::Out(Out::Position) };
    let mut inside = in_area(book, slot, event);
    inside |= book.each.iter().any(|(_, each)| *each == slot) && !event.who.areas.is_empty();
    book.places_at([position.lon, position.lat], |hit| inside |= hit == slot);
    if inside {
        Finding::In("it counts: it lies in a place of the rule".to_owned())
    } else {
        Finding::Not("it lies in no place of the rule".to_owned())
    }
}

fn of_fence(book: &Book, (slot, ready): (u32, &Ready), fence: &Fence, event: &Event<'_>) -> Finding {
    let (Some(position), Body::Fence(border)) = (event.position, &ready.body) else {
        return Finding::Out(Out::Position);
    };
    if !border.trusts(position.accuracy_m) {
        return Finding::Out(Out::Accuracy);
    }
    if fence.on == Crossing::Cross {
        return Finding::Not(
            "one position alone crosses nothing: the rule looks at the way from the one before".to_owned(),
        );
    }
    let point = [position.lon, position.lat];
    let mut inside = in_area(book, slot, event);
    book.shapes_at(point, |hit| inside |= hit == slot);
    let place = match (inside, &fence.shape) {
        (true, _) => "it is inside".to_owned(),
        (false, Shape::Area(_)) => "it is outside".to_owned(),
        (false, _) => format!("it is {:.0} m outside", book.outside_m(border, point)),
    };
    match (fence.on, inside) {
        (Crossing::Enter, true) => Finding::In(format!("{place}: raised if it was outside before")),
        (Crossing::Exit, false) => Finding::In(format!("{place}: raised if it was inside before")),
        (Crossing::Dwell, true) => Finding::In(format!("{place}: raised once it has been for {} s", fence.hold_s)),
        (Crossing::Inside, true) => Finding::In(place),
        (Crossing::Speed, true) => of_speed(fence, event, &place),
        _ => Finding::Not(place),
    }
}

fn of_speed(fence: &Fence, event: &Event<'_>, place: &str) -> Finding {
    match fence.speed.as_ref().and_then(|speed| Some((speed.value.as_deref()?, speed.above_kmh))) {
        Some((value, above)) => value_beyond((value, Side::Above, above), event),
        None => Finding::Not(format!("{place}: how fast it is, only the way from the position before can tell")),
    }
}
