//! Ports for servers that are started with a port they keep. The system's own choice (port 0) is one of those it also gives to connections
//! out: let go and bound again a moment later, it may belong to somebody's connection by then. These lie below that range.
//!
//! `PRT-1` within a process no port is given twice before all were given.

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Linux gives connections out ports from 32,768 on (`net.ipv4.ip_local_port_range`).
const PORTS: std::ops::Range<u16> = 12_000..32_000;
/// Processes that run side by side begin so far apart, so that they seldom ask for the same.
const APART: u32 = 127;

/// A port of the loopback address nobody listens on now.
pub fn free() -> Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let ours = process::id().wrapping_mul(APART);
    for _ in PORTS {
        let number = ours.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS.len() as u32;
        let port = PORTS.start + number as u16;
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
