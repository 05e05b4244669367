//! `gridwarden up`: everything answers, dies and comes back; nothing acknowledged is gone; what is wrong is a sentence.

mod disk;
mod feed;
mod refused;

use feed::{Feed, archived_once, observe};
use gridwarden_tests::binary::{assert_refused, gridwarden, run, stderr};
use gridwarden_tests::up::{self, Up};
use gridwarden_tests::{http::Client, wait};
use std::time::{Duration, Instant};

/// How long a killed child may take to come back on a busy machine.
const BACK: Duration = Duration::from_secs(90);

const ROLES: [&str; 5] = ["archive", "console", "dispatch", "gateway", "stream"];

const CHILDREN: [&str; 9] =
    ["archive", "clickhouse", "console", "dispatch", "gateway", "kafka", "receive", "simulate", "stream"];

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

/// Base URL of every role.
fn roles(up: &Up) -> Vec<(String, String)> {
    let metrics = up.ready["metrics"].as_object().expect("metrics");
    metrics.iter().map(|(name, base)| (name.clone(), base.as_str().expect("a URL").to_owned())).collect()
}

fn until_all_are_ready(up: &Up) {
    for (name, base) in roles(up) {
        wait::until(&format!("{name} to be ready"), BACK, || (status(&base, "/readyz") == Some(200)).then_some(()));
    }
}

#[test]
fn everything_answers_dies_and_comes_back_and_nothing_acknowledged_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("城市 data, 1");
    let args = ["--demo", "--rate", "20", "--cells", "400"];
    let up = Up::start(&data, &args);

    for key in ["gateway", "console", "clickhouse"] {
        assert!(up.address(key).starts_with("http://127.0.0.1:"), "{}", up.ready);
    }
    assert!(up.address("kafka").starts_with("127.0.0.1:") && up.address("token").len() >= 32);
    assert_eq!(roles(&up).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ROLES);
    for (name, base) in roles(&up) {
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(status(&base, path), Some(200), "{name} {path}");
        }
    }
    assert_eq!(status(&up.address("console"), "/"), Some(200), "the page needs no token");
    let known = wait::until("every child", BACK, || Some(up.children()).filter(|all| all.len() == CHILDREN.len()));
    assert_eq!(known.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), CHILDREN);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(data.join("ready.json")).expect("ready file").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "it holds the administrator's token");

    let second = gridwarden().args(["up", "--ports", "auto", "--data"]).arg(&data).output().expect("it starts");
    assert_refused(&second, &["another `gridwarden up` already runs on", &up.pid().to_string()]);
    assert_eq!(doctor(&data), Some(0));

    let feed = Feed::start(&up);
    feed.until_more(5);
    for name in CHILDREN {
        let pid = child(&up, name).expect("a pid file");
        up::signal(pid, libc::SIGKILL);
        wait::until(&format!("{name} to come back"), BACK, || child(&up, name).filter(|now| *now != pid));
        until_all_are_ready(&up);
        feed.until_more(5);
    }

    let children = up.children();
    let ready = up.ready.clone();
    up.kill();
    let again = Up::start(&data, &args);
    for (name, pid) in children {
        assert!(child(&again, &name) == Some(pid) || !up::alive(pid), "{name} of the killed `up` still runs");
    }
    assert_eq!(again.ready, ready, "the same ports and token");
    feed.until_more(5);
    let acknowledged = feed.stop();
    wait::until("every acknowledged observation in the archive, once", BACK, || archived_once(&again, &acknowledged));

    let children = again.children();
    let status = again.stop();
    assert_eq!(status.code(), Some(0));
    assert!(children.iter().all(|(_, pid)| !up::alive(*pid)), "all are down");
    assert!(!data.join("ready.json").exists(), "the ready file goes with it");
}

/// What `doctor` says of a data folder, as an exit code.
fn doctor(data: &std::path::Path) -> Option<i32> {
    run(&["doctor", "--data", data.to_str().expect("a path")]).status.code()
}

/// The data outlive their ports: they are chosen anew when the file is gone.
#[test]
fn ports_may_be_chosen_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let args = ["--no-simulate", "--cells", "100"];
    let up = Up::start(&data, &args);
    let first = observe(&up, "first").expect("acknowledged");
    let kafka = up.address("kafka");
    assert_eq!(up.stop().code(), Some(0));
    std::fs::remove_file(data.join("ports.json")).expect("kept ports");
    let up = Up::start(&data, &args);
    assert_ne!(up.address("kafka"), kafka);
    let second = wait::until("the gateway to take another", BACK, || observe(&up, "second"));
    assert!(second.0 == first.0 && second.1 > first.1, "the log goes on: {first:?} {second:?}");
    let both = ["first".to_owned(), "second".to_owned()];
    wait::until("both in the archive", BACK, || archived_once(&up, &both));
    assert_eq!(up.stop().code(), Some(0));
}

/// In the middle of a start as well.
#[test]
fn it_ends_when_told_while_it_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut command = gridwarden();
    command.args(["up", "--no-simulate", "--cells", "100", "--ports", "auto", "--data"]).arg(&data);
    let mut up = command.stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    let pid_file = data.join("run/clickhouse.pid");
    let child = wait::until("a child", BACK, || {
        std::fs::read_to_string(&pid_file).ok()?.split(' ').next()?.parse::<i32>().ok()
    });
    let began = Instant::now();
    up::signal(i32::try_from(up.id()).expect("pid"), libc::SIGINT);
    let ended = wait::until("up to end", BACK, || up.try_wait().expect("wait"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(ended.code(), Some(0), "{}", stderr(&up.wait_with_output().expect("output")));
    assert!(!up::alive(child));
}
