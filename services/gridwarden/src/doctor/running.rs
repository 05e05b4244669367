//! The `up` that runs on a data folder: its children, whether they answer, and what keeps them from being ready.

use super::{Finding, State};
use crate::role::Role;
use crate::up::ports::Ports;
use crate::up::{plan, ready};
use anyhow::Result;
use gridwarden_embedded::kafka;
use gridwarden_embedded::process::PidFile;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The process number of the `up` that runs on this folder; none when none does.
pub(super) fn up(data: &Path) -> Option<String> {
    let lock = data.join("lock");
    let held = flock(File::open(&lock).ok()?, FlockOperation::NonBlockingLockShared).is_err();
    held.then(|| fs::read_to_string(&lock).unwrap_or_default().trim().to_owned())
}

/// The ports kept with the data, else the fixed ones.
pub(super) fn ports(data: &Path) -> Result<Ports, String> {
    Ports::kept_or_fixed(data).map_err(|error| format!("{error:#}"))
}

/// What runs on the folder, and how it is.
pub(super) async fn findings(data: &Path, up: Option<String>, ports: Result<Ports, String>) -> Result<Vec<Finding>> {
    let what = format!("up on {}", data.display());
    let ports = match ports {
        Ok(ports) => ports,
        Err(why) => return Ok(vec![Finding::new(State::Fail, what, why)]),
    };
    let Some(number) = up else {
        let left: Vec<_> = plan::children().into_iter().filter(|name| runs(data, name)).collect();
        return Ok(vec![match left.is_empty() {
            true => Finding::new(State::Ok, what, "it does not run"),
            false => {
                let left = left.join(", ");
                Finding::new(State::Warn, what, format!("it does not run, but {left} do; the next `up` ends them"))
            }
        }]);
    };
    let mut findings = vec![Finding::new(State::Ok, what, format!("it runs (process {number})"))];
    let client = ready::client()?;
    for name in ["kafka", "clickhouse"].into_iter().chain(Role::ALL.into_iter().map(Role::name)) {
        let port = ports.port(name);
        let answer = match name {
            _ if !runs(data, name) => Err("it does not run".to_owned()),
            "kafka" => answers(port).await,
            "clickhouse" => ready::ask(&client, &format!("{}/ping", ports.url(name))).await,
            role => ready::ask(&client, &format!("{}/readyz", ports.url(role))).await,
        };
        findings.push(match answer {
            Ok(()) => Finding::new(State::Ok, name, "it is ready"),
            Err(why) => Finding::new(State::Fail, name, format!("{why} (its log: {})", log(data, name).display())),
        });
    }
    Ok(findings)
}

async fn answers(port: u16) -> Result<(), String> {
    match tokio::task::spawn_blocking(move || kafka::answers(port)).await {
        Ok(true) => Ok(()),
        _ => Err("it does not answer".to_owned()),
    }
}

fn runs(data: &Path, child: &str) -> bool {
    PidFile::running(&data.join("run").join(format!("{child}.pid"))).is_some()
}

fn log(data: &Path, child: &str) -> PathBuf {
    data.join("log").join(format!("{child}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_where_nothing_runs_is_told() {
        let place = tempfile::tempdir().expect("folder");
        let look = async || findings(place.path(), up(place.path()), ports(place.path())).await.expect("a look");
        let [finding] = &look().await[..] else { panic!("one finding") };
        assert_eq!((finding.state, finding.detail.as_str()), (State::Ok, "it does not run"));
        fs::create_dir(place.path().join("run")).expect("folder");
        let file = PidFile::write(&place.path().join("run/kafka.pid"), std::process::id()).expect("pid file");
        let [finding] = &look().await[..] else { panic!("one finding") };
        assert!(finding.state == State::Warn && finding.detail.contains("but kafka do"), "{finding:?}");
        file.remove();
        fs::write(place.path().join("ports.json"), "nonsense").expect("write");
        let [finding] = &look().await[..] else { panic!("one finding") };
        assert!(
            finding.state == State::Fail && finding.detail.contains("ports.json cannot be understood"),
            "{finding:?}"
        );
    }

    #[test]
    fn a_held_folder_has_an_up() {
        let place = tempfile::tempdir().expect("folder");
        assert_eq!(up(place.path()), None);
        let lock = place.path().join("lock");
        fs::write(&lock, "4711").expect("write");
        assert_eq!(up(place.path()), None);
        let held = File::open(&lock).expect("lock");
        flock(&held, FlockOperation::NonBlockingLockExclusive).expect("held");
        assert_eq!(up(place.path()).as_deref(), Some("4711"));
    }
}
