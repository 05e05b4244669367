//! An integrator's own JSON and CSV: as messages of mapped topics and as files for `replay`, through one engine. What comes out
//! is the same; what cannot be read is a reject with its origin, or a line on the screen with file, row and field.

use gridwarden_bus::{KafkaConfig, Producer, ProducerOptions};
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::binary::{self, assert_refused, stderr};
use gridwarden_tests::{http::Client, packs, up::Up, wait};
use jiff::{Timestamp, tz::TimeZone};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

const DATABASE: &str = "gridwarden";
const LIMIT: Duration = Duration::from_secs(90);

fn lamp(id: u32, time: &str, place: &str) -> String {
    format!(r#"{{"ts":"{time}","dev":{{"id":{id},"pos":{place}}},"d":{{"PM2_5":0.035,"tempF":212,"st":0}}}}"#)
}

/// Bad messages of `vendor.lamps`, with the code and field of their reasons.
fn bad_lamps(time: &str) -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let at = |rest: &str| format!(r#"{{"ts":"{time}",{rest}}}"#).into_bytes();
    vec![
        (b"{".to_vec(), "malformed", ""),
        (b"{\"ts\":\"\xff\"}".to_vec(), "not_utf8", ""),
        (lamp(1, "yesterday", "[121.2,31.5]").into_bytes(), "invalid_time", "time"),
        (at(r#""dev":{}"#), "missing_field", "source"),
        (at(r#""dev":{"id":1,"id":2}"#), "wrong_type", "source"),
        (at(r#""dev":{"id":1,"pos":"121.2,31.5"}"#), "wrong_type", "position.lon"),
        (at(r#""dev":{"id":1,"pos":[121.2,95]}"#), "invalid_position", "position.lat"),
        (at(r#""dev":{"id":1,"crs":"utm"}"#), "invalid_value", "crs"),
        (at(r#""dev":{"id":1},"d":{"tempF":"warm"}"#), "wrong_type", "values.temperature"),
        (at(r#""dev":{"id":1},"d":{"st":7}"#), "invalid_value", "attributes.state"),
    ]
}

async fn send(producer: &Producer, topic: &str, messages: impl IntoIterator<Item = Vec<u8>>) {
    for message in messages {
        producer.send(topic, Some(b"k"), Some(&message), &[]).await.expect("acknowledged");
    }
}

async fn until(store: &Client, query: &str, wanted: i64) {
    wait::until_async(query, LIMIT, || async {
        let found = store.number(DATABASE, query).await?;
        if found == wanted { Ok(()) } else { Err(format!("{found}, not {wanted}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_and_files_of_an_integrator_are_read_through_one_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    let city = packs::city("integrator", &[], folder.path());
    let up = Up::start(&folder.path().join("data"), &["--no-simulate", "--city", city.to_str().expect("path")]);
    let store = up.client("clickhouse");
    let producer =
        Producer::new(&KafkaConfig::plain(&up.address("kafka")), &ProducerOptions::named("test")).expect("producer");

    let now = Timestamp::from_millisecond(now_ms()).expect("now");
    let local =
        TimeZone::get("Asia/Shanghai").expect("zone").to_datetime(now).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let good = [lamp(7, &local, "[\"121.25\",31.5]"), lamp(8, &local, "[121.75,31.5]"), lamp(9, &local, "null")];
    let bad = bad_lamps(&local);
    send(&producer, "vendor.lamps", good.iter().map(|text| text.clone().into_bytes())).await;
    send(&producer, "vendor.lamps", bad.iter().map(|(bytes, _, _)| bytes.clone())).await;
    let seconds = now.as_second();
    let calls = [format!("1;{seconds};noise, loud;121.25;31.5"), format!("2;{seconds};smoke;;"), "3;soon".to_owned()];
    send(&producer, "vendor.calls", calls.map(String::into_bytes)).await;

    archive_and_stream_read_the_topics(&store, now.as_second(), &bad).await;
    the_same_lines_as_a_file_become_the_same_rows(&up, &store, &city, &good, folder.path()).await;
    rows_that_cannot_be_played_are_said(&up, &store, &city, folder.path()).await;
    assert!(up.stop().success());
}

async fn archive_and_stream_read_the_topics(store: &Client, second: i64, bad: &[(Vec<u8>, &str, &str)]) {
    let lamps = format!(
        "SELECT count() FROM observations WHERE kind = 'lamp' AND toUnixTimestamp(time) = {second} \
         AND value_numbers = [35, 100] AND value_names = ['pm25', 'temperature'] AND attributes['state'] = 'ok'"
    );
    until(store, &lamps, 3).await;
    for (source, place) in [("lamp-7", "['west']"), ("lamp-8", "['east']"), ("lamp-9", "[]")] {
        until(
            store,
            &format!("SELECT count() FROM observations WHERE source = '{source}' AND area_codes = {place}"),
            1,
        )
        .await;
        let latest = format!("SELECT count() FROM entity_latest WHERE source = '{source}' AND area_codes = {place}");
        until(store, &latest, 1).await;
    }
    let windows = "SELECT toInt64(sum(count)) FROM area_metrics WHERE metric = 'lamp.temperature' AND window_s = 10 AND sum = 100";
    until(store, windows, 2).await;
    let call =
        "SELECT count() FROM reports WHERE id = 'call-1' AND class_code = 'noise, loud' AND area_codes = ['west']";
    until(store, call, 1).await;
    until(store, "SELECT count() FROM reports WHERE id = 'call-2' AND lon IS NULL", 1).await;
    let windows = "SELECT toInt64(sum(count)) FROM area_metrics WHERE metric = 'reports' AND window_s = 10";
    until(store, windows, 1).await;

    until(store, "SELECT count() FROM rejects WHERE topic = 'vendor.calls' AND code = 'malformed'", 1).await;
    let count = "SELECT count() FROM rejects WHERE topic = 'vendor.lamps'";
    until(store, count, i64::try_from(bad.len()).expect("few")).await;
    let rows = store
        .sql(DATABASE, "SELECT code, field FROM rejects WHERE topic = 'vendor.lamps' AND detail != ''")
        .await
        .expect("rejects");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let said: BTreeSet<(String, String)> = rows.iter().map(|row| (text(&row["code"]), text(&row["field"]))).collect();
    let expected = bad.iter().map(|(_, code, field)| ((*code).to_owned(), (*field).to_owned())).collect();
    assert_eq!(said, expected);
}

fn replay(up: &Up, city: &Path, args: &[&str]) -> Output {
    let mut command = binary::gridwarden();
    command.arg("replay").args(args).arg("--city").arg(city).args(["--speed", "max", "--kafka", &up.address("kafka")]);
    command.output().expect("replay starts")
}

/// The mapping is the city's own for the file; what the topic made of the lines and what replay makes of them is one row each.
async fn the_same_lines_as_a_file_become_the_same_rows(
    up: &Up,
    store: &Client,
    city: &Path,
    lines: &[String],
    folder: &Path,
) {
    let file = folder.join("lamps.ndjson");
    std::fs::write(&file, lines.join("\n")).expect("file");
    let output = replay(up, city, &[file.to_str().expect("path")]);
    assert!(output.status.success(), "{}", stderr(&output));
    until(store, "SELECT count() FROM observations WHERE kind = 'lamp'", 6).await;
    let pairs = "SELECT count() FROM (SELECT source, time, lon, lat, accuracy_m, area_codes, value_names, value_numbers, attributes \
                 FROM observations WHERE kind = 'lamp' GROUP BY ALL HAVING count() = 2 AND uniqExact(topic_id) = 2)";
    until(store, pairs, 3).await;
}

async fn rows_that_cannot_be_played_are_said(up: &Up, store: &Client, city: &Path, folder: &Path) {
    let rows = "station,when,lon,lat,mph\n\
                a,2024-03-10 01:30,121.25,31.5,10\n\
                a,2024-03-10 02:30,121.25,31.5,10\n\
                a,2024-03-10 03:30,121.25,31.5,20\n\
                a,2024-03-10 04:30,121.25,31.5,fast\n\
                a,2024-03-10 05:30\n";
    let file = folder.join("past.csv");
    std::fs::write(&file, rows).expect("file");
    let args = [file.to_str().expect("path"), "--feed", "past"];

    let refused = replay(up, city, &[&args[..], &["--strict"]].concat());
    assert_refused(&refused, &["3 of 5 rows cannot be read, and --strict was given; nothing was sent"]);
    let missing = replay(up, city, &[args[0], "--feed", "pats"]);
    assert_refused(&missing, &["city.toml knows no feed `pats`"]);

    let output = replay(up, city, &args);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    for line in [
        "past.csv: line 3: time: from `when`: `2024-03-10 02:30` was skipped by the clocks of America/Los_Angeles",
        "past.csv: line 5: values.wind: from `mph`: `fast` is not a number",
        "past.csv: line 6: has 2 cells, the header 5",
        "5 rows read, 3 of them cannot be played; events of 2024-03-10T09:30:00Z to 2024-03-10T10:30:00Z",
        "2 of 5 rows sent to observations.v1, 3 could not be read",
    ] {
        assert!(said.contains(line), "not said: {line}\n{said}");
    }
    let rows = "SELECT count() FROM observations WHERE feed = 'past' AND NOT late AND time IN \
                ('2024-03-10 09:30:00', '2024-03-10 10:30:00') AND value_numbers[1] IN (4.4704, 8.9408)";
    until(store, rows, 2).await;
    let windows =
        "SELECT toInt64(sum(count)) FROM area_metrics WHERE metric = 'weather.wind' AND window_s = 60 AND closed";
    until(store, windows, 2).await;
}
