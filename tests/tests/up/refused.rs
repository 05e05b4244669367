//! What keeps `up` or a role from starting is a sentence that says what and where, with an exit code that is not 0.

use gridwarden_tests::binary::{assert_refused, gridwarden, run, stderr};
use gridwarden_tests::parts::free_address;
use serde_json::Value;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs `up` on a new folder to its end.
fn refused(prepare: impl FnOnce(&Path), change: impl FnOnce(&mut Command, &Path)) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    prepare(folder.path());
    let mut command = gridwarden();
    command.args(["up", "--no-simulate", "--data"]).arg(folder.path().join("data"));
    change(&mut command, folder.path());
    command.output().expect("it starts")
}

#[test]
fn a_used_port_is_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let used = taken.local_addr().expect("an address").port();
    let names =
        ["console", "gateway", "dispatch", "stream", "archive", "receive", "clickhouse", "kafka", "kafka_controller"];
    let mut ports: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), free_address().port().into())).collect();
    let with = |ports: serde_json::Map<String, Value>| {
        refused(
            |folder| {
                std::fs::create_dir_all(folder.join("data")).expect("a folder");
                std::fs::write(folder.join("data/ports.json"), Value::Object(ports).to_string()).expect("write");
            },
            |_, _| {},
        )
    };
    for name in ["clickhouse", "kafka"] {
        let mut ports = ports.clone();
        ports.insert(name.to_owned(), used.into());
        let words = [&format!("the port 127.0.0.1:{used} for {name} is already in use"), "ports.json to choose anew"];
        assert_refused(&with(ports), &words);
    }
    ports.insert("stream".to_owned(), ports["archive"].clone());
    assert_refused(&with(ports), &["ports.json names the port", "for archive and stream"]);
}

#[test]
fn a_missing_or_old_java_is_a_sentence() {
    let output = refused(
        |_| {},
        |command, folder| {
            command.env("PATH", folder).env_remove("JAVA_HOME").args(["--ports", "auto"]);
        },
    );
    assert_refused(&output, &["Java is missing", "Java 17", "openjdk-17-jre-headless"]);
    let output = refused(
        |folder| {
            let java = folder.join("java");
            std::fs::write(&java, "#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n").expect("write");
            std::fs::set_permissions(&java, std::fs::Permissions::from_mode(0o755)).expect("mode");
        },
        |command, folder| {
            let path = std::env::join_paths([folder, Path::new("/usr/bin"), Path::new("/bin")]).expect("a path");
            command.env("PATH", path).env_remove("JAVA_HOME").args(["--ports", "auto"]);
        },
    );
    assert_refused(&output, &["java is Java 11, which is too old", "Java 17"]);
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
    let output = refused(
        |folder| {
            let lib = folder.join("kafka/4.4.0/lib");
            std::fs::create_dir_all(&lib).expect("a folder");
            for jar in ["kafka_2.13-4.4.0.jar", "slf4j-simple-1.7.36.jar"] {
                std::fs::write(lib.join(jar), "").expect("write");
            }
        },
        |command, folder| {
            command.env("GRIDWARDEN_CACHE", folder).args(["--ports", "auto"]);
        },
    );
    assert_refused(&output, &["embedded ClickHouse is missing", "libchdb.so is not there", "make build"]);
}

/// What is there but does not work is told by what it says itself, and where its log is.
#[test]
fn a_broken_part_is_a_sentence() {
    let output = refused(
        |folder| {
            let library = folder.join("cache/clickhouse/26.7.3-stable.1/libchdb.so");
            std::fs::create_dir_all(library.parent().expect("a folder")).expect("a folder");
            std::fs::write(library, "not a library").expect("write");
            let own = std::env::var_os("GRIDWARDEN_CACHE").map(PathBuf::from);
            let own =
                own.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache/gridwarden"));
            std::os::unix::fs::symlink(own.join("kafka"), folder.join("cache/kafka")).expect("link");
        },
        |command, folder| {
            command.env("GRIDWARDEN_CACHE", folder.join("cache")).args(["--ports", "auto", "--cells", "100"]);
        },
    );
    assert_refused(&output, &["ClickHouse ended", "libchdb.so cannot be loaded", "its log: ", "log/clickhouse.log"]);
    let output = refused(
        |folder| {
            std::fs::create_dir_all(folder.join("data/kafka/log")).expect("a folder");
            std::fs::write(folder.join("data/kafka/log/meta.properties"), "version=1\nnode.id=9\ncluster.id=x\n")
                .expect("write");
        },
        |command, _| {
            command.args(["--ports", "auto", "--cells", "100"]);
        },
    );
    assert_refused(&output, &["data/kafka/log was not made here", "9"]);
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
    let output = refused(
        |_| {},
        |command, folder| {
            command.args(["--ports", "auto", "--ready-file"]).arg(folder.join("nowhere/ready.json"));
        },
    );
    assert_refused(&output, &["cannot write the ready file", "nowhere/ready.json", "there is no folder"]);
}

#[test]
fn a_bad_configuration_is_a_sentence_with_key_and_origin() {
    let output = gridwarden().arg("archive").env("GRIDWARDEN_KAFKA__BOOTSTRAPP", "x").output().expect("it starts");
    assert_refused(&output, &["kafka.bootstrapp", "GRIDWARDEN_KAFKA__BOOTSTRAPP"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file: PathBuf = folder.path().join("my.toml");
    std::fs::write(&file, "[http]\nlisten = \"nowhere\"\n").expect("write");
    for role in ["gateway", "stream", "archive", "dispatch", "console"] {
        let output = gridwarden().args([role, "--config"]).arg(&file).output().expect("it starts");
        assert_refused(&output, &["http.listen", "my.toml"]);
        let output =
            gridwarden().args([role, "--config"]).arg(folder.path().join("none.toml")).output().expect("it starts");
        assert_refused(&output, &["none.toml"]);
    }
}

/// A role's settings under `up` that are wrong end the start with the role's own words.
#[test]
fn a_bad_configuration_of_a_role_under_up_is_a_sentence() {
    let output = refused(
        |folder| {
            std::fs::create_dir_all(folder.join("data/config")).expect("a folder");
            std::fs::write(folder.join("data/config/stream.toml"), "[stream]\nno_such_key = 1\n").expect("write");
        },
        |command, _| {
            command.args(["--ports", "auto", "--cells", "100"]);
        },
    );
    assert_refused(&output, &["no_such_key", "stream.toml"]);
}

#[test]
fn a_command_line_that_is_not_understood_has_its_own_exit_code() {
    for args in [
        &["up", "--no-such-flag"][..],
        &["up", "--rate", "-1"],
        &["up", "--rate", "nan"],
        &["up", "--cells", "7"],
        &["up", "--city", "x", "--cells", "100"],
        &["doctor", "--kafka-property", "x"],
        &["no-such-command"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: "), "{args:?}: {}", stderr(&output));
    }
    for args in [&["--help"][..], &["up", "--help"], &["--version"]] {
        assert_eq!(run(args).status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn doctor_fails_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = gridwarden();
    command.arg("doctor").arg("--data").arg(folder.path()).env("GRIDWARDEN_CACHE", folder.path());
    let output =
        command.args(["--clickhouse", "http://127.0.0.1:1", "--kafka", "127.0.0.1:1"]).output().expect("it starts");
    assert_refused(&output, &["checks failed"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in [
        "fail  kafka's jars: ",
        "make build",
        "fail  clickhouse's library: ",
        "it does not run",
        "fail  clickhouse http://127.0.0.1:1: ",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
}
