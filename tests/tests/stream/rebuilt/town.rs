//! A town with an archive: what was sent in it, what a stream that nothing happened to makes of it, and how its logs are cut.

use crate::stream::cluster::rows;
use crate::stream::oracle::{Dice, Recount, events, publish_beats, recount, reports, until_all_said, until_equal};
use crate::stream::*;
use crate::support::{Archive, query};
use gridwarden_bus::{Offsets, topics::REPORTS};
use gridwarden_tests::wire::Wire;
use std::collections::BTreeSet;

const RULE_SET: [(&str, &str); 2] = [
    (
        "hot",
        r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"minor","select":{"kinds":["air"]},
            "threshold":{"value":"t","side":"above","level":50,"clear":-50}}"#,
    ),
    (
        "in-q",
        r#"{"id":"in-q","version":1,"title":{"en":"In q"},"severity":"minor",
            "fence":{"shape":{"area":{"layer":"beats","code":"q"}},"on":"enter"}}"#,
    ),
];

/// In how many goes, and how many observations of many values in each.
const MUCH: (usize, usize) = (4, 2_000);

/// A town with an archive, and what was sent in it.
pub(super) struct Town {
    pub(super) parts: Parts,
    pub(super) city: City,
    pub(super) producer: Producer,
    pub(super) archive: Archive,
    dice: Dice,
    pub(super) sent: u64,
}

impl Town {
    pub(super) async fn make(test: &'static str) -> Self {
        Self::over(test, Parts::named(test)).await
    }

    /// Over a broker or an engine of its own.
    pub(super) async fn over(test: &'static str, parts: Parts) -> Self {
        let producer = topics(&parts).await;
        publish_beats(&producer).await;
        for (id, rule) in RULE_SET {
            publish_rule(&producer, id, Some(rule)).await;
        }
        let city = City::make(test);
        city.publish(&producer).await;
        let archive = Archive::start(&parts, &city).await;
        Self { parts, city, producer, archive, dice: Dice(7), sent: 0 }
    }

    /// Sends observations and reports, in a few goes.
    pub(super) async fn send(&mut self, observations: usize, of_reports: usize) {
        for _ in 0..5 {
            send(&self.producer, OBSERVATIONS, &events(&mut self.dice, observations / 5)).await;
            send(&self.producer, REPORTS, &reports(&mut self.dice, of_reports / 5)).await;
        }
        self.sent += (observations + of_reports) as u64;
    }

    /// Sends so much that, halved, it does not come through a narrow door in one answer. Most of it lies nowhere, and has many values.
    async fn send_much(&mut self) {
        for _ in 0..MUCH.0 {
            self.send(500, 50).await;
            let many: Vec<_> = (0..MUCH.1).map(|_| long(&mut self.dice)).collect();
            send(&self.producer, OBSERVATIONS, &many).await;
            self.sent += many.len() as u64;
        }
    }

    pub(super) async fn until_archived(&self) {
        until_count(&self.parts, "SELECT count() FROM archived_offsets", self.sent).await;
    }

    /// A stream that nothing happened to, from the logs' beginning, with a database of its own; what it has come to.
    pub(super) async fn undisturbed(&self, recounted: &Recount) -> Outcome {
        let fresh = City { folder: self.city.folder.with_file_name("undisturbed").join("city") };
        std::fs::create_dir_all(&fresh.folder).expect("folder");
        std::fs::copy(self.city.folder.join("city.toml"), fresh.folder.join("city.toml")).expect("city.toml");
        let mut other = self.parts.clone();
        other.clickhouse.database = format!("{}_undisturbed", self.parts.clickhouse.database);
        let stream = Stream::start(&other, &fresh).await;
        stream.until_conserved(self.sent).await;
        until_equal(&other, recounted).await;
        until_all_said(&stream).await;
        let decided = stream.figure("gridwarden_stream_alerts_total").await;
        assert!(decided > 50.0, "{decided}");
        let entities = until_settled(&other).await;
        let counts = counts(&stream).await;
        stream.stop().await;
        Outcome { decided, entities, rows: rows(&other).await, counts }
    }

    /// Much is sent, and then all of it, or most, lies in the archive alone: what it comes to by a recount and by a stream that nothing
    /// happened to, and how many records are read from the archive.
    pub(super) async fn much_from_the_archive(&mut self) -> (Recount, Outcome, f64) {
        self.send_much().await;
        self.until_archived().await;
        let recounted = recount(&self.parts).await;
        let undisturbed = self.undisturbed(&recounted).await;
        let left = self.cut(|partition| [1.0, 0.8][partition as usize % 2]).await;
        (recounted, undisturbed, (self.sent - left) as f64)
    }

    /// Where each partition of a topic ends.
    pub(super) async fn ends(&self, topic: &'static str) -> Vec<(i32, i64)> {
        let kafka = self.parts.kafka.clone();
        let ask = move || {
            let count = topic_meta(&kafka, topic).expect("meta").partitions;
            let all: Vec<_> = (0..count).map(|partition| (topic, partition)).collect();
            Offsets::open(&kafka).expect("offsets").ends(&all).expect("ends")
        };
        (0i32..).zip(tokio::task::spawn_blocking(ask).await.expect("thread")).collect()
    }

    /// Cuts each partition's log behind a share of what it holds; how many records are left.
    pub(super) async fn cut(&self, share: impl Fn(i32) -> f64) -> u64 {
        self.cut_of(OBSERVATIONS, &share).await + self.cut_of(REPORTS, &share).await
    }

    /// The same of one topic alone.
    pub(super) async fn cut_of(&self, topic: &'static str, share: impl Fn(i32) -> f64) -> u64 {
        let mut left = 0;
        for (partition, end) in self.ends(topic).await {
            let below = (end as f64 * share(partition)) as i64;
            if below > 0 {
                let name = self.parts.kafka.full_name(topic);
                Wire::connect(&self.parts.kafka.bootstrap).delete_records(&name, partition, below);
            }
            left += (end - below) as u64;
        }
        left
    }
}

/// An observation with as many values as there may be, more or less, of which no two are alike.
fn long(dice: &mut Dice) -> (String, String) {
    let source = format!("l{}", dice.roll(64));
    let value = |number: usize| format!(r#""v{number}":{}"#, dice.roll(2_000_000_000) as f64 / 1000.0);
    let values = (0..60).map(value).collect::<Vec<_>>().join(",");
    let time = gridwarden_runtime::clock::now_ms();
    let text = format!(r#"{{"source":"{source}","kind":"air","time":{time},"values":{{{values}}}}}"#);
    (source, text)
}

/// What a stream has come to.
pub(super) struct Outcome {
    pub(super) decided: f64,
    pub(super) entities: String,
    /// Windows, sketches and entities, as they are written.
    pub(super) rows: [String; 3],
    pub(super) counts: [u64; 5],
}

pub(super) async fn counts(stream: &Stream) -> [u64; 5] {
    let metrics = stream.get("/metrics").await;
    ["accepted", "duplicate", "late", "rejected", "too_late_for_windows"]
        .map(|name| sum(&metrics, &format!("gridwarden_stream_records_{name}_total")) as u64)
}

async fn entities(parts: &Parts) -> String {
    let sql = "SELECT * FROM entity_latest ORDER BY kind, source";
    query(parts, sql).await
}

/// Waits until these are the rows, byte by byte.
pub(super) async fn until_rows(parts: &Parts, wanted: &Outcome) {
    until_entities(parts, &wanted.entities).await;
    let found = rows(parts).await;
    for (found, wanted) in found.iter().zip(&wanted.rows) {
        let wrong = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
        assert!(found == wanted, "{wrong:#?}");
    }
}

/// Latest states once they no longer change: what is read is written within a moment.
async fn until_settled(parts: &Parts) -> String {
    let mut before = String::new();
    let begun = Instant::now();
    loop {
        let now = entities(parts).await;
        if !now.is_empty() && now == before {
            return now;
        }
        assert!(begun.elapsed() < SOON, "they go on changing");
        before = now;
        // Longer than rows wait in the stream and in its writer.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

pub(super) async fn until_entities(parts: &Parts, expected: &str) {
    wait::until_async("latest states", SOON, || async {
        let found = entities(parts).await;
        let differ = found.lines().zip(expected.lines()).find(|(is, should)| is != should);
        if found == expected { Ok(()) } else { Err(format!("{differ:?}")) }
    })
    .await;
}

/// Alerts open in the topic, and that nothing was ever retracted.
pub(super) async fn open(parts: &Parts) -> BTreeSet<String> {
    let said = alerts_of(parts).await;
    assert!(said.iter().all(|alert| alert.transition != Transition::Retracted), "{said:#?}");
    let mut open = BTreeSet::new();
    for alert in said {
        if alert.transition == Transition::Raised {
            open.insert(alert.id)
        } else {
            open.remove(&alert.id)
        };
    }
    open
}

/// Waits until a checkpoint was begun and written after this moment.
pub(super) async fn until_checkpoint(stream: &Stream) {
    let name = "gridwarden_stream_checkpoints_total";
    let written = stream.figure(name).await;
    stream.until(name, written + 2.0).await;
}
