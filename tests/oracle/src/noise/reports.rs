//! Reports: what people say is wrong somewhere, at a position, in an area they name, or nowhere.

use super::{Event, Message, again, how_late, keep, place};
use crate::Log;
use crate::dice::Dice;
use std::collections::{HashMap, VecDeque};

/// Over so many lanes reports are spread.
const LANES: u64 = 600;

/// Areas as people name them: with a layer or without, on every level, and some that are nowhere.
const AREAS: [&str; 8] = ["grid/c1", "c2", "west", "grid/C", "beats/p", "beats/lone", "lone", "else/c1"];

/// Where reports come in.
#[derive(Default)]
pub(super) struct Desk {
    taken: u64,
    recent: HashMap<u64, VecDeque<Message>>,
}

impl Desk {
    /// One report: a new one, one that comes again, or what is none.
    pub(super) fn report(&mut self, dice: &mut Dice, now: i64) -> Event {
        let lane = dice.roll(LANES);
        let recent = self.recent.entry(lane).or_default();
        let of_thousand = dice.roll(1_000);
        self.taken += 1;
        let id = format!("r{}", self.taken);
        let repeated = if (10..20).contains(&of_thousand) { again(dice, recent) } else { None };
        let message = match (of_thousand, repeated) {
            (0..10, _) => (id.clone(), malformed(dice, &id, now)),
            (_, Some(repeated)) => repeated,
            _ => {
                let time = now - how_late(dice, of_thousand);
                keep(recent, (id.clone(), say(dice, &id, time).into_bytes()))
            }
        };
        Event { log: Log::Reports, lane: lane as u32, message }
    }
}

fn say(dice: &mut Dice, id: &str, time: i64) -> String {
    let channel = one(dice, &["officer", "hotline", "citizen", "patrol"]);
    let (kind, code) = (one(dice, &["component", "event"]), one(dice, &["0101", "0102", "0203"]));
    let [lon, lat] = place(dice).map(|degrees| format!("{degrees:.4}"));
    let position = format!(r#","position":{{"lon":{lon},"lat":{lat}}}"#);
    let area = format!(r#","area":"{}""#, one(dice, &AREAS));
    let place = match dice.roll(10) {
        0 => String::new(),
        1..4 => area,
        // Where both are said the position counts.
        4 => position + &area,
        _ => position,
    };
    let by = dice.roll(40);
    format!(
        r#"{{"id":"{id}","channel":"{channel}","class":{{"catalogue":"chaos","kind":"{kind}","code":"{code}"}},"time":{time}{place},"description":"rubbish, {code}","attributes":{{"by":"g{by}"}}}}"#
    )
}

fn one<'a>(dice: &mut Dice, of: &[&'a str]) -> &'a str {
    of.get(dice.roll(of.len() as u64) as usize).copied().unwrap_or_default()
}

fn malformed(dice: &mut Dice, id: &str, now: i64) -> Vec<u8> {
    let class = r#""class":{"catalogue":"chaos","kind":"event","code":"0101"}"#;
    let text = match dice.roll(6) {
        0 => r#"{"id":"#.to_owned(),
        1 => format!(r#"{{"id":"{id}","channel":"hotline","time":{now}}}"#),
        2 => format!(r#"{{"id":"{id}","channel":"hotline",{class},"time":{}}}"#, now + 300_000),
        3 => format!(r#"{{"id":"{id}","channel":"hotline",{class},"time":{now},"position":{{"lon":0,"lat":-91}}}}"#),
        4 => format!(r#"{{"id":"{id}","channel":"rumour",{class},"time":{now}}}"#),
        _ => format!(r#"{{"channel":"hotline",{class},"time":{now}}}"#),
    };
    text.into_bytes()
}
