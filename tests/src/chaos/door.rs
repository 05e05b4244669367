//! A door between the services and ClickHouse that keeps requests or replies to itself now and then.
//!
//! It forwards bytes and knows of HTTP only where an insert begins: a client sends nothing new before it has its answer.

use super::{Counts, Dice};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes at the end of an insert that are not let through when it is cut off.
const KEPT_BACK: usize = 6;

/// What becomes of an insert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Pass,
    /// Closed before anything was let through.
    Refused,
    /// Closed before its last bytes were let through.
    CutOff,
    /// Let through; its reply is not.
    Unanswered,
}

/// Cuts still to be made, and made.
struct Cuts {
    left: (u32, u32),
    made: (u32, u32),
    every: Duration,
    next: Instant,
    dice: Dice,
}

impl Cuts {
    fn fate(&mut self) -> Fate {
        let (before, after) = self.left;
        let now = Instant::now();
        if before + after == 0 || now < self.next {
            return Fate::Pass;
        }
        self.next = now + self.every / 2 + self.dice.below(self.every.as_millis() as u64);
        if self.dice.roll(u64::from(before + after)) < u64::from(before) {
            self.left.0 -= 1;
            self.made.0 += 1;
            return if self.dice.roll(2) == 0 { Fate::Refused } else { Fate::CutOff };
        }
        Fate::Unanswered
    }
}

/// The door.
#[derive(Clone)]
pub(super) struct Door {
    address: SocketAddr,
    cuts: Arc<Mutex<Cuts>>,
}

impl Door {
    /// Opens a door to an engine.
    pub(super) fn open(engine: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let now = Instant::now();
        let cuts = Cuts { left: (0, 0), made: (0, 0), every: Duration::ZERO, next: now, dice: Dice::new(0) };
        let door = Self { address: listener.local_addr()?, cuts: Arc::new(Mutex::new(cuts)) };
        let own = door.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // An engine that is away: the client sees its connection closed.
                if let Ok(server) = TcpStream::connect(engine) {
                    own.let_through(client, server);
                }
            }
        });
        Ok(door)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on makes so many cuts, one about every `every`.
    pub(super) fn cut(&self, counts: &Counts, every: Duration, seed: u64) {
        let mut cuts = self.cuts();
        (cuts.left, cuts.made) = ((counts.cut_before, counts.cut_after), (0, 0));
        (cuts.every, cuts.next, cuts.dice) = (every, Instant::now() + every, Dice::new(seed));
    }

    /// Cuts made before and after, and those still to be made.
    pub(super) fn made(&self) -> ((u32, u32), u32) {
        let cuts = self.cuts();
        (cuts.made, cuts.left.0 + cuts.left.1)
    }

    fn cuts(&self) -> std::sync::MutexGuard<'_, Cuts> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn let_through(&self, client: TcpStream, server: TcpStream) {
        let (Ok(client_out), Ok(server_out)) = (client.try_clone(), server.try_clone()) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).ok();
        }
        // Whether what the client sends next begins a request; whether the next reply is kept back.
        let (fresh, keep) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (asks, answers) = (self.clone(), self.clone());
        let (fresh_too, keep_too) = (Arc::clone(&fresh), Arc::clone(&keep));
        std::thread::spawn(move || {
            asks.requests(&client, &server_out, &fresh, &keep);
            close(&client, &server_out);
        });
        std::thread::spawn(move || {
            answers.replies(&server, &client_out, &fresh_too, &keep_too);
            close(&server, &client_out);
        });
    }

    fn requests(&self, mut from: &TcpStream, mut to: &TcpStream, fresh: &AtomicBool, keep: &AtomicBool) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            let begins = fresh.swap(false, Ordering::SeqCst);
            match if begins && is_insert(bytes) { self.cuts().fate() } else { Fate::Pass } {
                Fate::Pass => {}
                Fate::Refused => return,
                Fate::CutOff => {
                    to.write_all(&bytes[..length.saturating_sub(KEPT_BACK)]).ok();
                    return;
                }
                Fate::Unanswered => keep.store(true, Ordering::SeqCst),
            }
            if to.write_all(bytes).is_err() {
                return;
            }
        }
    }

    fn replies(&self, mut from: &TcpStream, mut to: &TcpStream, fresh: &AtomicBool, keep: &AtomicBool) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            fresh.store(true, Ordering::SeqCst);
            // Only what was committed is of interest; a refusal may be read.
            if keep.swap(false, Ordering::SeqCst) && bytes.starts_with(b"HTTP/1.1 200") {
                let mut cuts = self.cuts();
                if cuts.left.1 > 0 {
                    cuts.left.1 -= 1;
                    cuts.made.1 += 1;
                    return;
                }
            }
            if to.write_all(bytes).is_err() {
                return;
            }
        }
    }
}

fn is_insert(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.starts_with(b"POST") && line.windows(6).any(|word| word == b"INSERT")
}

fn close(one: &TcpStream, other: &TcpStream) {
    one.shutdown(Shutdown::Both).ok();
    other.shutdown(Shutdown::Both).ok();
}
