//! Golden tracks: what a rule says of a track, in files a person can read (`services/stream/tracks/*.track`).
//!
//! ```text
//! What the track shows, in a sentence.
//!
//! {one rule document}
//! ---
//! 10:00:00 van 0.015 0.015            event time, entity, longitude, latitude
//! 10:00:05+20 van 0.025 0.015 acc=30  appended 20 s later; accuracy in metres; v=31 is a value; id=7 an id; kind=bus a kind
//! 10:01:00 van                        no position; on=1: in another partition; kind=report: a report, class=0301 its class
//! ---
//! 10:00:00 raised van, said 10:00:00  event time, and the append time of the record that let it be said
//! ```
//! The lateness is 10 s; the grid has the areas a (0 to 1 degrees) and b (1 to 2). Each track is run in one go, and with a restart
//! from a checkpoint after every record.

use super::{together::Crowd, *};
use std::path::Path;

/// The day of all tracks.
const BASE: i64 = 1_000 * DAY;

struct Track {
    rules: Vec<(String, String)>,
    /// Partition, append time, message.
    records: Vec<(u16, i64, String)>,
    expected: Vec<String>,
}

fn moment(text: &str) -> i64 {
    let parts: Vec<i64> = text.split(':').map(|part| part.parse().expect("HH:MM:SS")).collect();
    let [hours, minutes, seconds] = parts[..] else { panic!("{text} is not HH:MM:SS") };
    BASE + ((hours * 60 + minutes) * 60 + seconds) * 1000
}

fn clock(time_ms: i64) -> String {
    let seconds = (time_ms - BASE).div_euclid(1000);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn record(line: &str) -> (u16, i64, String) {
    let mut words = line.split_whitespace();
    let when = words.next().expect("a time");
    // A lag may be negative: a clock that runs fast.
    let (when, lag) = when.split_at(when.find(['+', '-']).unwrap_or(when.len()));
    let lag: i64 = if lag.is_empty() { 0 } else { lag.parse().expect("seconds") };
    let (time, source) = (moment(when), words.next().expect("an entity"));
    let (named, plain): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
    let find = |name: &str| named.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let kind = find("kind").unwrap_or("vehicle");
    let class = find("class").unwrap_or("0301");
    let is_report = kind == "report";
    let mut message = if is_report {
        let class = format!(r#"{{"catalogue":"c","kind":"event","code":"{class}"}}"#);
        format!(r#"{{"id":"{source}","channel":"hotline","class":{class},"time":{time}"#)
    } else {
        format!(r#"{{"source":"{source}","kind":"{kind}","time":{time}"#)
    };
    if let Some(id) = find("id") {
        message += &format!(r#","id":"{id}""#);
    }
    if let Some(value) = find("v") {
        message += &format!(r#","values":{{"v":{value}}}"#);
    }
    if let [lon, lat] = plain[..] {
        let accuracy = find("acc").map(|metres| format!(r#","accuracy_m":{metres}"#)).unwrap_or_default();
        message += &format!(r#","position":{{"lon":{lon},"lat":{lat}{accuracy}}}"#);
    }
    let on = if is_report { 2 } else { find("on").map_or(0, |part| part.parse().expect("a partition")) };
    (on, time + lag * 1000, message + "}")
}

fn read_track(text: &str) -> Track {
    let lines = |part: &str| -> Vec<String> {
        part.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let (head, rest) = text.split_once("\n\n").expect("an empty line after what it shows");
    assert!(!head.trim().is_empty(), "a track says what it shows");
    let parts: Vec<&str> = rest.split("\n---\n").collect();
    let [rules, records, expected] = parts[..] else { panic!("rules, records, alerts, with --- between") };
    let documents = serde_json::Deserializer::from_str(rules).into_iter::<serde_json::Value>();
    let rules = documents.map(|document| {
        let document = document.expect("a rule document");
        let text = document.to_string();
        gridwarden_domain::rule::read(text.as_bytes()).expect("a rule");
        (document["id"].as_str().expect("an id").to_owned(), text)
    });
    Track {
        rules: rules.collect(),
        records: lines(records).iter().map(|line| record(line)).collect(),
        expected: lines(expected),
    }
}

impl Track {
    fn timeline(&self) -> Arc<Timeline> {
        let rules: Vec<(&str, Option<&str>, i64)> =
            self.rules.iter().map(|(id, text)| (id.as_str(), Some(text.as_str()), 0)).collect();
        timeline_of(&[GRID], &rules)
    }

    /// The alerts it gives, in the words of the file.
    fn run(&self, restarts: bool) -> Vec<String> {
        let parts = self.records.iter().map(|(part, ..)| *part).collect();
        let mut desk = Crowd::new(self.timeline(), parts);
        let mut said = Vec::new();
        for (part, appended, message) in &self.records {
            desk.take(*part, *appended, message);
            said.extend(desk.alerts.drain(..).map(|alert| self.words(&alert)));
            if restarts {
                desk = desk.restarted();
            }
        }
        said
    }

    fn words(&self, alert: &gridwarden_domain::alert::Alert) -> String {
        let (_, source) = alert.subject.named();
        let rule = if self.rules.len() > 1 { format!(" by {}", alert.rule) } else { String::new() };
        let (time, appended) = (clock(alert.time), clock(alert.appended_at));
        format!("{time} {} {source}{rule}, said {appended}", alert.transition.as_str())
    }
}

#[test]
fn every_track_gives_the_alerts_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tracks");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect("the folder of tracks") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let track = std::panic::catch_unwind(|| read_track(&text)).unwrap_or_else(|_| panic!("{name} cannot be read"));
        for (restarts, way) in [(false, "in one go"), (true, "with restarts")] {
            let said = track.run(restarts);
            if said != track.expected {
                wrong.push(format!(
                    "{name} {way}:\n  {}\nand not\n  {}",
                    said.join("\n  "),
                    track.expected.join("\n  ")
                ));
            }
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(seen >= 40, "{seen} tracks; some are gone");
}
