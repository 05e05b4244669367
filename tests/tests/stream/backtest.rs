//! `BKT-1…4`: what rules would have said of the past, from the archive and from the topics, is what they said of it live, by the real
//! binary.

use super::recompute::file;
use super::*;
use crate::support::Archive;
use gridwarden_domain::alert::Subject;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::binary;
use gridwarden_tests::wire::Wire;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

fn hot(version: u32, level: u32) -> String {
    format!(
        r#"{{"id":"hot","version":{version},"title":{{"en":"Hot"}},"severity":"major",
            "threshold":{{"value":"t","side":"above","level":{level},"clear":50}}}}"#
    )
}

const IN_B: &str = r#"{"id":"in-b","version":1,"title":{"en":"In b"},"severity":"minor",
    "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"inside"}}"#;
const STAYS: &str = r#"{"id":"stays","version":1,"title":{"en":"Stays in a"},"severity":"minor",
    "fence":{"shape":{"area":{"layer":"grid","code":"a"}},"on":"dwell","hold_s":3}}"#;

const NEAR: &str = r#"{"id":"near","version":1,"title":{"en":"Near"},"severity":"minor",
    "proximity":{"within_m":5000,"clear_m":9000,"within_s":86400}}"#;
const CROWD: &str = r#"{"id":"crowd","version":1,"title":{"en":"Crowd"},"severity":"minor",
    "density":{"place":{"each":"grid"},"at_least":3,"within_s":86400}}"#;

/// Values and longitudes that go up and down, another way for each source.
fn walk(source: u32, step: u32) -> (f64, f64) {
    let mixed = (source * 7_919 + step * step * 104_729) % 1_009;
    (f64::from(mixed % 100), f64::from(mixed % 19) / 10.0 + 0.05)
}

/// In two halves: a broker may append all of it in one millisecond, and then there is no span that holds a part of it.
async fn appended_at_two_moments(producer: &Producer, records: &[(String, String)]) {
    let (first, second) = records.split_at(records.len() / 2);
    send(producer, OBSERVATIONS, first).await;
    let appended = now_ms();
    wait::until_async("a later millisecond", SOON, || async {
        if now_ms() > appended { Ok(()) } else { Err(appended.to_string()) }
    })
    .await;
    send(producer, OBSERVATIONS, second).await;
}

const SOURCES: u32 = 5;
const STEPS: u32 = 60;

async fn output(file: &Path, args: &[String]) -> std::process::Output {
    let mut command = binary::gridwarden();
    command.args(["backtest", "--json", "--config"]).arg(file).args(args);
    tokio::task::spawn_blocking(move || command.output().expect("gridwarden starts")).await.expect("task")
}

async fn run(file: &Path, args: &[String]) -> Value {
    let output = output(file, args).await;
    assert!(output.status.success(), "{}", binary::stderr(&output));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

/// `BKT-4`: from the archive and from the topics the very same is said, of all of it and of a part.
async fn topics_say_what_the_archive_says(file: &Path, whole: &[String], parts: &Parts) {
    let middle =
        count(parts, "SELECT toUInt64(toUnixTimestamp64Milli(quantileExact(0.5)(appended_at))) FROM observations_rows")
            .await;
    let (middle, later) = (middle.to_string(), (now_ms() + 1).to_string());
    let spans = [
        words(&["--to", &later]),
        words(&["--from", &middle, "--to", &later, "--warm-up", "0"]),
        words(&["--to", &middle]),
    ];
    let mut read = Vec::new();
    for span in spans {
        let mut said = Vec::new();
        for source in ["archive", "topic", "topic"] {
            let mut outcome = run(file, &[whole, &span, &words(&["--source", source])].concat()).await;
            outcome["read_s"] = Value::Null;
            said.push(outcome);
        }
        assert_eq!(said[0], said[1], "{span:?}");
        assert_eq!(said[1], said[2], "{span:?}");
        read.push(said[0]["records"].as_u64().expect("a number"));
    }
    assert!(read[1] > 0 && read[2] > 0 && read[1] + read[2] == read[0], "{read:?}");
}

/// What left a log is not seen, and that is said.
async fn what_left_the_log_is_named(file: &Path, whole: &[String], parts: &Parts) {
    let of = "FROM (SELECT partition, count() AS held, max(offset) AS last FROM observations_rows GROUP BY partition ORDER BY held DESC, partition LIMIT 1)";
    let partition = count(parts, &format!("SELECT toUInt64(partition) {of}")).await;
    let last = count(parts, &format!("SELECT last {of}")).await;
    assert!(last > 0, "a partition with two records at least");
    let topic = parts.kafka.full_name(OBSERVATIONS);
    Wire::connect(&parts.kafka.bootstrap).delete_records(&topic, partition as i32, last as i64);
    let appended = count(parts, &format!("SELECT toUInt64(toUnixTimestamp64Milli(appended_at)) FROM observations_rows WHERE partition = {partition} AND offset = {last}")).await;
    let held = count(
        parts,
        &format!("SELECT count() FROM observations_rows WHERE NOT (partition = {partition} AND offset < {last})"),
    )
    .await;
    let output = output(file, &[whole, &words(&["--source", "topic", "--from", "1"])].concat()).await;
    assert!(output.status.success(), "{}", binary::stderr(&output));
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(outcome["records"], held);
    let cut = json!({ "topic": OBSERVATIONS, "partition": partition, "begins_at": last, "appended_at": appended });
    assert_eq!(outcome["unseen"], json!([cut]));
    let said = format!("{OBSERVATIONS}, partitions {partition}: Kafka no longer holds all that was appended before ");
    assert!(binary::stderr(&output).contains(&said), "{}", binary::stderr(&output));
}

/// `BKT-3`, and the days of a calendar: of a set that is whole retired rules do not run, drafts do; calendars are the city's.
async fn retired_rules_rest_and_calendars_are_the_citys(file: &Path, rules: &Path, city: &City) {
    let folder = rules.with_file_name("others");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = words(&["--rules", &folder.display().to_string(), "--whole"]);
    let hot = |id: &str, more: &str| {
        hot(1, 90).replace("\"hot\"", &format!("\"{id}\"")).replacen('{', &format!("{{{more}"), 1)
    };
    let write =
        |id: &str, more: &str| std::fs::write(folder.join(format!("{id}.json")), hot(id, more)).expect("written");
    write("hot", r#""state":"retired","#);
    write("draft", r#""state":"draft","#);
    let at_work = |calendar: &str| {
        format!(
            r#""schedule":{{"periods":[{{"days":["workday"],"from":"00:00","to":"24:00"}}],"calendar":"{calendar}"}},"#
        )
    };
    write("off", &at_work("off"));
    write("on", &at_work("on"));
    let refused = output(file, &path).await;
    let said = "schedule.calendar: off is no calendar of this city; it has none (rule off)";
    assert!(!refused.status.success() && binary::stderr(&refused).contains(said), "{}", binary::stderr(&refused));
    let days = three_days();
    let head = city.folder.join("city.toml");
    let text = std::fs::read_to_string(&head).expect("city.toml");
    std::fs::write(&head, format!("{text}[calendars.off]\nholidays = {days}\n[calendars.on]\nworkdays = {days}\n"))
        .expect("written");
    let outcome = run(file, &path).await;
    let said = outcome["rules"].as_array().expect("a list").iter();
    let after: BTreeMap<&str, u64> =
        said.map(|of| (of["rule"].as_str().expect("an id"), of["after"].as_u64().expect("a number"))).collect();
    let all = raised_above(90.0);
    let of = |rule: &str| after.get(rule).copied();
    assert_eq!((of("hot"), of("draft"), of("off"), of("on")), (Some(0), Some(all), Some(0), Some(all)), "{outcome}");
}

/// Yesterday, today and tomorrow in UTC, as a list.
fn three_days() -> String {
    let day = |shift: i64| {
        let moment = jiff::Timestamp::from_millisecond(now_ms() + shift * 86_400_000).expect("a moment");
        jiff::tz::TimeZone::UTC.to_datetime(moment).date().to_string()
    };
    format!("{:?}", [-1, 0, 1].map(day))
}

/// Rule, subject, event time of the raise and of the end.
type Said = (String, String, i64, Option<i64>);

fn said_live(alerts: &[Alert]) -> Vec<Said> {
    let mut by_id: BTreeMap<&str, Said> = BTreeMap::new();
    for alert in alerts {
        let fresh = || (alert.rule.clone(), alert.subject.named().1, alert.raised_at, None);
        let said = by_id.entry(&alert.id).or_insert_with(fresh);
        if alert.transition == Transition::Cleared {
            said.3 = Some(alert.time);
        }
    }
    let mut said: Vec<Said> = by_id.into_values().collect();
    said.sort();
    said
}

fn said_of_the_past(outcome: &Value) -> Vec<Said> {
    let changes = outcome["changes"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut said: Vec<Said> = changes
        .map(|change| {
            assert_eq!(change["what"], "added", "{change}");
            let raised = change["raised_at"].as_i64().expect("a moment");
            let subject: Subject = serde_json::from_value(change["subject"].clone()).expect("a subject");
            (text(&change["rule"]), subject.named().1, raised, change["cleared_at"].as_i64())
        })
        .collect();
    said.sort();
    said
}

/// How often a threshold above `level`, cleared at 50, is raised: source by source, nothing else.
fn raised_above(level: f64) -> u64 {
    let of_source = |source: u32| {
        let (mut open, mut raised) = (false, 0);
        for (value, _) in (0..STEPS).map(|step| walk(source, step)) {
            if open {
                open = value > 50.0;
            } else if value > level {
                (open, raised) = (true, raised + 1);
            }
        }
        raised
    };
    (0..SOURCES).map(of_source).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_say_of_the_archived_past_what_they_said_of_it_live_and_others_are_told_apart() {
    const TEST: &str = "stream_backtest";
    let parts = Parts::named(TEST);
    let fixed = [("in-b", IN_B), ("stays", STAYS), ("near", NEAR), ("crowd", CROWD)];
    let fixed = fixed.map(|(id, rule)| (id, rule.to_owned()));
    let rules: Vec<(&str, String)> = fixed.into_iter().chain([("hot", hot(1, 90))]).collect();
    let named: Vec<(&str, &str)> = rules.iter().map(|(id, rule)| (*id, rule.as_str())).collect();
    let (producer, city) = made(TEST, &parts, &named).await;
    let (archive, stream) = (Archive::start(&parts, &city).await, Stream::start(&parts, &city).await);
    // The last of them some seconds ahead: rules over several entities take what is not older than ten seconds.
    let begin = now_ms() - 115_000;
    let mut records = Vec::new();
    for step in 0..STEPS {
        for source in 0..SOURCES {
            let (value, lon) = walk(source, step);
            let time = begin + i64::from(step) * 2_000 + i64::from(source);
            let name = format!("s{source}");
            records.push((name.clone(), observation(&name, time, lon, value)));
        }
    }
    let count = records.len() as u64;
    appended_at_two_moments(&producer, &records).await;
    stream.until_conserved(count).await;
    oracle::until_all_said(&stream).await;
    let figure = stream.figure("gridwarden_stream_alerts_total").await;
    let live = said_live(&until_alerts(&parts, &stream, figure as usize).await);
    stream.stop().await;
    wait::until_async("everything archived", SOON, || async {
        let held = crate::support::count(&parts, "SELECT count() FROM observations_rows").await;
        if held == count { Ok(()) } else { Err(held.to_string()) }
    })
    .await;
    archive.stop().await;

    let folder = city.folder.with_file_name("rules");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (id, rule) in &rules {
        std::fs::write(folder.join(format!("{id}.json")), rule).expect("written");
    }
    let file = file(TEST, &parts, &city);
    let path = |path: &Path| path.display().to_string();
    // The rules in force, tried on the past: what was said live, and nothing else, twice.
    let whole =
        ["--rules".to_owned(), path(&folder), "--whole".to_owned(), "--against".to_owned(), "nothing".to_owned()];
    let outcome = run(&file, &whole).await;
    for (rule, _) in &rules {
        assert!(live.iter().any(|said| said.0 == *rule), "{rule}: {live:?}");
    }
    assert_eq!(said_of_the_past(&outcome), live);
    assert_eq!(outcome["records"].as_u64(), Some(count));
    assert!(outcome["changes"] == run(&file, &whole).await["changes"], "a second run says something else");

    topics_say_what_the_archive_says(&file, &whole, &parts).await;

    // One of them with another level, and a new one, against those in force.
    let tried = city.folder.with_file_name("tried.json");
    let new = r#"{"id":"cold","version":1,"title":{"en":"Cold"},"severity":"critical","threshold":{"value":"t","side":"below","level":-1}}"#;
    std::fs::write(&tried, format!("[{},{new}]", hot(2, 70))).expect("written");
    let incidents = city.folder.with_file_name("incidents.ndjson");
    let happened = |id: &str, source: &str| {
        format!(r#"{{"id":"{id}","from":{begin},"to":{},"source":"{source}"}}"#, begin + 120_000)
    };
    std::fs::write(&incidents, [happened("known", "s0"), happened("unknown", "nobody")].join("\n")).expect("written");
    let tried = ["--rules".to_owned(), path(&tried), "--incidents".to_owned(), path(&incidents)];
    let outcome = run(&file, &tried).await;
    let told = &outcome["incidents"];
    assert_eq!(
        (&told["given"], &told["after"], &told["missed"]),
        (&2.into(), &1.into(), &serde_json::json!(["unknown"]))
    );
    let of = |rule: &str| {
        let rules = outcome["rules"].as_array().expect("a list");
        rules.iter().find(|of| of["rule"] == rule).cloned().expect(rule)
    };
    let (before, after) = (raised_above(90.0), raised_above(70.0));
    assert!(before > 0 && after > before, "{before} {after}");
    let number = |value: &Value| value.as_u64().expect("a number");
    let hot = of("hot");
    assert_eq!((&hot["state"], number(&hot["before"]), number(&hot["after"])), (&"changed".into(), before, after));
    // A lower level says all a higher one says, at the same moment or before.
    assert_eq!((number(&hot["removed"]), number(&hot["added"])), (0, after - before));
    let (cold, same) = (of("cold"), of("in-b"));
    assert_eq!((&cold["state"], number(&cold["after"])), (&"new".into(), 0));
    assert_eq!((&same["state"], &same["before"], &same["added"]), (&"same".into(), &same["after"], &0.into()));
    assert_eq!(number(&same["before"]), live.iter().filter(|said| said.0 == "in-b").count() as u64);
    let totals = |side: &str| number(&outcome[side]["alerts"]);
    assert_eq!((totals("before"), totals("after")), (live.len() as u64, live.len() as u64 + after - before));
    let changes = outcome["changes"].as_array().expect("a list");
    assert!(changes.iter().all(|change| change["rule"] == "hot" && change["cause"]["offset"].is_number()), "{outcome}");
    retired_rules_rest_and_calendars_are_the_citys(&file, &folder, &city).await;
    what_left_the_log_is_named(&file, &whole, &parts).await;
}
