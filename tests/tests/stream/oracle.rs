//! Final windows are a recount of the topics: by a plain consumer, over every layer and level, areas that overlap included.

use super::sketches::Plain;
use super::*;
use crate::support::query;
use gridwarden_bus::topics::{LAYERS, REPORTS};
use gridwarden_domain::layer::{Area, LayerHead, LayerRecord, version_of};
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::folder;
use gridwarden_tests::role::Ground;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

const DAY_MS: i64 = 86_400_000;

/// Besides the grid (`C` over `a` from 0 to 1 and `b` from 1 to 2): beats that overlap, one of them under nothing.
const BEATS: (&str, &str) = (
    r#"{"layer":"beats","levels":[{"id":"town"},{"id":"beat"}]}"#,
    r#"[{"code":"X","level":0},
        {"code":"p","level":1,"parent":"X","polygons":[[[[0,0],[1,0],[1,1],[0,1]]]]},
        {"code":"q","level":1,"parent":"X","polygons":[[[[0.5,0],[1.5,0],[1.5,1],[0.5,1]]]]},
        {"code":"lone","level":1,"polygons":[[[[0.25,0],[2,0],[2,1],[0.25,1]]]]}]"#,
);

/// (layer, level, code, west, east) of everything, by hand.
const AREAS: [(&str, &str, &str, f64, f64); 7] = [
    ("grid", "city", "C", 0.0, 2.0),
    ("grid", "cell", "a", 0.0, 1.0),
    ("grid", "cell", "b", 1.0, 2.0),
    ("beats", "town", "X", 0.0, 1.5),
    ("beats", "beat", "p", 0.0, 1.0),
    ("beats", "beat", "q", 0.5, 1.5),
    ("beats", "beat", "lone", 0.25, 2.0),
];

pub(super) async fn publish_beats(producer: &Producer) {
    let head: LayerHead = serde_json::from_str(BEATS.0).expect("head");
    let areas: Vec<Area> = serde_json::from_str(BEATS.1).expect("areas");
    let (version, hash) = version_of(&head, &areas);
    let mut records: Vec<(String, LayerRecord)> = Vec::new();
    let count = areas.len() as u32;
    for area in areas {
        let key = format!("beats/{version}/{}", area.code);
        records.push((key, LayerRecord::Area { layer: "beats".to_owned(), version: version.clone(), area }));
    }
    records.push((format!("beats/{version}"), LayerRecord::Closing { head, version, count, hash }));
    for (key, record) in records {
        let payload = serde_json::to_vec(&record).expect("JSON");
        producer.send(LAYERS, Some(key.as_bytes()), Some(&payload), &[]).await.expect("layer");
    }
}

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A city's noise: good ones, repeats, late ones, ones from the future, garbage.
pub(super) fn events(dice: &mut Dice, count: usize) -> Vec<(String, String)> {
    let mut events: Vec<(String, String)> = Vec::new();
    for number in 0..count {
        let source = format!("s{}", dice.roll(30));
        let kind = ["air", "noise", "air-sub"][dice.roll(3) as usize];
        let mut time = now_ms() - dice.roll(40_000) as i64;
        let mut place = format!(r#","position":{{"lon":{:.3},"lat":0.5}}"#, dice.roll(2_200) as f64 / 1000.0);
        match dice.roll(40) {
            0 => time -= 8 * DAY_MS,
            1 => time += 120_000,
            2 => time -= 700_000,
            3 => place.clear(),
            4 => {
                let again = events.len().saturating_sub(1 + dice.roll(5) as usize);
                if let Some(before) = events.get(again).cloned() {
                    events.push(before);
                    continue;
                }
            }
            5 => {
                events.push((source, "{\"source\":".to_owned()));
                continue;
            }
            _ => {}
        }
        let (t, u) = (dice.roll(20_000) as f64 / 100.0 - 100.0, dice.roll(1_000));
        let values = if dice.roll(4) == 0 { format!(r#""t":{t}"#) } else { format!(r#""u":{u},"t":{t}"#) };
        let id = if dice.roll(2) == 0 { format!(r#""id":"{number}","#) } else { String::new() };
        let text = format!(r#"{{{id}"source":"{source}","kind":"{kind}","time":{time}{place},"values":{{{values}}}}}"#);
        events.push((source, text));
    }
    events
}

pub(super) fn reports(dice: &mut Dice, count: usize) -> Vec<(String, String)> {
    let one = |number: usize| {
        let place = match dice.roll(4) {
            0 => r#","area":"C""#.to_owned(),
            1 => r#","area":"beats/p""#.to_owned(),
            2 => String::new(),
            _ => format!(r#","position":{{"lon":{:.3},"lat":0.5}}"#, dice.roll(2_200) as f64 / 1000.0),
        };
        let (id, code, time) = (number / 2, dice.roll(3), now_ms() - dice.roll(40_000) as i64);
        let text = format!(
            r#"{{"id":"{id}","channel":"hotline","class":{{"catalogue":"c","kind":"event","code":"0{code}"}},"time":{time}{place}}}"#
        );
        (id.to_string(), text)
    };
    (0..count).map(one).collect()
}

/// A record as a plain consumer sees it.
struct Seen {
    partition: i32,
    offset: i64,
    appended: i64,
    text: String,
}

fn seen(kafka: &KafkaConfig, topic: &str) -> Vec<Seen> {
    let mut seen = read_all(kafka, topic, |record| Seen {
        partition: record.partition,
        offset: record.offset,
        appended: record.appended_ms,
        text: String::from_utf8_lossy(record.payload.unwrap_or_default()).into_owned(),
    });
    seen.sort_by_key(|record| (record.partition, record.offset));
    seen
}

/// count, sum, min, max in millionths; last by (time, partition, offset).
type Sum = (u64, i64, i64, i64, (i64, i32, i64), i64);

#[derive(Default)]
pub(super) struct Recount {
    windows: BTreeMap<(String, String, String, String, i64, i64), Sum>,
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    pub(super) late: u64,
    pub(super) rejected: u64,
    pub(super) too_late: u64,
    ids: HashMap<String, i64>,
    clocks: HashMap<i32, i64>,
    plain: Plain,
}

impl Recount {
    fn of(kafka: &KafkaConfig) -> Self {
        let mut recount = Self::default();
        for record in seen(kafka, OBSERVATIONS) {
            recount.take(&record, |said| {
                let kind = said["kind"].as_str().expect("kind").to_owned();
                let values = said["values"].as_object().expect("values").iter();
                let mut metrics: Vec<(String, f64)> =
                    values.map(|(name, value)| (format!("{kind}.{name}"), value.as_f64().expect("a number"))).collect();
                metrics.push((kind.clone(), 1.0));
                let id = said["id"].as_str().map(|id| format!("{}/{kind}/{id}", said["source"]));
                (metrics, id)
            });
        }
        recount.clocks.clear();
        recount.ids.clear();
        for record in seen(kafka, REPORTS) {
            recount.take(&record, |said| {
                let class = format!("reports.{}", said["class"]["code"].as_str().expect("code"));
                (vec![("reports".to_owned(), 1.0), (class, 1.0)], said["id"].as_str().map(str::to_owned))
            });
        }
        recount
    }

    fn take(&mut self, record: &Seen, read: impl Fn(&Value) -> (Vec<(String, f64)>, Option<String>)) {
        let clock = self.clocks.entry(record.partition).or_insert(record.appended);
        *clock = record.appended.max(*clock);
        let oldest = *clock - 10_000 - 600_000;
        let Ok(said) = serde_json::from_str::<Value>(&record.text) else {
            self.rejected += 1;
            return;
        };
        let time = said["time"].as_i64().expect("time");
        if time > record.appended + 60_000 {
            self.rejected += 1;
        } else if time < record.appended - 7 * DAY_MS {
            self.late += 1;
        } else {
            let (metrics, id) = read(&said);
            let id = id.map(|id| format!("{}/{id}", record.partition));
            if id.is_some_and(|id| self.ids.insert(id, record.appended).is_some()) {
                self.duplicate += 1;
                return;
            }
            self.accepted += 1;
            if time < oldest {
                self.too_late += 1;
                return;
            }
            for (layer, level, code) in places(&said) {
                for (metric, value) in &metrics {
                    if metric == "air.t" {
                        let source = said["source"].as_str().expect("source").to_owned();
                        self.plain.add((layer, level, code), (time, millionths(*value), source));
                    }
                    self.add((layer, level, code), metric, *value, (time, record.partition, record.offset));
                }
            }
        }
    }

    fn add(&mut self, area: (&str, &str, &str), metric: &str, value: f64, at: (i64, i32, i64)) {
        let value = millionths(value);
        for length in [10, 60] {
            let start = at.0.div_euclid(length * 1000) * length;
            let (layer, level, code) = area;
            let key = (layer.to_owned(), level.to_owned(), code.to_owned(), metric.to_owned(), length, start);
            let sum = self.windows.entry(key).or_insert((0, 0, i64::MAX, i64::MIN, (i64::MIN, 0, 0), 0));
            *sum = (sum.0 + 1, sum.1 + value, sum.2.min(value), sum.3.max(value), sum.4, sum.5);
            if at >= sum.4 {
                (sum.4, sum.5) = (at, value);
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let line = |((layer, level, code, metric, length, start), (count, sum, min, max, at, last)): (&_, &Sum)| {
            format!(
                "{layer}\t{level}\t{code}\t{metric}\t{length}\t{start}\t{count}\t{sum}\t{min}\t{max}\t{last}\t{}",
                at.0
            )
        };
        let mut lines: Vec<String> = self.windows.iter().map(line).collect();
        lines.sort();
        lines
    }
}

fn millionths(value: f64) -> i64 {
    (value * 1e6).round() as i64
}

/// Where a message lies, by hand: every area once.
fn places(said: &Value) -> Vec<(&'static str, &'static str, &'static str)> {
    let lon = said["position"]["lon"].as_f64();
    let code = said["area"].as_str();
    let lies = |(layer, _, of, west, east): &(&str, &str, &str, f64, f64)| match (lon, code) {
        (Some(lon), _) => *west <= lon && lon < *east,
        (None, Some("C")) => *of == "C",
        (None, Some("beats/p")) => *layer == "beats" && (*of == "p" || *of == "X"),
        _ => false,
    };
    AREAS.iter().filter(|area| lies(area)).map(|(layer, level, code, ..)| (*layer, *level, *code)).collect()
}

pub(super) async fn recount(parts: &Parts) -> Recount {
    let kafka = parts.kafka.clone();
    tokio::task::spawn_blocking(move || Recount::of(&kafka)).await.expect("task")
}

/// Waits until the windows in ClickHouse are the recounted ones.
pub(super) async fn until_equal(parts: &Parts, recount: &Recount) {
    let sql = "SELECT layer, level, code, metric, window_s, toUnixTimestamp(window_start), count, toInt64(sum * 1000000), \
               toInt64(min * 1000000), toInt64(max * 1000000), toInt64(last * 1000000), toUnixTimestamp64Milli(last_time) \
               FROM area_metrics";
    let expected = recount.lines();
    assert!(expected.len() > 300, "{}", expected.len());
    wait::until_async("windows as recounted", SOON, || async {
        let there = count(parts, "SELECT count() FROM area_metrics").await;
        if there != expected.len() as u64 {
            return Err(format!("{there} rows of {}", expected.len()));
        }
        let text = query(parts, sql).await;
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let differ = lines.iter().zip(&expected).find(|(is, should)| **is != should.as_str());
        differ.map_or(Ok(()), |(is, should)| Err(format!("is {is}\nshould be {should}")))
    })
    .await;
    recount.plain.until_equal(parts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_a_recount_of_the_topics_on_every_level_of_every_layer() {
    const TEST: &str = "stream_oracle";
    let parts = Parts::named(TEST);
    let producer = topics(&parts).await;
    publish_beats(&producer).await;
    let city = City::make(TEST);
    city.publish(&producer).await;
    let mut dice = Dice(1);
    send(&producer, OBSERVATIONS, &events(&mut dice, 1_500)).await;
    send(&producer, REPORTS, &reports(&mut dice, 200)).await;
    // Half is the past when the stream starts, half comes while it watches.
    let stream = Stream::start(&parts, &city).await;
    stream.until("gridwarden_stream_records_read_total", 1_700.0).await;
    for _ in 0..10 {
        send(&producer, OBSERVATIONS, &events(&mut dice, 150)).await;
    }
    let recounted = recount(&parts).await;
    until_equal(&parts, &recounted).await;
    let metrics = stream.until_conserved(3_200).await;
    let of = |name: &str| sum(&metrics, &format!("gridwarden_stream_records_{name}_total")) as u64;
    let counts = ["accepted", "duplicate", "late", "rejected", "too_late_for_windows"].map(of);
    let Recount { accepted, duplicate, late, rejected, too_late, .. } = recounted;
    assert_eq!(counts, [accepted, duplicate, late, rejected, too_late]);
    assert!(duplicate > 20 && late > 10 && rejected > 20 && too_late > 10, "{counts:?}");
    stream.stop().await;

    // From the beginning, by one worker, into an empty database: all of it is the past now.
    let mut again = parts.clone();
    again.clickhouse.database = format!("{TEST}_again");
    let stream = Stream::with_workers(&again, &city, 1).await;
    until_equal(&again, &recounted).await;
    stream.stop().await;
}

/// Rules over several entities. Nobody is forgotten while the test lasts: that goes by the wall clock.
const TOGETHER: [(&str, &str); 4] = [
    (
        "crowd",
        r#""density":{"place":{"circle":{"centre":[1.0,0.5],"radius_m":60000}},"at_least":10,"clear_below":9,"within_s":86400}"#,
    ),
    ("beat", r#""density":{"place":{"each":"beats"},"at_least":4,"hold_s":2,"within_s":86400}"#),
    ("near", r#""proximity":{"within_m":2000,"clear_m":5000,"within_s":86400}"#),
    (
        "spots",
        r#""cluster":{"at_least":3,"within_m":9000,"within_s":3600,"reports":[],"when":{"value":"t","side":"above","level":20}}"#,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_loses_nothing_and_says_nothing_twice() {
    const TEST: &str = "stream_killed";
    const KILLS: usize = 8;
    let rule = r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"minor","select":{"kinds":["air"]},
        "threshold":{"value":"t","side":"above","level":50,"clear":-50}}"#;
    let parts = Parts::named(TEST);
    let producer = topics(&parts).await;
    publish_rule(&producer, "hot", Some(rule)).await;
    for (id, condition) in TOGETHER {
        let rule = format!(r#"{{"id":"{id}","version":1,"title":{{"en":"x"}},"severity":"minor",{condition}}}"#);
        publish_rule(&producer, id, Some(&rule)).await;
    }
    publish_beats(&producer).await;
    let city = City::make(TEST);
    city.publish(&producer).await;
    let feeding = tokio::spawn({
        let producer = producer.clone();
        async move {
            let mut dice = Dice(2);
            for _ in 0..40 {
                send(&producer, OBSERVATIONS, &events(&mut dice, 75)).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let said = async || alerts_of(&parts).await.len();
    let ground = Ground { test: TEST, parts: &parts, city: &city.folder };
    for kill in 0..KILLS {
        // Each time when some more was said than before, in the middle of whatever it does: checkpoints among it.
        let before = said().await;
        let workers = (1 + kill % 3).to_string();
        let settings = [
            ("GRIDWARDEN_CHECKPOINTS__EVERY_MS", "100"),
            ("GRIDWARDEN_STREAM__WORKERS", workers.as_str()),
            ("GRIDWARDEN_STREAM__WRITE_MS", "100"),
        ];
        let mut process = ground.start("stream", &[], &settings);
        wait::until_async(&format!("something new before kill {kill}"), SOON, || async {
            let now = said().await;
            if now > before || feeding.is_finished() { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
        // Where starting takes long all others may have ended before their first checkpoint: the last one writes some.
        if kill == KILLS - 1 {
            process.until("checkpoints_total", 3.0).await;
        }
        process.kill();
    }
    feeding.await.expect("all is sent");
    let stream = Stream::start(&parts, &city).await;
    let recounted = recount(&parts).await;
    until_equal(&parts, &recounted).await;
    assert!(stream.figure("gridwarden_stream_records_read_total").await < 3_000.0, "it did not begin anew");
    until_all_said(&stream).await;
    stream.stop().await;

    // One that knows no checkpoint and reads all of it in one go would have said the same.
    let fresh = City { folder: folder(TEST).join("fresh/city") };
    std::fs::create_dir_all(&fresh.folder).expect("folder");
    std::fs::copy(city.folder.join("city.toml"), fresh.folder.join("city.toml")).expect("city.toml");
    let stream = Stream::start(&parts, &fresh).await;
    stream.until_conserved(3_000).await;
    until_all_said(&stream).await;
    let decided = stream.figure("gridwarden_stream_alerts_total").await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_known_total").await, decided, "nothing was left to say");
    until_equal(&parts, &recounted).await;
    let (found, mut of_alert) = (alerts_of(&parts).await, HashMap::<String, Vec<u32>>::new());
    for alert in &found {
        of_alert.entry(alert.id.clone()).or_default().push(alert.seq);
    }
    // A transition under way when the process died may stand there twice; readers know it by its number.
    for seqs in of_alert.values_mut() {
        seqs.dedup();
        assert!(*seqs == [1] || *seqs == [1, 2], "{seqs:?}");
    }
    assert_eq!(of_alert.values().map(Vec::len).sum::<usize>() as f64, decided, "nothing is missing");
    assert!(decided > 50.0, "{decided}");
    for (id, _) in TOGETHER {
        assert!(found.iter().any(|alert| alert.rule == id), "{id} says something");
    }
    stream.stop().await;
}

/// Waits until every transition decided on is acknowledged, or was known.
pub(super) async fn until_all_said(stream: &Stream) {
    wait::until_async("all alerts acknowledged", SOON, || async {
        let of = async |name: &str| stream.figure(&format!("gridwarden_stream_{name}")).await;
        // What waits for rules over several entities is not decided yet.
        let waiting = of("together_waiting").await;
        let (decided, known, told) =
            (of("alerts_total").await, of("alerts_known_total").await, of("alert_seconds_count").await);
        if waiting == 0.0 && decided == known + told {
            Ok(())
        } else {
            Err(format!("{decided} {known} {told} {waiting}"))
        }
    })
    .await;
}
