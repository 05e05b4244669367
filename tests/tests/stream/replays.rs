//! What was rejected is sent again: it counts once, in the archive and in the stream, whatever is killed; what is rejected again
//! stays one thing.

use super::{SOON, Stream, made, read_all, send, until_count};
use crate::archive::assert_conserved;
use crate::support::{Archive, City, count, query};
use gridwarden_bus::topics::{OBSERVATIONS, REJECTS};
use gridwarden_bus::{Message, Offsets, Producer, topic_meta};
use gridwarden_domain::{origin::Origin, reject::Reject};
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::{Parts, folder};
use gridwarden_tests::{binary, wait};
use serde_json::Value;
use std::process::{Command, Output};
use std::time::Duration;

const MANY: u64 = 1500;
/// Further ahead than a sender's clock may be.
const AHEAD_MS: i64 = 70_000;
/// How far ahead it may be.
const ALLOWED_MS: i64 = 60_000;

fn rejects(parts: &Parts, args: &[&str]) -> Command {
    let mut command = binary::gridwarden();
    command.arg("rejects").args(args);
    command.args(["--kafka", &parts.kafka.bootstrap, "--topic-prefix", &parts.kafka.topic_prefix]);
    command.args(["--clickhouse", &parts.clickhouse.url, "--database", &parts.clickhouse.database]);
    command
}

async fn run(parts: &Parts, args: &[&str]) -> Output {
    let mut command = rejects(parts, args);
    tokio::task::spawn_blocking(move || command.output().expect("it starts")).await.expect("thread")
}

/// Runs it to its end, which must be a good one: what it answered, and its last line of progress.
async fn said(parts: &Parts, args: &[&str]) -> (String, String) {
    let output = run(parts, args).await;
    let progress = binary::stderr(&output);
    assert!(output.status.success(), "{args:?}: {progress}");
    let summary = progress.lines().last().unwrap_or_default().trim_start_matches("gridwarden: rejects: ").to_owned();
    (String::from_utf8(output.stdout).expect("UTF-8"), summary)
}

/// Records in the log of observations.
async fn in_log(parts: &Parts) -> u64 {
    let kafka = parts.kafka.clone();
    let ask = move || {
        let count = topic_meta(&kafka, OBSERVATIONS).expect("meta").partitions;
        let all: Vec<_> = (0..count).map(|partition| (OBSERVATIONS, partition)).collect();
        Offsets::open(&kafka).expect("offsets").ends(&all).expect("ends").iter().sum::<i64>() as u64
    };
    tokio::task::spawn_blocking(ask).await.expect("thread")
}

/// Starts a replay of everything and kills it in its middle.
async fn killed_replay(parts: &Parts) {
    let before = in_log(parts).await;
    let mut child = rejects(parts, &["replay", "--all", "--limit", "5000"]).spawn().expect("it starts");
    wait::until_async("some of them", SOON, || async {
        let sent = in_log(parts).await - before;
        if sent > 20 { Ok(()) } else { Err(sent.to_string()) }
    })
    .await;
    child.kill().expect("kill");
    child.wait().expect("wait");
    let sent = in_log(parts).await - before;
    assert!(sent < MANY, "the kill came too late");
}

/// Observations of a moment ahead, without ids: only their origin tells that they come again.
async fn reject_many(parts: &Parts, producer: &Producer, archive: &Archive) -> i64 {
    let time = now_ms() + AHEAD_MS;
    let text = |number: u64| {
        let source = format!("s{}", number % 50);
        let text = format!(r#"{{"source":"{source}","kind":"air","time":{time},"values":{{"t":{number}}}}}"#);
        (source, text)
    };
    send(producer, OBSERVATIONS, &(0..MANY).map(text).collect::<Vec<_>>()).await;
    until_count(parts, "SELECT count() FROM rejects WHERE code = 'future_time'", MANY).await;
    assert_conserved(&archive.metrics().await);
    time
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rejected_counts_once_however_often_it_is_sent_again() {
    let parts = Parts::named("replays");
    let (producer, city) = made("replays", &parts, &[]).await;
    let archive = Archive::start(&parts, &city).await;
    let stream = Stream::start(&parts, &city).await;
    let time = reject_many(&parts, &producer, &archive).await;
    stream.until("gridwarden_stream_records_rejected_total", MANY as f64).await;
    // Without the archive nobody can know what was taken already: everything is sent each time.
    archive.stop().await;
    wait::until("the moment to be near enough", Duration::from_secs(90), || {
        (time - now_ms() < ALLOWED_MS).then_some(())
    });
    killed_replay(&parts).await;
    killed_replay(&parts).await;
    for _ in 0..2 {
        let (_, summary) = said(&parts, &["replay", "--all", "--limit", "5000"]).await;
        assert_eq!(summary, format!("{MANY} of {MANY} sent"));
    }
    let again = in_log(&parts).await - MANY;
    assert!(again > 2 * MANY && again < 4 * MANY, "{again} sent again");
    let metrics = stream.until_conserved(MANY + again).await;
    let of = |name: &str| super::sum(&metrics, &format!("gridwarden_stream_records_{name}_total")) as u64;
    assert_eq!((of("accepted"), of("duplicate"), of("rejected")), (MANY, again - MANY, MANY));
    stream.stop().await;

    let archive = Archive::start(&parts, &city).await;
    assert_archived(&parts, again).await;
    assert_conserved(&archive.metrics().await);
    let (_, summary) = said(&parts, &["replay", "--all", "--limit", "5000"]).await;
    assert_eq!(summary, format!("0 of {MANY} sent; {MANY} were sent before and taken"));
    archive.stop().await;
    // As if it had been killed between noting that a record counts and writing its row.
    query(&parts, "ALTER TABLE observations_rows DELETE WHERE offset % 2 = 0 SETTINGS mutations_sync = 2").await;
    assert!(count(&parts, "SELECT count() FROM observations_rows").await < MANY, "the test deleted nothing");
    // And a copy that was under way all the time.
    let origin = late_copy(&parts, &producer).await;
    let archive = Archive::start(&parts, &city).await;
    assert_archived(&parts, again + 1).await;
    archive.stop().await;
    let of_origin = format!(
        "SELECT count() FROM replays WHERE NOT repeat AND origin_partition = {} AND origin_offset = {}",
        origin.record.partition, origin.record.offset
    );
    assert_eq!(count(&parts, &of_origin).await, 1);
}

/// Each counts once, and says what its original said.
async fn assert_archived(parts: &Parts, sent_again: u64) {
    until_count(parts, "SELECT count() FROM replays", sent_again).await;
    until_count(parts, "SELECT count() FROM observations", MANY).await;
    assert_eq!(count(parts, "SELECT count() FROM replays WHERE NOT repeat").await, MANY);
    assert_eq!(count(parts, "SELECT uniqExact(value_numbers[1]) FROM observations").await, MANY);
    assert_eq!(count(parts, "SELECT uniqExact(origin_partition, origin_offset) FROM replays").await, MANY);
}

/// Sends one of them once more, past the tool that would know better.
async fn late_copy(parts: &Parts, producer: &Producer) -> Origin {
    let (line, _) = said(parts, &["list", "--json", "--limit", "1"]).await;
    let found: Value = serde_json::from_str(line.trim()).expect("JSON");
    let number = |name: &str| found[name].as_i64().expect("a number");
    let header = format!(
        "{}/{}/{}/{}",
        found["topic_id"].as_str().expect("id"),
        number("partition"),
        number("offset"),
        number("first_seen")
    );
    let text = format!(r#"{{"source":"s0","kind":"air","time":{},"values":{{"t":-1}}}}"#, now_ms());
    let headers = [("origin", header.as_bytes())];
    let partition = i32::try_from(number("partition")).ok();
    let message =
        Message { topic: OBSERVATIONS, key: Some(b"s0"), payload: Some(text.as_bytes()), headers: &headers, partition };
    producer.submit(&message).await.expect("queued").await.expect("acknowledged");
    Origin::parse(header.as_bytes()).expect("an origin")
}

/// A town with one message that cannot be read.
async fn one_rejected(test: &str, text: &str) -> (Parts, City, Archive, String) {
    let parts = Parts::named(test);
    let (producer, city) = made(test, &parts, &[]).await;
    let archive = Archive::start(&parts, &city).await;
    let headers = [("feed", &b"past"[..])];
    let (partition, offset) =
        producer.send(OBSERVATIONS, Some(b"lamp-7"), Some(text.as_bytes()), &headers).await.expect("acknowledged");
    until_count(&parts, "SELECT count() FROM rejects", 1).await;
    (parts, city, archive, format!("{OBSERVATIONS}/{partition}/{offset}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_again_stays_one_thing() {
    let text = r#"{"device":"lamp-7","at":1700000000000,"pm":3}"#;
    let (parts, _city, archive, place) = one_rejected("replays_again", text).await;
    let (line, _) = said(&parts, &["list", "--json"]).await;
    let first: Value = serde_json::from_str(line.trim()).expect("one line of JSON");
    for (round, args) in [(2, &["replay", &place][..]), (3, &["replay", "--reason", "missing_field", "--again"])] {
        assert_eq!(said(&parts, args).await.1, "1 of 1 sent");
        until_count(&parts, "SELECT count() FROM rejects", round).await;
    }
    let (line, _) = said(&parts, &["list", "--json", "--source", "lamp-7", "--topic", OBSERVATIONS]).await;
    let now: Value = serde_json::from_str(line.trim()).expect("one line of JSON");
    assert_eq!((now["attempts"].as_u64(), now["last_offset"].as_u64()), (Some(3), Some(2)));
    for kept in ["topic_id", "partition", "offset", "appended_at", "first_seen", "reason"] {
        assert_eq!(now[kept], first[kept], "{kept}");
    }
    // In the topic they are one key, and say where they stand now.
    let kafka = parts.kafka.clone();
    let read = |record: &gridwarden_bus::Record<'_>| {
        let reject: Reject = serde_json::from_slice(record.payload.expect("a value")).expect("a reject");
        (record.key.expect("a key").to_vec(), reject)
    };
    let all = tokio::task::spawn_blocking(move || read_all(&kafka, REJECTS, read)).await.expect("thread");
    assert!(all.iter().all(|(key, reject)| *key == all[0].0 && reject.origin == all[0].1.origin), "{all:?}");
    assert!(all.iter().all(|(_, reject)| reject.first_seen == all[0].1.first_seen), "{all:?}");
    let offsets: Vec<_> = all.iter().map(|(_, reject)| reject.again.map(|record| record.offset)).collect();
    assert_eq!(offsets, [None, Some(1), Some(2)]);
    // Nothing is sent round and round.
    let (_, summary) = said(&parts, &["replay", "--all"]).await;
    assert_eq!(summary, "0 of 1 sent; 1 were sent before and rejected again (--again sends them)");
    let before = in_log(&parts).await;
    let (answer, summary) = said(&parts, &["replay", &place, "--dry-run"]).await;
    assert_eq!((summary.as_str(), in_log(&parts).await), ("1 of 1 would be sent", before));
    assert!(answer.starts_with(&place) && answer.contains("missing_field"), "{answer}");
    // A mapping makes an observation of it; it keeps key and feed.
    let mapping = folder("replays_again").join("lamps.toml");
    let document = "target = \"observations\"\nformat = \"json\"\n[fields]\nsource = \"device\"\n\
                    kind = { const = \"air\" }\ntime = { from = \"at\", time = \"epoch_ms\" }\nvalues.pm25 = \"pm\"\n";
    std::fs::write(&mapping, document).expect("mapping");
    said(&parts, &["replay", &place, "--mapping", mapping.to_str().expect("UTF-8")]).await;
    let taken = "SELECT count() FROM observations WHERE source = 'lamp-7' AND feed = 'past' AND NOT late AND value_numbers = [3]";
    until_count(&parts, taken, 1).await;
    let (answer, _) = said(&parts, &["show", &place]).await;
    for part in ["sent again  taken at offset 3", "key         lamp-7", "header      feed: past", text] {
        assert!(answer.contains(part), "{part} is missing in\n{answer}");
    }
    let (_, summary) = said(&parts, &["replay", &place]).await;
    assert_eq!(summary, "0 of 1 sent; 1 were sent before and taken");
    archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_message_is_sent_in_its_place_and_what_cannot_be_done_is_told() {
    let (parts, _city, archive, place) = one_rejected("replays_edited", "{").await;
    let refused = async |args: &[&str], words: &[&str]| binary::assert_refused(&run(&parts, args).await, words);
    refused(&["replay"], &["which?", "--all"]).await;
    refused(&["show", "observations.v1/0/999"], &["no such reject"]).await;
    refused(&["show", "somewhere"], &["TOPIC/PARTITION/OFFSET"]).await;
    refused(&["list", "--reason", "bad"], &["missing_field"]).await;
    refused(&["replay", "--all", "--payload", "/nowhere"], &["name its place"]).await;
    let file = folder("replays_edited").join("edited.json");
    std::fs::write(&file, format!(r#"{{"source":"lamp-7","kind":"air","time":{}}}"#, now_ms())).expect("file");
    said(&parts, &["replay", &place, "--payload", file.to_str().expect("UTF-8")]).await;
    until_count(&parts, "SELECT count() FROM observations WHERE source = 'lamp-7'", 1).await;
    let saved = folder("replays_edited").join("original");
    said(&parts, &["show", &place, "--save", saved.to_str().expect("UTF-8")]).await;
    assert_eq!(std::fs::read(saved).expect("saved"), b"{", "the original is kept");
    archive.stop().await;
}
