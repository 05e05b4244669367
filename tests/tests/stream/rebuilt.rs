//! `RBD-1…3`: where the log no longer holds what the state needs, the archive does: windows, latest states and alerts are those of a
//! stream that nothing happened to. What is in neither is counted.

use super::oracle::{Dice, Recount, events, publish_beats, recount, reports, until_all_said, until_equal};
use super::*;
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

/// A town with an archive, and what was sent in it.
struct Town {
    parts: Parts,
    city: City,
    producer: Producer,
    archive: Archive,
    dice: Dice,
    sent: u64,
}

impl Town {
    async fn make(test: &'static str) -> Self {
        let parts = Parts::named(test);
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
    async fn send(&mut self, observations: usize, of_reports: usize) {
        for _ in 0..5 {
            send(&self.producer, OBSERVATIONS, &events(&mut self.dice, observations / 5)).await;
            send(&self.producer, REPORTS, &reports(&mut self.dice, of_reports / 5)).await;
        }
        self.sent += (observations + of_reports) as u64;
    }

    async fn until_archived(&self) {
        until_count(&self.parts, "SELECT count() FROM archived_offsets", self.sent).await;
    }

    /// A stream that nothing happened to, from the logs' beginning, with a database of its own; what it has come to.
    async fn undisturbed(&self, recounted: &Recount) -> Outcome {
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
        Outcome { decided, entities, counts }
    }

    /// Where each partition of a topic ends.
    async fn ends(&self, topic: &'static str) -> Vec<(i32, i64)> {
        let kafka = self.parts.kafka.clone();
        let ask = move || {
            let count = topic_meta(&kafka, topic).expect("meta").partitions;
            let all: Vec<_> = (0..count).map(|partition| (topic, partition)).collect();
            Offsets::open(&kafka).expect("offsets").ends(&all).expect("ends")
        };
        (0i32..).zip(tokio::task::spawn_blocking(ask).await.expect("thread")).collect()
    }

    /// Cuts each partition's log behind a share of what it holds; how many records are left.
    async fn cut(&self, share: impl Fn(i32) -> f64) -> u64 {
        let mut left = 0;
        for topic in [OBSERVATIONS, REPORTS] {
            for (partition, end) in self.ends(topic).await {
                let below = (end as f64 * share(partition)) as i64;
                if below > 0 {
                    let name = self.parts.kafka.full_name(topic);
                    Wire::connect(&self.parts.kafka.bootstrap).delete_records(&name, partition, below);
                }
                left += (end - below) as u64;
            }
        }
        left
    }
}

/// What a stream has come to.
struct Outcome {
    decided: f64,
    entities: String,
    counts: [u64; 5],
}

async fn counts(stream: &Stream) -> [u64; 5] {
    let metrics = stream.get("/metrics").await;
    ["accepted", "duplicate", "late", "rejected", "too_late_for_windows"]
        .map(|name| sum(&metrics, &format!("gridwarden_stream_records_{name}_total")) as u64)
}

async fn entities(parts: &Parts) -> String {
    let sql = "SELECT * FROM entity_latest ORDER BY kind, source";
    query(parts, sql).await
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

async fn until_entities(parts: &Parts, expected: &str) {
    wait::until_async("latest states", SOON, || async {
        let found = entities(parts).await;
        let differ = found.lines().zip(expected.lines()).find(|(is, should)| is != should);
        if found == expected { Ok(()) } else { Err(format!("{differ:?}")) }
    })
    .await;
}

/// Alerts open in the topic, and that nothing was ever retracted.
async fn open(parts: &Parts) -> BTreeSet<String> {
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

#[tokio::test(flavor = "multi_thread")]
async fn without_checkpoints_and_with_half_a_log_it_comes_to_what_it_was() {
    let mut town = Town::make("rebuilt_state").await;
    town.send(2_000, 200).await;
    town.until_archived().await;
    let recounted = recount(&town.parts).await;
    let undisturbed = town.undisturbed(&recounted).await;
    let before = open(&town.parts).await;
    // Of some partitions nothing is left, of some everything.
    let left = town.cut(|partition| [1.0, 0.5, 0.0, 0.9][partition as usize % 4]).await;
    assert!(left > 500 && left < town.sent - 500, "{left}");

    let stream = Stream::start(&town.parts, &town.city).await;
    stream.until_conserved(town.sent).await;
    until_equal(&town.parts, &recounted).await;
    until_entities(&town.parts, &undisturbed.entities).await;
    assert_eq!(counts(&stream).await, undisturbed.counts);
    assert_eq!(stream.figure("gridwarden_stream_records_from_archive_total").await as u64, town.sent - left);
    assert_eq!(stream.figure("gridwarden_stream_records_lost_total").await, 0.0);
    // Every transition is decided again, and none is said again.
    until_all_said(&stream).await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_total").await, undisturbed.decided);
    assert_eq!(stream.figure("gridwarden_stream_alerts_known_total").await, undisturbed.decided);

    assert!(!before.is_empty() && open(&town.parts).await == before);

    // And it goes on from there.
    observe(&town.producer, "later", gridwarden_runtime::clock::now_ms(), 0.75, 99.0).await;
    stream.until_conserved(town.sent + 1).await;
    stream.until("gridwarden_stream_alert_seconds_count", 1.0).await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_total").await, undisturbed.decided + 1.0);
    assert_eq!(open(&town.parts).await.len(), before.len() + 1);
    stream.stop().await;
    town.archive.stop().await;
}

/// Waits until a checkpoint was begun and written after this moment.
async fn until_checkpoint(stream: &Stream) {
    let name = "gridwarden_stream_checkpoints_total";
    let written = stream.figure(name).await;
    stream.until(name, written + 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_the_log_has_outlived_goes_on_through_the_archive() {
    let mut town = Town::make("rebuilt_behind").await;
    town.send(1_000, 100).await;
    let first = Stream::with_checkpoints(&town.parts, &town.city, 2, 200).await;
    first.until_conserved(town.sent).await;
    until_all_said(&first).await;
    until_checkpoint(&first).await;
    let (read, decided) = (town.sent, first.figure("gridwarden_stream_alerts_total").await);
    first.stop().await;

    // It is away for longer than the log is kept.
    town.send(1_500, 150).await;
    town.until_archived().await;
    let recounted = recount(&town.parts).await;
    let undisturbed = town.undisturbed(&recounted).await;
    town.cut(|partition| [1.0, 0.9, 0.2][partition as usize % 3]).await;

    // With another number of workers, and checkpoints while it reads the archive.
    let second = Stream::with_checkpoints(&town.parts, &town.city, 3, 100).await;
    second.until_conserved(town.sent - read).await;
    until_equal(&town.parts, &recounted).await;
    until_entities(&town.parts, &undisturbed.entities).await;
    let from_archive = second.figure("gridwarden_stream_records_from_archive_total").await;
    assert!(from_archive > 300.0, "{from_archive}");
    assert_eq!(second.figure("gridwarden_stream_records_lost_total").await, 0.0);
    until_all_said(&second).await;
    let again = second.figure("gridwarden_stream_alerts_total").await;
    assert_eq!(again, undisturbed.decided - decided, "what was left to decide");
    assert_eq!(second.figure("gridwarden_stream_alerts_known_total").await, again);
    open(&town.parts).await;
    until_checkpoint(&second).await;
    second.stop().await;

    // A checkpoint from behind the archive is one like any other.
    let third = Stream::with_checkpoints(&town.parts, &town.city, 1, 200).await;
    until_checkpoint(&third).await;
    assert_eq!(third.figure("gridwarden_stream_records_read_total").await, 0.0, "nothing is read again");
    third.stop().await;
    town.archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_neither_is_counted_and_the_rest_goes_on() {
    let mut town = Town::make("rebuilt_hole").await;
    town.send(1_000, 0).await;
    town.until_archived().await;
    let long = town.ends(OBSERVATIONS).await.into_iter().filter(|(_, end)| *end > 30).map(|(partition, _)| partition);
    let long: Vec<i32> = long.take(2).collect();
    town.archive.stop().await;
    let hole = format!(
        "ALTER TABLE observations_rows DELETE WHERE partition IN ({}, {}) AND offset BETWEEN 5 AND 14 \
         SETTINGS mutations_sync = 2",
        long[0], long[1]
    );
    query(&town.parts, &hole).await;
    let there = count(&town.parts, "SELECT count() FROM archived_offsets").await;
    let lost = town.sent - there;
    assert!(lost > 10, "{lost}");
    let kafka = &town.parts.kafka;
    let mut wire = Wire::connect(&kafka.bootstrap);
    for partition in long {
        wire.delete_records(&kafka.full_name(OBSERVATIONS), partition, 20);
    }
    let stream = Stream::start(&town.parts, &town.city).await;
    stream.until_conserved(there).await;
    assert_eq!(stream.figure("gridwarden_stream_records_lost_total").await as u64, lost);
    observe(&town.producer, "later", gridwarden_runtime::clock::now_ms(), 0.5, 1.0).await;
    stream.until_conserved(there + 1).await;
    stream.stop().await;
}
