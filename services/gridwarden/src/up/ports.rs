//! Ports of `up`: fixed ones, or free ones with `--ports auto`; either way chosen once and kept with the data.

use super::folder::{Folder, write_whole};
use crate::role::Role;
use anyhow::{Context, Result, bail};
use gridwarden_embedded::port;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

/// Who listens, with the port it has without `--ports auto`.
const FIXED: [(&str, u16); 9] = [
    ("console", 8080),
    ("gateway", 8081),
    ("dispatch", 8082),
    ("stream", 8083),
    ("archive", 8084),
    ("receive", 8085),
    ("clickhouse", 8123),
    ("kafka", 9092),
    ("kafka_controller", 9093),
];

/// How long ports that were used here before are waited for, and how often it is looked.
const LETS_GO: Duration = Duration::from_secs(3);
const PACE: Duration = Duration::from_millis(50);

/// Where they are kept, in the data folder.
const FILE: &str = "ports.json";

/// Which port each part has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ports(BTreeMap<String, u16>);

impl Ports {
    /// Those of the `up` that runs on a data folder, for a tool beside it.
    pub(crate) fn kept(data: &Path) -> Result<Self> {
        let path = data.join(FILE);
        Self::read(&path)?.with_context(|| format!("{} is not there: does `up` run there?", path.display()))
    }

    /// Those kept with a data folder, else the fixed ones.
    pub(crate) fn kept_or_fixed(data: &Path) -> Result<Self> {
        Ok(Self::read(&data.join(FILE))?.unwrap_or_else(Self::fixed))
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let kept = serde_json::from_str(&text);
                kept.map(Some).with_context(|| format!("{} cannot be understood", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// The fixed ones.
    pub(crate) fn fixed() -> Self {
        Self(FIXED.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect())
    }

    /// Free ones.
    fn free() -> Result<Self> {
        let free = |(name, _): &(&str, u16)| {
            let port = port::free().context("no free port was found on 127.0.0.1")?;
            Ok(((*name).to_owned(), port))
        };
        FIXED.iter().map(free).collect::<Result<_>>().map(Self)
    }

    /// The kept ones; chosen and kept when there are none yet.
    pub(super) fn of(folder: &Folder, auto: bool) -> Result<Self> {
        let path = folder.path(FILE);
        if let Some(kept) = Self::read(&path)? {
            kept.check_whole(&path)?;
            kept.until_free(&format!(", or remove {} to choose anew", path.display()))?;
            return Ok(kept);
        }
        let ports = if auto { Self::free()? } else { Self::fixed() };
        ports.check_free(if auto { "" } else { ", or let free ones be chosen with --ports auto" })?;
        write_whole(&path, &serde_json::to_string_pretty(&ports)?)?;
        Ok(ports)
    }

    /// Every part has a port of its own.
    fn check_whole(&self, path: &Path) -> Result<()> {
        if let Some((name, _)) = FIXED.iter().find(|(name, _)| self.port(name) == 0) {
            bail!("{} names no port for {name}: remove it to choose anew", path.display());
        }
        let mut parts = BTreeMap::new();
        for (name, port) in &self.0 {
            if let Some(other) = parts.insert(port, name) {
                bail!("{} names the port {port} for {other} and {name}: remove it to choose anew", path.display());
            }
        }
        Ok(())
    }

    /// Waits a little for ports that were used here before: a process that was killed lets go of its memory first, then of its port, and
    /// of much memory not at once.
    fn until_free(&self, advice: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.check_free(advice) {
                Err(_) if begun.elapsed() < LETS_GO => std::thread::sleep(PACE),
                outcome => return outcome,
            }
        }
    }

    /// A used port is a sentence, before anything is started.
    pub(crate) fn check_free(&self, advice: &str) -> Result<()> {
        for (name, port) in &self.0 {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_err() {
                bail!("the port 127.0.0.1:{port} for {name} is already in use: stop what listens there{advice}");
            }
        }
        Ok(())
    }

    /// The port of a part.
    pub(crate) fn port(&self, name: &str) -> u16 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Where a part listens.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port(name)))
    }

    /// Base URL of a part.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}", self.address(name))
    }

    /// Base URLs of the roles.
    pub(super) fn roles(&self) -> impl Iterator<Item = (Role, String)> + '_ {
        Role::ALL.into_iter().map(|role| (role, self.url(role.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_chosen_once() {
        let place = tempfile::tempdir().expect("folder");
        let folder = Folder::open(place.path()).expect("folder");
        let first = Ports::of(&folder, true).expect("ports");
        assert_eq!(Ports::of(&folder, true).expect("ports"), first);
        assert_eq!(Ports::of(&folder, false).expect("ports"), first, "kept ports win");
        let distinct: std::collections::BTreeSet<_> = first.0.values().collect();
        assert_eq!(distinct.len(), FIXED.len());
    }

    #[test]
    fn a_used_port_is_a_sentence() {
        let place = tempfile::tempdir().expect("folder");
        let folder = Folder::open(place.path()).expect("folder");
        let ports = Ports::of(&folder, true).expect("ports");
        let taken = TcpListener::bind(ports.address("console")).expect("bind");
        let error = ports.check_free("").expect_err("used").to_string();
        let address = taken.local_addr().expect("address");
        assert_eq!(error, format!("the port {address} for console is already in use: stop what listens there"));
        let error = Ports::of(&folder, true).expect_err("used").to_string();
        assert!(
            error.ends_with(&format!(", or remove {} to choose anew", folder.path("ports.json").display())),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_lacks_a_part_is_a_sentence() {
        let place = tempfile::tempdir().expect("folder");
        let folder = Folder::open(place.path()).expect("folder");
        let refused = |text: &str| {
            fs::write(folder.path("ports.json"), text).expect("write");
            format!("{:#}", Ports::of(&folder, true).expect_err(text))
        };
        assert!(refused("{\"kafka\": 1}").ends_with("ports.json names no port for console: remove it to choose anew"));
        let text = serde_json::to_string(&Ports::fixed()).expect("text");
        let said = refused(&text.replace("8081", "8080"));
        assert!(said.contains("names the port 8080 for console and gateway"), "{said}");
        assert!(refused(&text.replace("8081", "0")).contains("names no port for gateway"));
        assert!(refused("nonsense").contains("ports.json cannot be understood"));
    }
}
