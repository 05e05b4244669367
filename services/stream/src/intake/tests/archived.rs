//! `RBD-1`: what is archived is decided on as it was when it came from the log: reports, feeds of the past and their ends, rejects, and
//! what was sent again among it; wherever reading changes from the archive to the log.

use super::*;
use gridwarden_domain::{identity::RecordId, observation::Position, origin::Origin};
use proptest::prelude::*;

/// What stands in a log.
#[derive(Clone, Debug)]
struct Message {
    part: u16,
    appended: i64,
    text: Option<String>,
    feed: Option<&'static str>,
    /// Number of the record it was first.
    origin: Option<i64>,
    simulated: bool,
}

impl Message {
    fn origin(&self) -> Option<String> {
        let record = RecordId { topic_id: TopicId(9), partition: 0, offset: self.origin? };
        Some(Origin { record, first_seen: 5 }.to_string())
    }
}

/// Partition, step of its clock, what is said, of which origin, whether it is made up.
type Drawn = (u16, i64, (u8, u8, i64, Option<u8>, i32, u8), Option<i64>, bool);

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let said = (0u8..20, 0u8..3, -3_000i64..15_000, prop::option::of(0u8..12), -40i32..60, 0u8..20);
    let message = (0u16..3, -1_500i64..6_000, said, prop::option::weighted(0.2, 0i64..4), any::<bool>());
    prop::collection::vec(message, 1..120).prop_map(|items| {
        let mut clocks = [100 * DAY; 3];
        let message = |(part, step, (what, source, back, lon, value, id), origin, simulated): Drawn| {
            let clock = &mut clocks[usize::from(part)];
            *clock += step;
            let time = *clock - back;
            let place = lon.map_or(String::new(), |lon| format!(r#","position":{{"lon":{},"lat":0.5,"accuracy_m":3}}"#, f64::from(lon) * 0.2));
            let source = if source == 0 { "fixed".to_owned() } else { format!("s{part}-{source}") };
            let observed = |time: i64| {
                format!(r#"{{"id":"{id}","source":"{source}","kind":"air","time":{time}{place},"values":{{"t":{value}.125,"u":1e9}}}}"#)
            };
            let reported = |time: i64| {
                let place = if place.is_empty() { [r#","area":"a""#, r#","area":"grid/d""#, ""][usize::from(id % 3)] } else { &place };
                report(&id.to_string(), place).replace("100000", &time.to_string())
            };
            let usual = |time| if part == 2 { reported(time) } else { observed(time) };
            let (text, feed) = match what {
                0 => (Some("{".to_owned()), None),
                1 => (Some(usual(*clock + 61_000)), None),
                2 => (Some(usual(*clock - 8 * DAY)), None),
                3 => (Some(usual(*clock - 8 * DAY)), Some("past")),
                4 => (None, Some("past")),
                5 => (Some(usual(time)), Some("nobody's")),
                _ => (Some(usual(time)), None),
            };
            Message { part, appended: *clock, text, feed, origin, simulated }
        };
        items.into_iter().map(message).collect()
    })
}

/// The archive: of those that name one origin, the first that can be taken is archived.
#[derive(Default)]
struct Archive {
    taken: std::collections::BTreeSet<(u16, i64)>,
}

impl Archive {
    /// A record's row, made by another way than the service's: from what the decoders say.
    fn row(&mut self, shared: &Shared, message: &Message, offset: i64) -> Vec<u8> {
        let mut row = Row::of(&shared.world, message, offset);
        let topic = usize::from(message.part == 2);
        let Some(text) = &message.text else { return row.marker(message.feed.unwrap_or_default()) };
        let decoder = &shared.world.topics[topic].decoder;
        if topic == 1 {
            let said = match decoder.report(text.as_bytes()) {
                Ok(said) => said,
                Err(reason) => return row.reject(reason.code.as_str()),
            };
            return self.left_out(&mut row, message, said.time).unwrap_or_else(|| row.report(message, &said));
        }
        let said = match decoder.observation(text.as_bytes()) {
            Ok(said) => said,
            Err(reason) => return row.reject(reason.code.as_str()),
        };
        self.left_out(&mut row, message, said.time_ms).unwrap_or_else(|| row.observation(message, &said))
    }

    /// The row of a message that can be read and is not archived as what it says.
    fn left_out(&mut self, row: &mut Row, message: &Message, time: i64) -> Option<Vec<u8>> {
        if let Admission::Reject(_) = admit(time, message.appended, Some(7 * DAY)) {
            return Some(row.reject("future_time"));
        }
        let is_repeat = message.origin.is_some_and(|origin| !self.taken.insert((message.part, origin)));
        is_repeat.then(|| row.repeat())
    }
}

/// A row of the archive's log.
struct Row {
    head: Vec<u8>,
    appended: i64,
}

impl Row {
    fn of(world: &World, message: &Message, offset: i64) -> Self {
        let partition = world.parts[usize::from(message.part)].partition;
        let head = [&partition.to_le_bytes()[..], &offset.to_le_bytes()].concat();
        Self { head, appended: message.appended }
    }

    fn with(
        &mut self,
        (what, simulated): (u8, bool),
        time: i64,
        [feed, source, kind, id]: [&str; 4],
        position: Option<Position>,
    ) -> Vec<u8> {
        let mut row = std::mem::take(&mut self.head);
        row.push(what);
        row.extend_from_slice(&self.appended.to_le_bytes());
        row.extend_from_slice(&time.to_le_bytes());
        row.push(u8::from(simulated));
        [feed, "", source, kind, id].iter().for_each(|said| text(&mut row, said));
        match position {
            None => row.extend_from_slice(&[1, 1, 1]),
            Some(position) => {
                for degrees in [position.lon, position.lat] {
                    row.push(0);
                    row.extend_from_slice(&degrees.to_le_bytes());
                }
                row.push(u8::from(position.accuracy_m.is_none()));
                position.accuracy_m.iter().for_each(|metres| row.extend_from_slice(&metres.to_le_bytes()));
            }
        }
        row
    }

    fn end(mut row: Vec<u8>, values: &[(&str, f64)]) -> Vec<u8> {
        row.push(values.len() as u8);
        values.iter().for_each(|(name, _)| text(&mut row, name));
        row.push(values.len() as u8);
        values.iter().for_each(|(_, number)| row.extend_from_slice(&number.to_le_bytes()));
        row
    }

    fn observation(&mut self, message: &Message, said: &gridwarden_domain::observation::ObservationRef<'_>) -> Vec<u8> {
        // The archive writes down where a registered entity stands.
        let registered = || (said.source == "fixed").then_some(Position { lon: 1.5, lat: 0.5, accuracy_m: None });
        let position = said.position.or_else(registered);
        let id = said.id.as_deref().unwrap_or("");
        let row = self.with(
            (1, message.simulated),
            said.time_ms,
            [message.feed.unwrap_or(""), &said.source, &said.kind, id],
            position,
        );
        let values: Vec<_> = said.values.iter().map(|(name, value)| (name.as_ref(), value.to_f64())).collect();
        Self::end(row, &values)
    }

    fn report(&mut self, message: &Message, said: &gridwarden_domain::report::Report) -> Vec<u8> {
        let area =
            said.area.as_ref().map_or(String::new(), |area| format!("grid/{}", area.trim_start_matches("grid/")));
        let position = said.position;
        let area = if position.is_none() { area.as_str() } else { "" };
        let row = self.with(
            (2, message.simulated),
            said.time,
            [message.feed.unwrap_or(""), area, &said.class.code, &said.id],
            position,
        );
        Self::end(row, &[])
    }

    fn reject(&mut self, code: &str) -> Vec<u8> {
        let row = self.with((3, false), self.appended, ["", "", code, ""], None);
        Self::end(row, &[])
    }

    fn marker(&mut self, feed: &str) -> Vec<u8> {
        let row = self.with((4, false), self.appended, [feed, "", "", ""], None);
        Self::end(row, &[])
    }

    fn repeat(&mut self) -> Vec<u8> {
        let row = self.with((5, false), self.appended, ["", "", "", ""], None);
        Self::end(row, &[])
    }
}

fn text(row: &mut Vec<u8>, text: &str) {
    row.push(u8::try_from(text.len()).expect("short"));
    row.extend_from_slice(text.as_bytes());
}

/// What a desk has come to.
fn outcome(desk: &mut Desk) -> String {
    let alerts: Vec<String> = desk.out.alerts.iter().map(|alert| serde_json::to_string(alert).expect("json")).collect();
    let mut entities = Vec::new();
    desk.intake.drain_entities(10_000, 1, &mut entities);
    entities.sort_by_key(|entity| entity.at);
    let counts =
        ["read", "accepted", "late", "markers", "duplicate", "misrouted", "too late", "stepped back", "nowhere"];
    let counts = counts.map(|name| desk.count(name));
    let rejected = ["malformed", "future_time"].map(|code| desk.count(code));
    let next: Vec<_> = desk.intake.next_offsets().collect();
    format!("{alerts:#?}{:#?}{:?}{entities:?}{counts:?}{rejected:?}{next:?}", desk.totals(), desk.marks())
}

/// Reads the first so many from the archive, the others from the log.
fn read(messages: &[Message], archived: usize) -> Desk {
    let hot = ("hot", Some(HOT), 0);
    let now = r#"{"id":"now","version":1,"title":{"en":"x"},"severity":"minor","threshold":{"value":"t","side":"above","level":20}}"#;
    let in_b = r#"{"id":"in","version":1,"title":{"en":"x"},"severity":"minor",
        "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter"}}"#;
    let mut desk = Desk::with(timeline_of(&[GRID], &[hot, ("now", Some(now), 0), ("in", Some(in_b), 0)]));
    // Alerts say whether their record was made up, unless everything is.
    desk.shared.world.simulated = false;
    // What is forgotten in the stream is still known in the archive: no part of this.
    desk.shared.world.remembered.reports = 1_000;
    let mut archive = Archive::default();
    for (number, message) in messages.iter().enumerate() {
        let offset = desk.offsets.entry(message.part).or_default();
        let (at, origin) = (*offset, message.origin());
        *offset += 1;
        let row = archive.row(&desk.shared, message, at);
        let feed = message.feed.map(str::as_bytes);
        let said = message.text.as_ref().map(String::as_bytes);
        let record = if number < archived {
            let origin = origin.as_deref().map(str::as_bytes);
            let [feed, origin] = match row[12] {
                // Of these the archive knows neither.
                3 => [None, None],
                _ => [feed, origin],
            };
            Record::archived(
                message.part,
                &LogRecord {
                    partition: desk.shared.world.parts[usize::from(message.part)].partition,
                    offset: at,
                    appended_ms: message.appended,
                    row: &row,
                    feed: feed.unwrap_or_default(),
                    origin,
                    simulated: message.simulated,
                },
            )
        } else {
            Record {
                feed,
                end: if said.is_none() { feed } else { None },
                origin: origin.as_deref().map(str::as_bytes),
                simulated: message.simulated,
                ..Record::plain(message.part, at, message.appended, said)
            }
        };
        desk.intake.take_known(&desk.shared, std::iter::once(record), i64::MAX, std::iter::empty(), &mut desk.out);
    }
    desk
}

proptest! {
    #[test]
    fn the_archive_says_what_the_log_said(messages in messages(), archived in 0usize..120) {
        let from_log = outcome(&mut read(&messages, 0));
        prop_assert_eq!(outcome(&mut read(&messages, archived)), from_log.clone());
        prop_assert_eq!(outcome(&mut read(&messages, messages.len())), from_log);
    }
}

#[test]
fn a_row_nobody_can_read_is_rejected() {
    let mut desk = Desk::new();
    let record =
        LogRecord { partition: 0, offset: 0, appended_ms: 5, row: b"\x01", feed: b"", origin: None, simulated: false };
    desk.take_all(std::iter::once(Record::archived(0, &record)));
    assert_eq!((desk.count("read"), desk.count("malformed")), (1, 1));
}
