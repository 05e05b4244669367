//! `CKP-1…5`: a restarted stream goes on from its checkpoint: what it knew it still knows, what it has read it does not read
//! again.

use super::*;
use gridwarden_runtime::clock::now_ms;
use std::path::{Path, PathBuf};

/// How often these tests take a checkpoint.
const EVERY_MS: u64 = 200;

const RULES: [(&str, &str); 3] = [
    (
        "hot",
        r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"major",
            "threshold":{"value":"t","side":"above","level":90,"clear":80}}"#,
    ),
    (
        "cold-long",
        r#"{"id":"cold-long","version":1,"title":{"en":"Cold"},"severity":"minor",
            "threshold":{"value":"t","side":"below","level":0,"hold_s":20}}"#,
    ),
    (
        "in-b",
        r#"{"id":"in-b","version":1,"title":{"en":"In b"},"severity":"minor",
            "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter"}}"#,
    ),
];

async fn stream(parts: &Parts, city: &City, workers: usize) -> Stream {
    Stream::with_checkpoints(parts, city, workers, EVERY_MS).await
}

impl Stream {
    /// Waits until a checkpoint was begun and written after this moment.
    async fn until_checkpoint(&self) {
        let name = "gridwarden_stream_checkpoints_total";
        // The first that is written from now on may have been begun before.
        let written = self.figure(name).await;
        self.until(name, written + 2.0).await;
    }
}

fn folder_of(city: &City) -> PathBuf {
    city.folder.with_file_name("checkpoints")
}

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("manifests")).expect("a folder of manifests");
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

/// An observation with an id of its own.
async fn say(producer: &Producer, id: &str, time: i64) {
    let text = format!(
        r#"{{"id":"{id}","source":"talker","kind":"air","time":{time},"position":{{"lon":0.5,"lat":0.5}},"values":{{"t":1}}}}"#
    );
    producer.send(OBSERVATIONS, Some(b"talker"), Some(text.as_bytes()), &[]).await.expect("acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_is_still_known_and_what_was_read_is_not_read_again() {
    const TEST: &str = "stream_checkpoint";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &RULES).await;
    let begin = now_ms();
    let first = stream(&parts, &city, 2).await;
    for number in 0..200u32 {
        observe(&producer, &format!("s{}", number % 20), begin + i64::from(number), 0.5, 10.0).await;
    }
    // An open alert, a hold that has begun, an entity outside the fence, an id.
    observe(&producer, "hot", begin, 0.5, 95.0).await;
    observe(&producer, "cold", begin - 25_000, 0.5, -1.0).await;
    observe(&producer, "mover", begin, 0.5, 1.0).await;
    say(&producer, "once", begin).await;
    first.until_conserved(204).await;
    first.until_checkpoint().await;
    first.stop().await;

    // Another number of workers, twice, so that what was restored is saved again.
    stop_after_checkpoint(stream(&parts, &city, 3).await).await;
    let second = stream(&parts, &city, 1).await;
    for number in 0..100u32 {
        observe(&producer, &format!("s{}", number % 20), begin + 1_000 + i64::from(number), 1.5, 10.0).await;
    }
    observe(&producer, "hot", begin + 1, 0.5, 70.0).await;
    observe(&producer, "cold", begin, 0.5, -1.0).await;
    observe(&producer, "mover", begin + 1, 1.5, 1.0).await;
    say(&producer, "once", begin).await;
    say(&producer, "twice", begin).await;
    second.until_conserved(105).await;
    assert_eq!(second.figure("gridwarden_stream_records_duplicate_total").await, 1.0);

    let (up, down) = (Transition::Raised, Transition::Cleared);
    // 20 sensors and the mover go into b; the first process had raised one alert.
    second.until("gridwarden_stream_alert_seconds_count", 23.0).await;
    let said_of = alerts_of(&parts).await;
    assert_eq!(said_of.len(), 24, "{said_of:#?}");
    assert_eq!(said(&said_of, "hot"), [(begin, up, 1), (begin + 1, down, 2)]);
    let ids: std::collections::BTreeSet<&str> =
        said_of.iter().filter(|alert| alert.rule == "hot").map(|alert| alert.id.as_str()).collect();
    assert_eq!(ids.len(), 1, "one alert, raised before and cleared after");
    assert_eq!(said(&said_of, "cold-long"), [(begin - 5_000, up, 1)]);
    assert_eq!(said(&said_of, "in-b").len(), 21);

    let total = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND level = 'city'";
    until_count(&parts, &format!("{total} AND window_s = 10"), 308).await;
    until_count(&parts, &format!("{total} AND window_s = 60"), 308).await;
    until_count(&parts, "SELECT count() FROM entity_latest WHERE area_codes[1] = 'b'", 21).await;
    second.stop().await;
}

async fn stop_after_checkpoint(stream: Stream) {
    stream.until("gridwarden_stream_checkpoints_total", 1.0).await;
    assert_eq!(stream.figure("gridwarden_stream_records_read_total").await, 0.0, "nothing is read again");
    stream.stop().await;
}

/// Sends, reads, stops at a checkpoint, and spoils what `spoil` spoils; what a stream says after it has started again.
async fn spoiled(test: &'static str, spoil: impl Fn(&Path)) -> (Parts, Stream) {
    let parts = Parts::named(test);
    let (producer, city) = made(test, &parts, &RULES).await;
    let begin = now_ms();
    let first = stream(&parts, &city, 2).await;
    for number in 0..50u32 {
        observe(&producer, &format!("s{}", number % 5), begin + i64::from(number), 0.5, 95.0).await;
        if number == 25 {
            first.until_checkpoint().await;
        }
    }
    first.until_conserved(50).await;
    first.until_checkpoint().await;
    first.stop().await;
    spoil(&folder_of(&city));
    let second = stream(&parts, &city, 2).await;
    observe(&producer, "s0", begin + 1_000, 0.5, 95.0).await;
    (parts, second)
}

/// Windows hold every event once, and every alert was raised once.
async fn nothing_lost_nothing_twice(parts: &Parts, stream: Stream) {
    let total = "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND level = 'city' AND window_s = 10";
    until_count(parts, total, 51).await;
    let raised = alerts_of(parts).await;
    assert_eq!(raised.len(), 5, "{raised:#?}");
    stream.stop().await;
}

fn tear(path: &Path) {
    let bytes = std::fs::read(path).expect("read");
    std::fs::write(path, bytes.get(..bytes.len() / 2).expect("half")).expect("torn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_manifest_is_not_used_and_the_one_before_it_is() {
    let (parts, stream) = spoiled("stream_torn", |folder| {
        let manifests = manifests(folder);
        assert!(manifests.len() <= 3, "the last three are kept: {manifests:?}");
        tear(manifests.last().expect("one at least"));
    })
    .await;
    stream.until("gridwarden_stream_records_read_total", 1.0).await;
    nothing_lost_nothing_twice(&parts, stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_whole_checkpoint_it_reads_from_the_beginning() {
    let (parts, stream) = spoiled("stream_all_torn", |folder| {
        let pieces = std::fs::read_dir(folder.join("pieces")).expect("a folder of pieces");
        pieces.for_each(|piece| tear(&piece.expect("an entry").path()));
    })
    .await;
    stream.until("gridwarden_stream_records_read_total", 51.0).await;
    nothing_lost_nothing_twice(&parts, stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_on_one_folder_the_older_ends() {
    const TEST: &str = "stream_two";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &RULES).await;
    let older = stream(&parts, &city, 1).await;
    observe(&producer, "s", now_ms(), 0.5, 1.0).await;
    older.until_conserved(1).await;
    older.until_checkpoint().await;
    let newer = stream(&parts, &city, 1).await;
    newer.until("gridwarden_stream_checkpoints_total", 1.0).await;
    let ended = tokio::time::timeout(SOON, older.task).await.expect("it ends by itself").expect("task");
    let words = format!("{:#}", ended.expect_err("it says why"));
    assert!(words.contains("claimed the stream's state"), "{words}");
    newer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_is_refused_in_words() {
    const TEST: &str = "stream_anew";
    let parts = Parts::named(TEST);
    let (_, city) = made(TEST, &parts, &RULES).await;
    let first = stream(&parts, &city, 1).await;
    first.until_checkpoint().await;
    first.stop().await;
    // Another broker's topics, as far as ids go.
    let other = Parts::named("stream_anew_other");
    made("stream_anew_other", &other, &RULES).await;
    let second = Stream::with_checkpoints(&other, &city, 1, EVERY_MS).await;
    let ended = tokio::time::timeout(SOON, second.task).await.expect("it ends by itself").expect("task");
    let words = format!("{:#}", ended.expect_err("it says why"));
    assert!(words.contains("made anew") && words.contains("observations.v1"), "{words}");
}
