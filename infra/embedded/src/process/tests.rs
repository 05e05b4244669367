//! Children of every kind: well-behaved, stubborn, missing, left over.

use super::*;

fn shell(folder: &Path, script: &str) -> ProcessOptions {
    ProcessOptions {
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("WORD".into(), "hello".into())],
        folder: None,
        log: folder.join("child.log"),
        pid_file: Some(folder.join("child.pid")),
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_child_has_a_log_and_a_pid_file_and_ends_when_asked() {
    let folder = tempfile::tempdir().expect("folder");
    let options = shell(folder.path(), "trap 'echo bye; exit 0' TERM; echo $WORD; while :; do sleep 0.05; done");
    let mut child = Process::start(&options).expect("starts");
    wait_for("hello", || child.log_tail(100).contains("hello"));
    assert_eq!(PidFile::running(&folder.path().join("child.pid")).map(|it| it.pid), Some(child.pid()));
    assert!(child.ended().expect("state").is_none());
    assert_eq!(child.stop(Duration::from_secs(5)).expect("stops").and_then(|status| status.code()), Some(0));
    assert!(!folder.path().join("child.pid").exists());
    assert!(fs::read_to_string(folder.path().join("child.log")).expect("log").ends_with("bye\n"));
}

#[test]
fn a_stubborn_child_is_killed() {
    let folder = tempfile::tempdir().expect("folder");
    let options = shell(folder.path(), "trap '' TERM; echo up; while :; do sleep 0.05; done");
    let child = Process::start(&options).expect("starts");
    wait_for("up", || child.log_tail(100).contains("up"));
    assert_eq!(child.stop(Duration::from_millis(100)).expect("stops"), None);
}

#[test]
fn a_missing_program_is_a_sentence() {
    let folder = tempfile::tempdir().expect("folder");
    let options = ProcessOptions { program: "no-such-program".into(), ..shell(folder.path(), "") };
    let error = Process::start(&options).expect_err("missing").to_string();
    assert_eq!(error, "the program no-such-program is missing: it is not on the PATH");
    let options = ProcessOptions { log: folder.path().join("no/such/folder.log"), ..shell(folder.path(), "") };
    assert!(Process::start(&options).expect_err("no folder").to_string().contains("no/such/folder.log"));
}

#[test]
fn a_leftover_is_ended_and_a_stranger_is_not() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("child.pid");
    let child = Process::start(&shell(folder.path(), "exec sleep 60")).expect("starts");
    let identity = Identity::of(child.pid()).expect("runs");
    // The same number with another start time is a stranger.
    fs::write(&path, format!("{} {} {}\n", identity.pid, identity.started + 1, identity.boot)).expect("write");
    assert!(!PidFile::end_leftover(&path, Duration::ZERO).expect("nothing to do"));
    assert!(identity.is_alive());
    fs::write(&path, format!("{} {} {}\n", identity.pid, identity.started, identity.boot)).expect("write");
    assert!(PidFile::end_leftover(&path, Duration::from_secs(5)).expect("ends"));
    assert!(!identity.is_alive() && !path.exists());
}

#[test]
fn a_child_dies_with_its_parent_but_not_with_the_calling_thread() {
    let folder = tempfile::tempdir().expect("folder");
    let options = shell(folder.path(), "exec sleep 60");
    let starter = std::thread::spawn(move || Process::start(&options).expect("starts"));
    let mut child = starter.join().expect("thread");
    // The thread that asked is gone; the launcher's is not, so the child lives.
    assert!(child.ended().expect("state").is_none());
    let status = fs::read_to_string(format!("/proc/{}/status", child.pid())).expect("status");
    assert!(status.contains(&format!("PPid:\t{}", std::process::id())));
}
