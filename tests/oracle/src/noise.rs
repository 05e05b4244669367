//! What is sent: a made-up city's noise, observations and, one in ten, reports.
//!
//! 5 % of the events are late (some for windows, some altogether), 1 % repeat an id, 1 % are malformed.

mod reports;

use crate::dice::Dice;
use crate::{Log, Plan};
use reports::Desk;
use std::collections::VecDeque;

const DAY_MS: i64 = 86_400_000;
/// Messages of a source, or of a lane of reports, that may come again.
const RECENT: usize = 6;

/// Key and value.
type Message = (String, Vec<u8>);

/// A message that is to be sent.
pub(crate) struct Event {
    pub(crate) log: Log,
    /// Its partition is this one, modulo how many there are.
    pub(crate) lane: u32,
    pub(crate) message: Message,
}

/// A sensor that stands or something that moves.
struct Source {
    name: String,
    kind: &'static str,
    lane: u32,
    position: [f64; 2],
    number: u64,
    /// Whether it falls silent now and then, and until when it is.
    falls_silent: bool,
    silent_until: i64,
    recent: VecDeque<Message>,
}

/// Makes events.
pub(crate) struct Noise {
    dice: Dice,
    sources: Vec<Source>,
    desk: Desk,
    /// Of 10,000 readings so many are extreme.
    extreme: u64,
}

impl Noise {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut dice = Dice::new(plan.seed);
        let kinds = [("car", "car"), ("s", "air"), ("s", "noise")];
        let source = |(number, (name, kind)): (u32, (&str, &'static str))| Source {
            name: format!("{name}{number}"),
            kind,
            lane: number,
            position: place(&mut dice),
            number: 0,
            falls_silent: number.is_multiple_of(5),
            silent_until: 0,
            recent: VecDeque::new(),
        };
        let sources = (0..plan.sources).zip(kinds.into_iter().cycle()).map(source).collect();
        Self { dice, sources, desk: Desk::default(), extreme: plan.extreme_of_10000 }
    }

    /// One event; none from a source that is silent.
    pub(crate) fn event(&mut self, now: i64) -> Option<Event> {
        let dice = &mut self.dice;
        if dice.roll(10) == 0 {
            return Some(self.desk.report(dice, now));
        }
        let place_of = dice.roll(self.sources.len() as u64) as usize;
        let source = self.sources.get_mut(place_of)?;
        if source.silent_until > now {
            return None;
        }
        let of_thousand = dice.roll(1_000);
        let message = match of_thousand {
            0..10 => (source.name.clone(), malformed(dice, &source.name, now)),
            10..20 if !source.recent.is_empty() => again(dice, &source.recent)?,
            _ => {
                let time = now - how_late(dice, of_thousand);
                let text = source.say(dice, time, self.extreme).into_bytes();
                keep(&mut source.recent, (source.name.clone(), text))
            }
        };
        Some(Event { log: Log::Observations, lane: source.lane, message })
    }
}

impl Source {
    fn say(&mut self, dice: &mut Dice, time: i64, extreme: u64) -> String {
        if self.kind == "car" && dice.roll(20) == 0 {
            self.position = place(dice);
        }
        self.number += 1;
        let (name, kind) = (&self.name, self.kind);
        let id = if dice.roll(8) == 0 { String::new() } else { format!(r#""id":"{}","#, self.number) };
        let [lon, lat] = self.position.map(|degrees| format!("{degrees:.4}"));
        let place = match dice.roll(100) {
            0 => String::new(),
            _ => format!(r#""position":{{"lon":{lon},"lat":{lat}}},"#),
        };
        let extremity = dice.roll(10_000);
        let t = if extremity < extreme {
            100.0 + dice.roll(2_000) as f64 / 100.0
        } else if extremity < 2 * extreme {
            if self.falls_silent && dice.roll(2) == 0 {
                self.silent_until = time + 25_000;
            }
            -100.0 - dice.roll(2_000) as f64 / 100.0
        } else {
            dice.roll(6_000) as f64 / 100.0 - 20.0
        };
        let u = dice.roll(1_000);
        format!(r#"{{{id}"source":"{name}","kind":"{kind}","time":{time},{place}"values":{{"t":{t:.2},"u":{u}}}}}"#)
    }
}

/// One of those that may come again, if there are any.
fn again(dice: &mut Dice, recent: &VecDeque<Message>) -> Option<Message> {
    if recent.is_empty() {
        return None;
    }
    recent.get(dice.roll(recent.len() as u64) as usize).cloned()
}

fn keep(recent: &mut VecDeque<Message>, message: Message) -> Message {
    recent.push_back(message.clone());
    if recent.len() > RECENT {
        recent.pop_front();
    }
    message
}

/// Somewhere in or beside the town, never on a border.
fn place(dice: &mut Dice) -> [f64; 2] {
    [0.0005 + dice.roll(4_200) as f64 / 1_000.0, 0.0005 + dice.roll(1_000) as f64 / 1_000.0]
}

/// How long before now an event happened, in ms.
fn how_late(dice: &mut Dice, of_thousand: u64) -> i64 {
    (match of_thousand {
        20..50 => 10_000 + dice.roll(110_000),
        50..65 => 650_000 + dice.roll(600_000),
        65..70 => 8 * DAY_MS as u64 + dice.roll(10_000),
        _ => dice.roll(1_500),
    }) as i64
}

fn malformed(dice: &mut Dice, name: &str, now: i64) -> Vec<u8> {
    let text = match dice.roll(5) {
        0 => r#"{"source":"#.to_owned(),
        1 => format!(r#"{{"kind":"air","time":{now},"values":{{"t":1}}}}"#),
        2 => format!(r#"{{"source":"{name}","kind":"air","time":{},"values":{{"t":1}}}}"#, now + 300_000),
        3 => {
            format!(r#"{{"source":"{name}","kind":"air","time":{now},"position":{{"lon":999,"lat":0}},"values":{{}}}}"#)
        }
        _ => format!(r#"{{"source":"{name}","kind":"air","time":{now},"values":{{"t":"hot"}}}}"#),
    };
    text.into_bytes()
}
