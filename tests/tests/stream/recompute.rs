//! `REC-1…4`, `ROL-1`: windows counted again from the archive, by the real binary; hours and days follow.

use super::*;
use crate::support::{Archive, query};
use gridwarden_bus::topics::REPORTS;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::binary;
use gridwarden_tests::parts::folder;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;

const MINUTE_MS: i64 = 60_000;

/// A configuration file for the tool.
pub(super) fn file(test: &str, parts: &Parts, city: &City) -> PathBuf {
    let file = folder(test).join("recompute.toml");
    let (kafka, clickhouse) = (&parts.kafka, &parts.clickhouse);
    let text = format!(
        "[kafka]\nbootstrap = \"{}\"\ntopic_prefix = \"{}\"\n[clickhouse]\nurl = \"{}\"\ndatabase = \"{}\"\n\
         [city]\nfolder = \"{}\"\n[checkpoints]\nfolder = \"{}\"\n",
        kafka.bootstrap,
        kafka.topic_prefix,
        clickhouse.url,
        clickhouse.database,
        city.folder.display(),
        city.folder.with_file_name("checkpoints").display(),
    );
    std::fs::write(&file, text).expect("configuration");
    file
}

async fn run(file: &std::path::Path, args: &[&str]) -> Output {
    let mut command = binary::gridwarden();
    command.args(["recompute", "--json", "--config"]).arg(file).args(args);
    tokio::task::spawn_blocking(move || command.output().expect("gridwarden starts")).await.expect("task")
}

async fn done(file: &std::path::Path, args: &[&str]) -> Value {
    let output = run(file, args).await;
    assert!(output.status.success(), "{}", binary::stderr(&output));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

async fn say(producer: &Producer, record: (&str, &str, i64, f64), id: Option<&str>, feed: Option<&str>) {
    let (source, kind, time, lon) = record;
    let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
    let text = format!(
        r#"{{{id}"source":"{source}","kind":"{kind}","time":{time},"position":{{"lon":{lon},"lat":0.5}},"values":{{"t":{lon}}}}}"#
    );
    let headers: Vec<(&str, &[u8])> = feed.map(|feed| ("feed", feed.as_bytes())).into_iter().collect();
    producer.send(OBSERVATIONS, Some(source.as_bytes()), Some(text.as_bytes()), &headers).await.expect("acknowledged");
}

/// `metric code window_s count sum` of whole windows, one a line.
async fn windows(parts: &Parts, wanted: &str) -> Vec<String> {
    let sql = format!(
        "SELECT metric, code, window_s, sum(count), sum(sum) FROM area_metrics WHERE {wanted} \
         GROUP BY ALL ORDER BY ALL FORMAT TSV"
    );
    query(parts, &sql).await.lines().map(|line| line.replace('\t', " ")).collect()
}

/// `code window_s events p50 sources` of windows of `air.t`, one a line.
async fn sketches(parts: &Parts, wanted: &str) -> Vec<String> {
    let sql = format!(
        "SELECT code, window_s, events, round(p50, 1), round(sources) FROM area_estimates WHERE metric = 'air.t' AND {wanted} \
         ORDER BY ALL FORMAT TSV"
    );
    query(parts, &sql).await.lines().map(|line| line.replace('\t', " ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_too_late_for_windows_is_counted_from_the_archive_and_again_when_more_comes() {
    const TEST: &str = "stream_recompute_late";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &[]).await;
    let (archive, stream) = (Archive::start(&parts, &city).await, Stream::start(&parts, &city).await);
    let file = file(TEST, &parts, &city);
    let old = (now_ms() - 40 * MINUTE_MS) / MINUTE_MS * MINUTE_MS;
    // In time, too late, too late and a repeat, late for everything, in no area, a report.
    say(&producer, ("s1", "air", now_ms(), 0.5), None, None).await;
    say(&producer, ("s1", "air", old, 0.5), Some("1"), None).await;
    say(&producer, ("s1", "air", old + 1, 0.25), Some("2"), None).await;
    say(&producer, ("s1", "air", old, 0.5), Some("1"), None).await;
    say(&producer, ("s2", "air", old + 15_000, 1.5), None, None).await;
    say(&producer, ("s3", "air", old - 8 * 1440 * MINUTE_MS, 0.5), None, None).await;
    say(&producer, ("s4", "air", old, 7.5), None, None).await;
    for _ in 0..2 {
        let text = format!(
            r#"{{"id":"r1","channel":"hotline","class":{{"catalogue":"c","kind":"event","code":"07"}},"time":{old},"area":"a"}}"#
        );
        producer.send(REPORTS, Some(b"r1"), Some(text.as_bytes()), &[]).await.expect("acknowledged");
    }
    stream.until_conserved(9).await;
    until_count(&parts, "SELECT count() FROM area_metrics WHERE window_s = 10 AND metric = 'air'", 2).await;

    let first = done(&file, &["--dirty"]).await;
    assert_eq!((&first["records"], &first["repeats"]), (&5.into(), &2.into()), "{first}");
    let of_old = format!("window_start < now() - 1200 AND window_start >= toDateTime({}, 'UTC')", old / 1000);
    let tens: Vec<String> = windows(&parts, &format!("{of_old} AND window_s = 10")).await;
    let expected = [
        "air C 10 3 3",
        "air a 10 2 2",
        "air b 10 1 1", // counts, then values
        "air.t C 10 3 2.25",
        "air.t a 10 2 0.75",
        "air.t b 10 1 1.5",
        "reports C 10 1 1",
        "reports a 10 1 1",
        "reports.07 C 10 1 1",
        "reports.07 a 10 1 1",
    ];
    assert_eq!(tens, expected);
    assert_eq!(
        windows(&parts, &format!("{of_old} AND window_s = 60")).await,
        expected.map(|row| row.replace(" 10 ", " 60 "))
    );

    // So are sketches, for they are of the same events.
    let of_old_minutes = format!("{of_old} AND window_s = 60");
    assert_eq!(sketches(&parts, &of_old_minutes).await, ["C 60 3 0.5 2", "a 60 2 0.2 1", "b 60 1 1.5 1"]);

    // Nothing is left to do; then some more comes.
    assert_eq!(done(&file, &["--dirty"]).await["generation"], Value::Null);
    say(&producer, ("s1", "air", old + 2, 0.125), Some("3"), None).await;
    stream.until_conserved(10).await;
    let second = done(&file, &["--dirty"]).await;
    assert_eq!(second["generation"].as_u64(), first["generation"].as_u64().map(|first| first + 1));
    let again = windows(&parts, &format!("{of_old} AND window_s = 60 AND metric = 'air.t'")).await;
    assert_eq!(again, ["air.t C 60 4 2.375", "air.t a 60 3 0.875", "air.t b 60 1 1.5"]);

    assert_eq!(sketches(&parts, &of_old_minutes).await, ["C 60 4 0.2 2", "a 60 3 0.2 1", "b 60 1 1.5 1"]);

    // What still changes is not counted, nor what the archive does not have.
    let (from, to) = ((now_ms() - 5 * MINUTE_MS).to_string(), now_ms().to_string());
    binary::assert_refused(&run(&file, &["--from", &from, "--to", &to]).await, &["changed by the stream up to"]);
    archive.stop().await;
    say(&producer, ("s1", "air", old + 3, 0.125), None, None).await;
    let refused = run(&file, &["--dirty", "--wait", "1"]).await;
    binary::assert_refused(&refused, &["the archive lacks 1 records of observations.v1/"]);
    stream.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_redraw_history_is_counted_with_the_new_boundaries_and_hours_and_days_follow() {
    const TEST: &str = "stream_recompute_redraw";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &[]).await;
    let archive = Archive::start(&parts, &city).await;
    let stream = Stream::with(&parts, &city, |config| config.stream.rollup_s = 1).await;
    let file = file(TEST, &parts, &city);
    // Two hours of one day, in the feed that plays the past; the day has ended long ago, or right after midnight it could not be counted.
    let day = now_ms() / 86_400_000 * 86_400_000 - 2 * 86_400_000;
    let times = [day + 3_600_000, day + 3_659_000, day + 7_200_000];
    for (number, time) in (0u8..).zip(times) {
        say(&producer, ("s", "air", time, 0.25 + f64::from(number) / 4.0), None, Some("past")).await;
    }
    for partition in 0..topic_meta(&parts.kafka, OBSERVATIONS).expect("topic").partitions {
        let end = Message {
            topic: OBSERVATIONS,
            key: None,
            payload: None,
            headers: &[("end", b"past")],
            partition: Some(partition),
        };
        producer.submit(&end).await.expect("queued").await.expect("acknowledged");
    }
    let hours = format!("metric = 'air.t' AND window_start >= toDateTime({}, 'UTC') AND window_s", day / 1000);
    let until = async |window_s: u32, expected: &[&str]| {
        wait::until_async(&format!("{expected:?}"), SOON, || async {
            let found = windows(&parts, &format!("{hours} = {window_s}")).await;
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    };
    until_count(&parts, "SELECT count() FROM area_metrics WHERE metric = 'air.t' AND window_s = 60", 4).await;
    until(60, &["air.t C 60 3 1.5", "air.t a 60 3 1.5"]).await;
    until(3_600, &["air.t C 3600 3 1.5", "air.t a 3600 3 1.5"]).await;
    until(86_400, &["air.t C 86400 3 1.5", "air.t a 86400 3 1.5"]).await;
    let shape = "SELECT count(), countIf(closed), min(min), max(max), toString(min(window_start)) FROM area_metrics \
        WHERE window_s = 3600 AND code = 'a' AND metric = 'air.t' FORMAT TSV";
    let first_hour = query(&parts, &format!("SELECT toString(toDateTime({}, 'UTC'))", times[0] / 1000)).await;
    // They may have been summed up before the feed's end had come to all owners of windows.
    let closed = format!("2\t2\t0.25\t0.75\t{}", first_hour.trim());
    wait::until_async("both hours to be closed", SOON, || async {
        let found = query(&parts, shape).await;
        if found.trim() == closed { Ok(()) } else { Err(found) }
    })
    .await;

    let day_of = |window_s: u32| format!("window_start >= toDateTime({}, 'UTC') AND window_s = {window_s}", day / 1000);
    let until_days = async |expected: &[&str]| {
        wait::until_async(&format!("sketches {expected:?}"), SOON, || async {
            let found = sketches(&parts, &day_of(86_400)).await;
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    };
    until_days(&["C 86400 3 0.5 1", "a 86400 3 0.5 1"]).await;
    let hours_of = ["C 3600 1 0.8 1", "C 3600 2 0.2 1", "a 3600 1 0.8 1", "a 3600 2 0.2 1"];
    assert_eq!(sketches(&parts, &day_of(3_600)).await, hours_of);

    // The border moves: what lay in `a` at 0.75 lies in `b`.
    city.draw(&producer, 0.625).await;
    let (from, to) = (day.to_string(), (day + 86_400_000).to_string());
    binary::assert_refused(
        &run(&file, &["--from", &from, "--to", &to, "--layer", "none"]).await,
        &["no layer is called none"],
    );
    let redrawn = done(&file, &["--from", &from, "--to", &to, "--layer", "grid"]).await;
    assert_eq!((&redrawn["records"], &redrawn["emptied"]), (&3.into(), &4.into()), "{redrawn}");
    until(60, &["air.t C 60 3 1.5", "air.t a 60 2 0.75", "air.t b 60 1 0.75"]).await;
    until(3_600, &["air.t C 3600 3 1.5", "air.t a 3600 2 0.75", "air.t b 3600 1 0.75"]).await;
    until(86_400, &["air.t C 86400 3 1.5", "air.t a 86400 2 0.75", "air.t b 86400 1 0.75"]).await;

    let minutes = ["C 60 1 0.8 1", "C 60 2 0.2 1", "a 60 2 0.2 1", "b 60 1 0.8 1"];
    assert_eq!(sketches(&parts, &day_of(60)).await, minutes);
    until_days(&["C 86400 3 0.5 1", "a 86400 2 0.2 1", "b 86400 1 0.8 1"]).await;

    // What comes for it later is counted with the boundaries it has now, its neighbours too.
    say(&producer, ("s", "air", times[2] + 1_000, 0.75), None, Some("past")).await;
    stream.until("gridwarden_stream_records_accepted_total", 4.0).await;
    let more = done(&file, &["--dirty"]).await;
    assert_eq!(more["records"], 2, "{more}");
    until(60, &["air.t C 60 4 2.25", "air.t a 60 2 0.75", "air.t b 60 2 1.5"]).await;
    until(86_400, &["air.t C 86400 4 2.25", "air.t a 86400 2 0.75", "air.t b 86400 2 1.5"]).await;
    stream.stop().await;
    archive.stop().await;
}
