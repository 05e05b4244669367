//! This machine: Java, jars, the engine's library, ports, disk, memory.

use super::{Finding, State};
use crate::up::ports::Ports;
use crate::up::room;
use gridwarden_embedded::{clickhouse, kafka};
use std::path::Path;

/// Free disk below which a start is refused, and below which a day may fill it, in MiB.
const DISK: (u64, u64) = (room::LEAST, room::ENOUGH);

/// Free memory below which the parts do not fit, and below which it gets slow, in MiB.
const MEMORY: (u64, u64) = (1024, 3 * 1024);

/// What a start would need; `ports` are those it would take, none when it runs already and has them.
pub(super) fn findings(cache: &Path, data: Option<&Path>, ports: Option<&Ports>) -> Vec<Finding> {
    let mut findings = vec![java(), jars(cache), library(cache)];
    findings.extend(ports.map(free));
    findings.push(disk(data.unwrap_or(Path::new("."))));
    findings.push(memory());
    findings
}

fn java() -> Finding {
    match kafka::java_version() {
        Ok(version) => Finding::new(State::Ok, "java", format!("version {version}")),
        Err(error) => Finding::new(State::Fail, "java", error.to_string()),
    }
}

fn jars(cache: &Path) -> Finding {
    match kafka::check_jars(cache) {
        Ok(()) => Finding::new(State::Ok, "kafka's jars", kafka::jars(cache).display().to_string()),
        Err(error) => Finding::new(State::Fail, "kafka's jars", error.to_string()),
    }
}

fn library(cache: &Path) -> Finding {
    match clickhouse::library::locate(cache) {
        Ok(path) => Finding::new(State::Ok, "clickhouse's library", path.display().to_string()),
        Err(missing) => Finding::new(State::Fail, "clickhouse's library", missing.to_string()),
    }
}

/// Used ports are no fault when it is an `up` elsewhere that uses them.
fn free(ports: &Ports) -> Finding {
    match ports.check_free("") {
        Ok(()) => Finding::new(State::Ok, "ports", "free"),
        Err(error) => Finding::new(State::Warn, "ports", error.to_string()),
    }
}

fn disk(data: &Path) -> Finding {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let there = data.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    match room::free(there) {
        Ok(free) => {
            let place = format!("free in {}", there.display());
            amount("disk", free, DISK, &place, "the disk is full; make room or choose another folder")
        }
        Err(error) => Finding::new(State::Fail, "disk", format!("{}: {error}", there.display())),
    }
}

fn memory() -> Finding {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    match available {
        Some(kib) => amount("memory", kib / 1024, MEMORY, "available", "all parts together want about 3 GiB"),
        None => Finding::new(State::Warn, "memory", "the system does not say how much is available"),
    }
}

fn amount(what: &str, mib: u64, (least, enough): (u64, u64), place: &str, advice: &str) -> Finding {
    let said = format!("{mib} MiB {place}");
    match mib {
        few if few < least => Finding::new(State::Fail, what, format!("{said}, at least {least} are needed: {advice}")),
        some if some < enough => Finding::new(State::Warn, what, format!("{said}, {enough} are better")),
        _ => Finding::new(State::Ok, what, said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_states() {
        let state = |mib| amount("x", mib, (10, 20), "free", "do").state;
        assert_eq!((state(9), state(10), state(20)), (State::Fail, State::Warn, State::Ok));
    }

    #[test]
    fn an_empty_cache_is_two_failures_with_what_to_do() {
        let empty = tempfile::tempdir().expect("folder");
        let failed: Vec<_> =
            findings(empty.path(), None, None).into_iter().filter(|finding| finding.state == State::Fail).collect();
        assert!(failed.iter().filter(|finding| finding.detail.contains("make build")).count() >= 2, "{failed:?}");
    }
}
