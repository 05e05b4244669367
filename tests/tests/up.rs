//! `gridwarden up`: everything answers, dies and comes back; nothing acknowledged is gone; what is wrong is a sentence.

use gridwarden_tests::binary::{assert_refused, gridwarden, stderr};
use gridwarden_tests::up::{self, Up};
use gridwarden_tests::{http::Client, wait};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

/// How long a killed child may take to come back on a busy machine.
const BACK: Duration = Duration::from_secs(90);

const CHILDREN: [&str; 7] = ["archive", "clickhouse", "console", "dispatch", "gateway", "kafka", "stream"];

fn blocking<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

fn status(base: &str, path: &str) -> Option<u16> {
    blocking(Client::new(base, None).get(path)).ok().map(|(status, _)| status)
}

fn child(up: &Up, name: &str) -> Option<i32> {
    up.children().into_iter().find(|(child, _)| child == name).map(|(_, pid)| pid)
}

/// Posts one observation and returns its place once Kafka has acknowledged it.
fn observe(up: &Up, source: &str, id: &str) -> Option<(i64, i64)> {
    let body = format!(
        r#"{{"id":"{id}","source":"{source}","kind":"air","time":{},"values":{{"pm25":12}}}}"#,
        jiff::Timestamp::now().as_millisecond()
    );
    let client = up.client("gateway");
    let (status, text) = blocking(client.post("/v1/observations", "application/json", body, &[])).ok()?;
    let answer: Value = serde_json::from_str(&text).ok()?;
    let record = answer["records"].get(0)?;
    (status == 202).then_some((record["partition"].as_i64()?, record["offset"].as_i64()?))
}

/// How often the archive holds an observation with this id.
fn archived(up: &Up, id: &str) -> Option<String> {
    let query = format!("SELECT count() FROM gridwarden.observations WHERE id = '{id}'");
    let client = up.client("clickhouse");
    let (status, text) = blocking(client.post("/", "text/plain", query, &[])).ok()?;
    (status == 200).then(|| text.trim().to_owned())
}

#[test]
fn everything_answers_dies_and_comes_back_and_nothing_acknowledged_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let args = ["--no-simulate", "--cells", "400"];
    let up = Up::start(&data, &args);

    for key in ["gateway", "console", "clickhouse"] {
        assert!(up.address(key).starts_with("http://127.0.0.1:"), "{}", up.ready);
    }
    assert!(up.address("kafka").starts_with("127.0.0.1:") && up.address("token").len() >= 32);
    let metrics = up.ready["metrics"].as_object().expect("metrics").clone();
    assert_eq!(metrics.keys().collect::<Vec<_>>(), ["archive", "console", "dispatch", "gateway", "stream"]);
    for (name, base) in &metrics {
        let base = base.as_str().expect("a URL");
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(status(base, path), Some(200), "{name} {path}");
        }
    }
    assert_eq!(status(&up.address("console"), "/"), Some(200), "the page needs no token");
    assert_eq!(up.children().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), CHILDREN);

    let second = gridwarden().args(["up", "--ports", "auto", "--data"]).arg(&data).output().expect("it starts");
    assert_refused(&second, &["another `gridwarden up` already runs on", &up.pid().to_string()]);

    let before = observe(&up, "probe-1", "before").expect("acknowledged");
    for name in CHILDREN {
        let pid = child(&up, name).expect("a pid file");
        up::signal(pid, libc::SIGKILL);
        wait::until(&format!("{name} to come back"), BACK, || child(&up, name).filter(|now| *now != pid));
    }
    for (name, base) in &metrics {
        let base = base.as_str().expect("a URL");
        wait::until(&format!("{name} to be ready again"), BACK, || {
            (status(base, "/readyz") == Some(200)).then_some(())
        });
    }
    wait::until("the observation in the archive", BACK, || archived(&up, "before").filter(|count| count == "1"));
    let after = wait::until("the gateway to take another", BACK, || observe(&up, "probe-1", "after"));
    assert!(after.0 == before.0 && after.1 > before.1, "the log goes on: {before:?} {after:?}");
    // By now every service has something to tell.
    for (name, base) in &metrics {
        let (_, text) = blocking(Client::new(base.as_str().expect("a URL"), None).get("/metrics")).expect("figures");
        assert_eq!(gridwarden_tests::metrics::faults(&text), Vec::<String>::new(), "{name}: {text}");
    }

    let children = up.children();
    let ready = up.ready.clone();
    up.kill();
    let again = Up::start(&data, &args);
    for (name, pid) in children {
        assert!(child(&again, &name) == Some(pid) || !up::alive(pid), "{name} of the killed `up` still runs");
    }
    assert_eq!(again.ready, ready, "the same ports and token");
    for id in ["before", "after"] {
        wait::until(id, BACK, || archived(&again, id).filter(|count| count == "1"));
    }
    let children = again.children();
    let status = again.stop();
    assert_eq!(status.code(), Some(0));
    assert!(children.iter().all(|(_, pid)| !up::alive(*pid)), "all are down");
    assert!(!data.join("ready.json").exists(), "the ready file goes with it");
}

/// Runs `up` on a new folder to its end.
fn refused(prepare: impl FnOnce(&Path), change: impl FnOnce(&mut std::process::Command, &Path)) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let mut command = gridwarden();
    command.args(["up", "--no-simulate", "--cells", "100", "--data"]).arg(folder.path().join("data"));
    change(&mut command, folder.path());
    command.output().expect("it starts")
}

#[test]
fn a_used_port_is_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let names =
        ["console", "gateway", "dispatch", "stream", "archive", "receive", "clickhouse", "kafka", "kafka_controller"];
    let ports: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), port.into())).collect();
    let prepare = |folder: &Path| {
        std::fs::create_dir_all(folder.join("data")).expect("a folder");
        std::fs::write(folder.join("data/ports.json"), Value::Object(ports).to_string()).expect("write");
    };
    let output = refused(prepare, |_, _| {});
    assert_refused(&output, &[&format!("the port 127.0.0.1:{port} for"), "is already in use"]);
}

#[test]
fn a_missing_java_is_a_sentence() {
    let output = refused(
        |_| {},
        |command, folder| {
            command.env("PATH", folder).env_remove("JAVA_HOME").args(["--ports", "auto"]);
        },
    );
    assert_refused(&output, &["Java is missing", "Java 17", "openjdk-17-jre-headless"]);
}

#[test]
fn an_empty_cache_names_the_command_that_fills_it() {
    let output = refused(
        |_| {},
        |command, folder| {
            command.env("GRIDWARDEN_CACHE", folder).args(["--ports", "auto"]);
        },
    );
    assert_refused(&output, &["Kafka's jars are missing in", "make build"]);
}

#[test]
fn a_bad_city_folder_is_a_sentence() {
    let write = |folder: &Path| std::fs::write(folder.join("city.toml"), "name = 3\n").expect("write");
    let output = refused(write, |command, folder| {
        command.arg("--city").arg(folder).args(["--ports", "auto"]);
    });
    assert_refused(&output, &["city folder", "city.toml"]);
    let output = refused(
        |_| {},
        |command, folder| {
            command.arg("--city").arg(folder.join("nowhere")).args(["--ports", "auto"]);
        },
    );
    assert_refused(&output, &["city folder", "nowhere"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_a_sentence() {
    let output = gridwarden().args(["up", "--data", "/proc/no-such-place"]).output().expect("it starts");
    assert_refused(&output, &["/proc/no-such-place"]);
}

#[test]
fn a_bad_configuration_is_a_sentence_with_key_and_origin() {
    let output = gridwarden().arg("archive").env("GRIDWARDEN_KAFKA__BOOTSTRAPP", "x").output().expect("it starts");
    assert_refused(&output, &["kafka.bootstrapp", "GRIDWARDEN_KAFKA__BOOTSTRAPP"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file: PathBuf = folder.path().join("my.toml");
    std::fs::write(&file, "[http]\nlisten = \"nowhere\"\n").expect("write");
    let output = gridwarden().args(["gateway", "--config"]).arg(&file).output().expect("it starts");
    assert_refused(&output, &["http.listen", "my.toml"]);
    let output = gridwarden().args(["up", "--no-such-flag"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
}
