//! What tests of single services share: a small city, the archive in this process, questions to ClickHouse.

use gridwarden_bus::Producer;
use gridwarden_bus::topics::{LAYERS, REGISTRY};
use gridwarden_domain::layer::{Area, LayerHead, LayerRecord, Level, version_of};
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_tests::parts::{Parts, folder, free_address};
use std::path::PathBuf;
use std::time::Duration;

/// A city of two cells (`a` west, `b` east, each a degree wide) under `C`, an entity `fixed` in `b`, a feed `past`. It keeps
/// sketches of `air.t` and quantiles of `air.pm25`.
pub(crate) struct City {
    /// Its folder.
    pub(crate) folder: PathBuf,
}

impl City {
    /// Writes the part of its folder that is not in Kafka.
    pub(crate) fn make(test: &str) -> Self {
        let folder = folder(test).join("city");
        std::fs::create_dir_all(&folder).expect("folder");
        let text = "name = { en = \"Test\" }\ntimezone = \"UTC\"\n[[feeds]]\nname = \"past\"\nhistorical = true\n\
            [[sketches]]\nmetric = \"air.t\"\nquantiles = true\ndistinct = \"source\"\n\
            [[sketches]]\nmetric = \"air.pm25\"\nquantiles = true\n";
        std::fs::write(folder.join("city.toml"), text).expect("city.toml");
        Self { folder }
    }

    /// Publishes layer and registry, and waits until they are in force.
    pub(crate) async fn publish(&self, producer: &Producer) {
        self.draw(producer, 1.0).await;
    }

    /// The same with another border between the cells.
    pub(crate) async fn draw(&self, producer: &Producer, border: f64) {
        let level = |id: &str| Level { id: id.to_owned(), name: Default::default() };
        let head = LayerHead {
            layer: "grid".to_owned(),
            title: Default::default(),
            levels: vec![level("city"), level("cell")],
            main: true,
            partition: false,
        };
        let areas = vec![area("C", None), area("a", Some((0.0, border))), area("b", Some((border, 2.0)))];
        let (version, hash) = version_of(&head, &areas);
        let count = u32::try_from(areas.len()).expect("three");
        for area in areas {
            let key = format!("grid/{version}/{}", area.code);
            let record = LayerRecord::Area { layer: "grid".to_owned(), version: version.clone(), area };
            layer(producer, &key, &record).await;
        }
        let key = format!("grid/{version}");
        layer(producer, &key, &LayerRecord::Closing { head, version, count, hash }).await;
        let fixed = br#"{"id":"fixed","kind":"air","position":{"lon":1.5,"lat":0.5}}"#;
        producer.send(REGISTRY, Some(b"fixed"), Some(fixed), &[]).await.expect("registry");
        // In force for what is appended two seconds later; there is no event to wait for.
        tokio::time::sleep(Duration::from_millis(2100)).await;
    }
}

fn area(code: &str, bounds: Option<(f64, f64)>) -> Area {
    let square = |(w, e): (f64, f64)| vec![vec![vec![[w, 0.0], [e, 0.0], [e, 1.0], [w, 1.0], [w, 0.0]]]];
    Area {
        code: code.to_owned(),
        level: u8::from(bounds.is_some()),
        name: Default::default(),
        parent: bounds.map(|_| "C".to_owned()),
        valid_from: None,
        valid_to: None,
        priority: None,
        polygons: bounds.map(square),
    }
}

async fn layer(producer: &Producer, key: &str, record: &LayerRecord) {
    let payload = serde_json::to_vec(record).expect("JSON");
    producer.send(LAYERS, Some(key.as_bytes()), Some(&payload), &[]).await.expect("layer");
}

/// A service in this process; why it ended is said, for whoever waits for it in vain.
pub(crate) async fn told(name: &str, service: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let ended = service.await;
    if let Err(why) = &ended {
        eprintln!("{name} ended: {why:#}");
    }
    ended
}

/// The archive, running in this process.
pub(crate) struct Archive {
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    base: String,
}

impl Archive {
    /// Starts it with small blocks.
    pub(crate) async fn start(parts: &Parts, city: &City) -> Self {
        Self::start_with(parts, city, |_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn start_with(
        parts: &Parts,
        city: &City,
        change: impl FnOnce(&mut gridwarden_archive::ArchiveSection),
    ) -> Self {
        let mut config = gridwarden_archive::config(None).expect("defaults");
        config.kafka = parts.kafka.clone();
        config.clickhouse = parts.clickhouse.clone();
        config.city.folder = city.folder.clone();
        config.crashes.folder = city.folder.with_file_name("crashes");
        config.archive.block_rows = 700;
        config.archive.block_ms = 200;
        change(&mut config.archive);
        let free = free_address();
        config.http.listen = free;
        let shutdown = Shutdown::new();
        let task = tokio::spawn(told("archive", gridwarden_archive::run(config, shutdown.clone())));
        Self { shutdown, task, base: format!("http://{free}") }
    }

    /// Its figures.
    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics").await
    }

    /// What it says of its readiness.
    pub(crate) async fn readiness(&self) -> String {
        self.get("/readyz").await
    }

    async fn get(&self, path: &str) -> String {
        match reqwest::get(format!("{}{path}", self.base)).await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    /// Waits until it reads.
    pub(crate) async fn until_ready(&self) {
        gridwarden_tests::wait::until_async("the archive to be ready", Duration::from_secs(60), || async {
            let said = self.readiness().await;
            if said.contains("\"ok\":true") { Ok(()) } else { Err(said) }
        })
        .await;
    }

    /// Waits until it ends by itself: why.
    pub(crate) async fn ended(self) -> String {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.task).await;
        let ended = ended.expect("the archive ends by itself").expect("task");
        format!("{:#}", ended.expect_err("it ended with an error"))
    }

    /// Ends it; it must end well and in time.
    pub(crate) async fn stop(self) {
        self.shutdown.trigger("test");
        let ended =
            tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("the archive ends within 10 s");
        ended.expect("task").expect("the archive ends well");
    }
}

/// Asks ClickHouse; the answer as text. Panics with its words when it refuses.
pub(crate) async fn query(parts: &Parts, sql: &str) -> String {
    match ask(parts, sql).await {
        Ok(text) => text,
        Err(words) => panic!("{sql}: {words}"),
    }
}

/// The number a query answers with; 0 while the table is not there.
pub(crate) async fn count(parts: &Parts, sql: &str) -> u64 {
    ask(parts, sql).await.ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

async fn ask(parts: &Parts, sql: &str) -> Result<String, String> {
    let url = format!("{}/?database={}", parts.clickhouse.url, parts.clickhouse.database);
    let answer =
        reqwest::Client::new().post(url).body(sql.to_owned()).send().await.map_err(|error| error.to_string())?;
    let ok = answer.status().is_success();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if ok { Ok(text) } else { Err(text) }
}

/// A real browser looks at a page: `tests/browser/<script>` says what it checks.
pub(crate) async fn browser(script: &'static str, given: Vec<(&'static str, String)>) {
    let looked = tokio::task::spawn_blocking(move || {
        let root = gridwarden_tests::packs::workspace();
        let mut command = std::process::Command::new(root.join("infra/with-node.sh"));
        command.arg("node").arg(root.join("tests/browser").join(script)).current_dir(root.join("dashboards/web"));
        command.envs(given).output().expect("node starts")
    });
    let output = looked.await.expect("thread");
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the page fails in the browser:\n{said}");
}
