//! What speaks in the benchmark: 200,000 entities of three kinds, a fifth of them hot.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

/// One entity in so many is hot: together they send four fifths of the events.
const HOT: u32 = 5;

/// A kind and its values.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) values: [&'static str; 2],
    /// Usual range of each value, in hundredths.
    usual: [(i64, i64); 2],
    /// Ranges of the rare values rules are about, in hundredths.
    rare: [(i64, i64); 2],
}

/// The three kinds; an entity's kind is its number modulo three.
pub(super) const KINDS: [Kind; 3] = [
    Kind {
        name: "vehicle",
        values: ["speed", "heading"],
        usual: [(0, 6_000), (0, 35_999)],
        rare: [(8_000, 14_000), (0, 35_999)],
    },
    Kind {
        name: "air",
        values: ["pm25", "no2"],
        usual: [(1_000, 7_500), (500, 6_000)],
        rare: [(15_000, 50_000), (0, 100)],
    },
    Kind {
        name: "noise",
        values: ["laeq", "lamax"],
        usual: [(3_500, 6_500), (5_000, 8_000)],
        rare: [(8_000, 11_000), (1_000, 3_000)],
    },
];

/// One value in so many is a rare one.
const RARE: u32 = 2_000;

/// Steps of a degree that positions are sent in.
pub(super) const DEGREE: i64 = 1_000_000;

/// An entity: where it is, in millionths of a degree.
#[derive(Clone, Copy)]
pub(super) struct Entity {
    pub(super) lon: i64,
    pub(super) lat: i64,
}

/// One event before it becomes text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) number: u64,
    pub(super) entity: u32,
    /// Epoch milliseconds.
    pub(super) time: i64,
    pub(super) lon: i64,
    pub(super) lat: i64,
    /// Hundredths.
    pub(super) values: [i64; 2],
}

impl Event {
    /// Its kind's number.
    pub(super) fn kind(&self) -> usize {
        self.entity as usize % KINDS.len()
    }

    /// The position in degrees.
    pub(super) fn position(&self) -> [f64; 2] {
        [self.lon as f64 / DEGREE as f64, self.lat as f64 / DEGREE as f64]
    }
}

/// The number of the entity, of so many, that speaks next.
pub(super) fn speaker(rng: &mut ChaCha8Rng, entities: u32) -> u32 {
    let hot = entities / HOT;
    if rng.random_range(0..5) < 4 { rng.random_range(0..hot) } else { rng.random_range(hot..entities) }
}

/// The values of an event of this kind.
pub(super) fn values(kind: &Kind, rng: &mut ChaCha8Rng) -> [i64; 2] {
    let rare = rng.random_range(0..RARE) == 0;
    let [first, second] = if rare { kind.rare } else { kind.usual };
    [rng.random_range(first.0..=first.1), rng.random_range(second.0..=second.1)]
}

/// How a message is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As most devices do.
    Usual,
    /// Fields the other way round.
    Other,
    /// With fields nobody asked for.
    Unknown,
}

/// Writes the event as JSON of 250 to 280 bytes.
pub(super) fn write(event: &Event, order: Order, out: &mut String) {
    out.clear();
    let Some(kind) = KINDS.get(event.kind()) else { return };
    let name = kind.name;
    let source = Source { kind: name, number: event.entity };
    let (lon, lat) = (Fraction(event.lon, 6), Fraction(event.lat, 6));
    let [(v0, n0), (v1, n1)] =
        [(Fraction(event.values[0], 2), kind.values[0]), (Fraction(event.values[1], 2), kind.values[1])];
    let (number, time) = (event.number, event.time);
    let values = format_args!("\"values\":{{\"{n0}\":{v0},\"{n1}\":{v1}}}").to_string();
    // Writing to a String cannot fail.
    let done = match order {
        Order::Usual => write!(
            out,
            "{{\"id\":\"{number:012}\",\"source\":\"{source}\",\"kind\":\"{name}\",\"time\":{time},\"position\":{{\"lon\":{lon},\"lat\":{lat},\
             \"accuracy_m\":5}},{values},\"attributes\":{{\"model\":\"gw-2400-lte\",\"firmware\":\"4.12.7-stable\"}}}}"
        ),
        Order::Other => write!(
            out,
            "{{{values},\"time\":{time},\"position\":{{\"lat\":{lat},\"lon\":{lon},\"accuracy_m\":5}},\"attributes\":{{\"firmware\":\"4.12.7-stable\",\
             \"model\":\"gw-2400-lte\"}},\"kind\":\"{name}\",\"source\":\"{source}\",\"id\":\"{number:012}\"}}"
        ),
        Order::Unknown => write!(
            out,
            "{{\"id\":\"{number:012}\",\"source\":\"{source}\",\"kind\":\"{name}\",\"time\":{time},\"battery\":87,\"net\":{{\"rssi\":-71}},\
             \"position\":{{\"lon\":{lon},\"lat\":{lat},\"accuracy_m\":5}},{values},\"attributes\":{{\"model\":\"gw-2400\"}}}}"
        ),
    };
    debug_assert!(done.is_ok(), "a text takes every text");
}

/// An entity's id.
pub(super) struct Source {
    pub(super) kind: &'static str,
    pub(super) number: u32,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "shanghai-pudong-{}-{:06}", self.kind, self.number)
    }
}

/// A whole number of decimal fractions, as a number.
struct Fraction(i64, u32);

impl std::fmt::Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scale = 10i64.pow(self.1);
        let (sign, whole) = (if self.0 < 0 { "-" } else { "" }, self.0.abs());
        write!(f, "{sign}{}.{:0width$}", whole / scale, whole % scale, width = self.1 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::decode::Decoder;

    #[test]
    fn messages_have_the_size_that_was_promised_and_are_read_alike() {
        let event = Event {
            number: 2_999_999,
            entity: 123_457,
            time: 1_763_940_000_000,
            lon: 121_473_701,
            lat: 31_030_416,
            values: [4_321, 27_150],
        };
        let mut texts = Vec::new();
        for order in [Order::Usual, Order::Other, Order::Unknown] {
            let mut text = String::new();
            write(&event, order, &mut text);
            assert!((250..=280).contains(&text.len()), "{}: {text}", text.len());
            texts.push(text);
        }
        for text in &texts {
            let read = Decoder::observations().observation(text.as_bytes()).expect("a good message");
            assert_eq!(read.time_ms, event.time);
            let position = read.position.expect("position");
            assert_eq!([position.lon, position.lat], event.position());
            assert_eq!(read.values.iter().map(|(_, value)| value.0).collect::<Vec<_>>(), [43_210_000, 271_500_000]);
        }
    }
}
