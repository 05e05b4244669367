//! Ports for servers that are started with a port they keep. The system's own choice (port 0) is one of those it also gives to connections
//! out: let go and bound again a moment later, it may belong to somebody's connection by then. These lie below that range.
//!
//! `PRT-1` within a process no port is given twice before all were given.

use std::hash::{BuildHasher, RandomState};
use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Linux gives connections out ports from 32,768 on (`net.ipv4.ip_local_port_range`).
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// From one to the next: a prime that does not divide their number, so that all have their turn, and processes side by side, each with a
/// beginning of its own, seldom ask for the same.
const STEP: u64 = 7_919;

/// A port of the loopback address nobody listens on now.
pub fn free() -> Result<u16> {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one("ports") % PORTS.len() as u64));
    for _ in PORTS {
        let port = PORTS.start + (NEXT.fetch_add(STEP, Ordering::Relaxed) % PORTS.len() as u64) as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::AddrInUse, format!("all ports of {PORTS:?} are in use")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ports_are_free_and_never_given_twice_nor_those_of_connections_out() {
        let held: Vec<TcpListener> =
            (0..200).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap()).collect();
        let given: HashSet<u16> = (0..2_000).map(|_| free().unwrap()).collect();
        assert_eq!(given.len(), 2_000);
        assert!(held.iter().all(|held| !given.contains(&held.local_addr().unwrap().port())));
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let lowest: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
        assert!(given.iter().all(|port| *port < lowest), "{range}");
    }
}
