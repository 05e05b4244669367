//! A console in this process over a real broker and engine, with a door between it and the engine, and what stands there.

use super::door::Door;
use crate::support::{City, query};
use gridwarden_bus::{Producer, ProducerOptions, topics};
use gridwarden_console::Config;
use gridwarden_domain::layer::{Area, LayerHead, LayerRecord, Level, version_of};
use gridwarden_runtime::config;
use gridwarden_runtime::secrets::Secret;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_tests::http::Client;
use gridwarden_tests::parts::{Parts, free_address};
use gridwarden_tests::wait;
use std::time::Duration;

pub(crate) const TOKEN: &str = "root";
const SOON: Duration = Duration::from_secs(30);

/// The running console and its parts.
pub(crate) struct Town {
    pub(crate) parts: Parts,
    pub(crate) door: Door,
    pub(crate) base: String,
    pub(crate) city: City,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Town {
    /// Makes tables and topics, publishes a city of two cells `a` and `b` under `C`, and starts a console.
    pub(crate) async fn start(test: &str, change: impl FnOnce(&mut Config)) -> Self {
        let parts = Parts::named(test);
        gridwarden_store::migrate(&parts.clickhouse).await.expect("tables");
        topics::ensure(&parts.kafka, &[]).await.expect("topics");
        let city = City::make(test);
        city.publish(&Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer")).await;
        let door = Door::open(&parts.clickhouse.url).await;

        let defaults = gridwarden_console::config::DEFAULTS;
        let mut own: Config = config::load_with("console", defaults, None, []).expect("defaults");
        own.kafka = parts.kafka.clone();
        own.clickhouse = parts.clickhouse.clone();
        own.clickhouse.url = door.url();
        own.city.folder = city.folder.clone();
        own.auth.admin_token = Some(Secret::literal(TOKEN));
        own.live.tick_ms = 200;
        own.http.listen = free_address();
        change(&mut own);
        let base = format!("http://{}", own.http.listen);
        let shutdown = Shutdown::new();
        let task = tokio::spawn(gridwarden_console::run(own, shutdown.clone()));
        let town = Self { parts, door, base, city, shutdown, task };
        let client = town.client();
        wait::until_async("the console to be ready", SOON, || async {
            let (status, body) = client.get("/readyz").await?;
            if status == 200 { Ok(()) } else { Err(body) }
        })
        .await;
        town
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base, Some(TOKEN))
    }

    /// Ends it; it must end well and in time.
    pub(crate) async fn stop(self) {
        self.shutdown.trigger("test");
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        ended.expect("the console ends within 10 s").expect("task").expect("the console ends well");
    }

    /// Publishes the layer anew: one cell only, from west to east.
    pub(crate) async fn redraw(&self) {
        let producer = Producer::new(&self.parts.kafka, &ProducerOptions::named("test")).expect("producer");
        let level = |id: &str| Level { id: id.to_owned(), name: Default::default() };
        let (layer, levels) = ("grid".to_owned(), vec![level("city"), level("cell")]);
        let head = LayerHead { layer: layer.clone(), title: Default::default(), levels, main: true, partition: false };
        let area = |code: &str, level: u8, parent: Option<&str>| Area {
            code: code.to_owned(),
            level,
            name: Default::default(),
            parent: parent.map(str::to_owned),
            valid_from: None,
            valid_to: None,
            priority: None,
            polygons: parent.map(|_| vec![vec![vec![[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0], [0.0, 0.0]]]]),
        };
        let areas = vec![area("C", 0, None), area("a", 1, Some("C"))];
        let (version, hash) = version_of(&head, &areas);
        let count = u32::try_from(areas.len()).expect("two");
        let mut records: Vec<(String, LayerRecord)> = Vec::new();
        for area in areas {
            let key = format!("grid/{version}/{}", area.code);
            records.push((key, LayerRecord::Area { layer: layer.clone(), version: version.clone(), area }));
        }
        records.push((format!("grid/{version}"), LayerRecord::Closing { head, version, count, hash }));
        for (key, record) in records {
            let payload = serde_json::to_vec(&record).expect("JSON");
            producer.send(topics::LAYERS, Some(key.as_bytes()), Some(&payload), &[]).await.expect("sent");
        }
    }

    /// Windows of `air.pm25` that began `ago_s` ago: of both lengths, at both levels; the city has seen both cells.
    pub(crate) async fn windows(&self, ago_s: u32, a: f64, b: f64) {
        let begin = format!("toDateTime(intDiv(toUnixTimestamp(now()) - {ago_s}, 60) * 60, 'UTC')");
        for window in [10, 60] {
            let row = |level: &str, code: &str, count: u8, sum: f64, last: f64| {
                format!(
                    "SELECT 'grid', '{level}', '{code}', 'air.pm25', {window}, {begin}, {count}, {count}, {sum}, {}, {}, \
                     {last}, {begin}, true",
                    a.min(b),
                    a.max(b),
                )
            };
            let rows = [row("cell", "a", 1, a, a), row("cell", "b", 1, b, b), row("city", "C", 2, a + b, b)];
            query(
                &self.parts,
                &format!("INSERT INTO area_windows_rows (* EXCEPT written_at) {}", rows.join(" UNION ALL ")),
            )
            .await;
        }
    }

    /// Sketches of `air.pm25` in the city, of both lengths: eight values of about 10, one of 20, one of 30.
    pub(crate) async fn sketches(&self, ago_s: u32) {
        let begin = format!("toDateTime(intDiv(toUnixTimestamp(now()) - {ago_s}, 60) * 60, 'UTC')");
        let insert = format!(
            "INSERT INTO area_sketches_rows (* EXCEPT written_at) SELECT 'grid', 'city', 'C', 'air.pm25', \
             arrayJoin([10, 60]), {begin}, 10, 10, [10.05, 20, 30], [8, 1, 1], [], [], true"
        );
        query(&self.parts, &insert).await;
    }

    /// Entities `e0`… of a kind, all a step farther than before.
    pub(crate) async fn entities(&self, many: u32, step: u32) {
        let insert = format!(
            "INSERT INTO entity_latest_rows SELECT 'e' || toString(number), 'vehicle', \
             toUInt64(toUnixTimestamp64Milli(now64(3))) * 1048576, now64(3), now64(3), 'test', \
             0.1 + number * 0.000001 + {step} * 0.0001, 0.5, ['grid', 'grid'], ['a', 'C'], ['speed_kmh'], [12.5] \
             FROM numbers({many})"
        );
        query(&self.parts, &insert).await;
    }

    /// A transition of alert `id`, raised in cell `a`.
    pub(crate) async fn alert(&self, id: &str, seq: u32, transition: &str) {
        let insert = format!(
            "INSERT INTO alerts_rows SELECT '{id}', {seq}, '{transition}', 0, 'dust', 1, 'threshold', 'major', 'Dust', \
             '扬尘', 'entity', 'fixed', now64(3), now64(3), now64(3), generateUUIDv4(), 0, {seq}, 0.5, 0.5, \
             ['grid', 'grid'], ['a', 'C'], 'pm25', 180, 150, false, 'expected', 'likely', \
             if({seq} = 1, ['0a/3/7', '0a/3/9'], [])"
        );
        query(&self.parts, &insert).await;
    }

    /// A storm of rule `dust` that goes on, and has held back so many.
    pub(crate) async fn storm(&self, held_back: u32) {
        let insert = format!(
            "INSERT INTO storms_rows SELECT 's', 'dust', 'major', 'Dust', '扬尘', 600, toDateTime64(1700000000, 3), NULL, \
             {held_back}, false, {held_back} * 2"
        );
        query(&self.parts, &insert).await;
    }

    /// An observation, a report in both areas, one without a place, and a reject; the reports twice, as a retry may leave them.
    pub(crate) async fn archived(&self) {
        for insert in [
            "INSERT INTO observations_rows SELECT generateUUIDv4(), 0, 1, now64(3), now64(3), 'test', 'fixed', 'air', 'o1', \
             1.5, 0.5, NULL, ['grid', 'grid'], ['b', 'C'], ['pm25'], [12.5], map(), false, false",
            "INSERT INTO reports_rows SELECT generateUUIDv4(), 0, number, now64(3), now64(3), 'test', 'r' || toString(number), \
             'hotline', 'v1', 'event', '0102', if(number = 0, 0.5, NULL), if(number = 0, 0.5, NULL), NULL, \
             if(number = 0, ['grid', 'grid'], []), if(number = 0, ['a', 'C'], []), 'rubbish', map('ward', 'a'), '', [], '', \
             'x-1', '', false, false FROM numbers(2)",
            "INSERT INTO rejects_rows (topic_id, partition, offset, topic, code, field, detail, appended_at, first_seen, payload) \
             SELECT generateUUIDv4(), 0, 7, 'observations.v1', 'not_json', 'time', 'is missing', \
             now64(3), now64(3), '{'",
            "INSERT INTO reports_rows SETTINGS insert_deduplicate = 0 SELECT * FROM reports_rows",
        ] {
            query(&self.parts, insert).await;
        }
    }
}
