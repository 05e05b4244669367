//! A full disk, at the start and while everything runs: a small file system of our own, in a mount namespace that ends with
//! the processes in it.

use super::feed::{Feed, archived_once};
use super::{BACK, roles, status, until_all_are_ready};
use gridwarden_tests::binary::{assert_refused, path, run};
use gridwarden_tests::up::{Start, Up, signal};
use gridwarden_tests::wait;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Mounts `$1` MiB on `$2`, then becomes the rest.
const MOUNT: &str = r#"mount -t tmpfs -o size="$1"m tmpfs "$2" && shift 2 && exec "$@""#;

/// `gridwarden` with a file system of so many MiB at `place`; none, said loudly, where nobody may mount one.
fn on_a_small_disk(mib: u32, place: &Path) -> Option<Command> {
    let with = |options: &[&str], program: &Path| {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", MOUNT, "sh", &mib.to_string()]).arg(place).arg(program);
        command
    };
    let found = [&["--mount"][..], &["--mount", "--user", "--map-root-user"]]
        .into_iter()
        .find(|options| with(options, Path::new("true")).output().is_ok_and(|output| output.status.success()));
    if found.is_none() {
        let root = rustix::process::getuid().is_root();
        let must = root && std::env::var("CI").as_deref() == Ok("true");
        assert!(!must, "root cannot mount a file system here: the tests of a full disk need CAP_SYS_ADMIN");
        eprintln!("SKIPPED: no file system can be mounted here, a full disk is not tried");
    }
    found.map(|options| with(options, &path("gridwarden")))
}

#[test]
fn a_full_disk_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut command) = on_a_small_disk(64, folder.path()) else { return };
    let data = folder.path().join("data");
    let output = command.arg("up").arg("--data").arg(&data).output().expect("it starts");
    let place = data.display().to_string();
    assert_refused(&output, &["the disk is full: 64 MiB are free in", &place, "at least 256 MiB are needed"]);
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0, "nothing is left outside of it");
}

/// Every write fails, though there is room: no privileges are needed for this one.
#[test]
fn a_write_that_fails_is_a_sentence_that_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$@""#, "sh"]).arg(path("gridwarden"));
    let output = command.arg("up").arg("--data").arg(folder.path().join("data")).output().expect("it starts");
    assert_refused(&output, &["cannot write", "data/lock", "File too large"]);
}

fn log_says(up: &Up, words: &str) {
    wait::until(&format!("up's log to say {words:?}"), BACK, || {
        std::fs::read_to_string(&up.log).is_ok_and(|log| log.contains(words)).then_some(())
    });
}

/// Takes all the room there is.
fn fill(file: &Path) {
    let mut ballast = std::fs::File::create(file).expect("ballast");
    let piece = vec![b'.'; 1 << 20];
    while ballast.write_all(&piece).is_ok() {}
    while ballast.write_all(b".").is_ok() {}
}

/// Kafka and ClickHouse cannot write any more; it is told, nothing acknowledged is lost, and it goes on once there is room.
#[test]
fn a_disk_that_fills_up_is_told_and_nothing_acknowledged_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).expect("folder");
    let Some(command) = on_a_small_disk(900, &disk) else { return };
    let data = disk.join("data");
    let start = Start { command, data: &data, place: folder.path(), own_mounts: true };
    let up = Up::launch(start, &["--no-simulate", "--cells", "100"]);
    log_says(&up, "the disk is nearly full: ");
    let feed = Feed::start(&up);
    feed.until_more(20);

    let ballast = up.data.join("ballast");
    // In one moment, as `up` sees it: it tells how much is left when there is too little, and that only once.
    signal(up.pid(), libc::SIGSTOP);
    fill(&ballast);
    signal(up.pid(), libc::SIGCONT);
    log_says(&up, "the disk is full: 0 MiB are free in ");
    log_says(&up, "the disk is full: Kafka cannot write to ");
    let seen = up.data.to_str().expect("a path");
    let doctor = run(&["doctor", "--data", seen]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!doctor.status.success() && said.contains("fail  disk: ") && said.contains("the disk is full"), "{said}");
    // The gateway says 202 as long as Kafka finds a corner to write to; then somebody is not ready, and says so.
    let unready = wait::until("somebody to be unready", BACK, || {
        roles(&up).into_iter().find(|(_, base)| status(base, "/readyz") != Some(200))
    });
    eprintln!("{} is not ready on a full disk", unready.0);

    std::fs::remove_file(&ballast).expect("ballast");
    log_says(&up, "there is room again, but little: ");
    until_all_are_ready(&up);
    feed.until_more(20);
    let acknowledged = feed.stop();
    wait::until("every acknowledged observation in the archive, once", BACK, || archived_once(&up, &acknowledged));
    let log = std::fs::read_to_string(&up.log).expect("up's log");
    for crash in ["SIGABRT", "SIGSEGV", "this is a bug"] {
        assert!(!log.contains(crash), "a full disk makes nobody crash:\n{log}");
    }
    assert_eq!(up.stop().code(), Some(0));
}
