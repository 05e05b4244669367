//! This machine: Java, jars, the engine's library, ports, disk, memory.

use super::{Finding, State};
use crate::up::ports::Ports;
use gridwarden_embedded::{clickhouse, kafka};
use std::path::Path;

/// Free disk below which a start is refused, and below which a day may fill it, in MiB.
const DISK: (u64, u64) = (256, 5 * 1024);

/// Free memory below which the parts do not fit, and below which it gets slow, in MiB.
const MEMORY: (u64, u64) = (1024, 3 * 1024);

pub(super) fn findings(cache: &Path, data: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![java(), jars(cache), library(cache)];
    findings.push(ports(data));
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

/// The ports `up` would take; used ones are no fault when it is `up` that uses them.
fn ports(data: Option<&Path>) -> Finding {
    let kept = data.and_then(|data| std::fs::read_to_string(data.join("ports.json")).ok());
    let kept = kept.and_then(|text| serde_json::from_str::<Ports>(&text).ok());
    let ports = kept.unwrap_or_else(Ports::fixed);
    match ports.check_free("") {
        Ok(()) => Finding::new(State::Ok, "ports", "free"),
        Err(error) => Finding::new(State::Warn, "ports", format!("{error} (fine when that is `gridwarden up`)")),
    }
}

fn disk(data: &Path) -> Finding {
    let there = data.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(there) {
        Ok(room) => {
            let free = room.f_bavail.saturating_mul(room.f_frsize) / (1024 * 1024);
            amount("disk", free, DISK, &format!("in {}", there.display()), "make room or choose another folder")
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
        few if few < least => Finding::new(State::Fail, what, format!("{said}: too little; {advice}")),
        some if some < enough => Finding::new(State::Warn, what, format!("{said}: little; {advice}")),
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
            findings(empty.path(), None).into_iter().filter(|finding| finding.state == State::Fail).collect();
        assert!(failed.iter().filter(|finding| finding.detail.contains("make build")).count() >= 2, "{failed:?}");
    }
}
