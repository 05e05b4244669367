//! Where processes of a cluster meet, before anything is read. Blocks; on a thread of its own.

use super::{
    Seat,
    admission::{Card, Hall, Verdict, admit, connect},
    wire::{Down, Go, Up, hear, hear_opening, say},
};
use anyhow::{Context, Result, bail};
use gridwarden_runtime::{health::Health, shutdown::Shutdown};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How often it is looked whether somebody has come, and who waits is told so.
const LOOK: Duration = Duration::from_millis(20);
const TELL: Duration = Duration::from_millis(500);
/// How long somebody who calls may take to say who he is.
const OPENING: Duration = Duration::from_secs(2);
/// How long to wait before calling again.
const AGAIN: Duration = Duration::from_millis(300);

/// Where this process listens, and where the others do.
pub(crate) struct Gate {
    listener: TcpListener,
    hosts: Vec<String>,
    seat: Seat,
    /// A process that says nothing for so long is gone.
    silence: Duration,
    shutdown: Shutdown,
}

/// With whom a process begins.
pub(crate) enum Joined {
    /// There is nobody else.
    Alone,
    /// This one leads; the others, by number from 1.
    Leads(Vec<TcpStream>),
    /// Another one leads, and has claimed.
    Follows(TcpStream, Go),
}

impl Gate {
    /// Listens at `listen`.
    pub(crate) fn open(
        listen: &str,
        hosts: Vec<String>,
        (seat, silence): (Seat, Duration),
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let listener = TcpListener::bind(listen).with_context(|| format!("cluster: cannot listen at {listen}"))?;
        Self::at(listener, hosts, (seat, silence), shutdown)
    }

    fn at(
        listener: TcpListener,
        hosts: Vec<String>,
        (seat, silence): (Seat, Duration),
        shutdown: &Shutdown,
    ) -> Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener, hosts, seat, silence, shutdown: shutdown.clone() })
    }

    /// Waits until all processes are there, and, where another one leads, until it has claimed. None when the shutdown came first.
    pub(crate) fn meet(&self, own: &Card, health: &Health) -> Result<Option<Joined>> {
        if self.seat.leads() { self.gather(own, health) } else { self.join(own, health) }
    }

    fn gather(&self, own: &Card, health: &Health) -> Result<Option<Joined>> {
        let mut there = BTreeMap::<u16, TcpStream>::new();
        let mut told = Instant::now();
        while there.len() + 1 < self.seat.processes {
            if self.shutdown.is_triggered() {
                return Ok(None);
            }
            let missing: Vec<u16> = (1..own.processes).filter(|process| !there.contains_key(process)).collect();
            health.set_ready(false, &format!("waiting for processes of the cluster: {missing:?}"));
            if let Some((mut stream, opening)) = self.accept()? {
                let hall = Hall::Gathering(there.keys().copied().collect());
                if let Some(card) = self.receive(own, &hall, (&mut stream, opening)) {
                    tracing::info!(process = card.process, "a process has joined the cluster");
                    there.insert(card.process, stream);
                }
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                // Who has gone again may come again.
                there.retain(|_, stream| say(stream, &Down::Wait).is_ok());
            }
        }
        Ok(Some(Joined::Leads(there.into_values().collect())))
    }

    /// Decides about somebody who wants to join; others are sent away.
    fn receive(&self, own: &Card, hall: &Hall, (stream, opening): (&mut TcpStream, Up)) -> Option<Card> {
        let words = match opening {
            Up::Join(card) => match admit(own, &card, hall) {
                Verdict::Admitted => return Some(card),
                Verdict::Refused(refusal) => format!("process {}: {refusal}", card.process),
            },
            Up::Records { from, .. } => format!("process {from}: records are not expected"),
            _ => "this is no process of a cluster".to_owned(),
        };
        self.refuse(stream, &words);
        None
    }

    fn refuse(&self, stream: &mut TcpStream, words: &str) {
        tracing::warn!(words, "a process is refused");
        // Whoever does not hear it is gone already.
        say(stream, &Down::Refused(words.to_owned())).ok();
    }

    /// Somebody who calls, and what he says first.
    fn accept(&self) -> Result<Option<(TcpStream, Up)>> {
        match self.listener.accept() {
            Ok((mut stream, from)) => match self.opening(&mut stream) {
                Ok(opening) => Ok(Some((stream, opening))),
                Err(error) => {
                    tracing::warn!(%from, %error, "somebody called who is no process of a cluster");
                    Ok(None)
                }
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(LOOK);
                Ok(None)
            }
            Err(error) => Err(error).context("cluster: cannot listen any more"),
        }
    }

    fn opening(&self, stream: &mut TcpStream) -> io::Result<Up> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(self.silence))?;
        stream.set_read_timeout(Some(OPENING))?;
        let opening = hear_opening(stream)?;
        stream.set_read_timeout(Some(self.silence))?;
        Ok(opening)
    }

    fn join(&self, own: &Card, health: &Health) -> Result<Option<Joined>> {
        let host = self.host(0)?;
        let mut said = false;
        while !self.shutdown.is_triggered() {
            match self.ask_to_join(host, own, health) {
                Ok(Some(joined)) => return Ok(Some(joined)),
                Ok(None) => return Ok(None),
                Err(Failed::Refused(words)) => bail!("process 0 at {host} refuses this process: {words}"),
                Err(Failed::Broken(error)) => {
                    health.set_ready(false, &format!("waiting for process 0 of the cluster at {host}: {error}"));
                    if !std::mem::replace(&mut said, true) {
                        tracing::info!(host, %error, "process 0 does not answer yet, will call again");
                    }
                    std::thread::sleep(AGAIN);
                }
            }
        }
        Ok(None)
    }

    fn ask_to_join(&self, host: &str, own: &Card, health: &Health) -> Result<Option<Joined>, Failed> {
        let mut stream = self.call(host)?;
        say(&mut stream, &Up::Join(own.clone()))?;
        while !self.shutdown.is_triggered() {
            match hear(&mut stream)? {
                Down::Refused(words) => return Err(Failed::Refused(words)),
                Down::Go(go) => return Ok(Some(Joined::Follows(stream, go))),
                _ => health.set_ready(false, "waiting for other processes of the cluster"),
            }
        }
        Ok(None)
    }

    fn call(&self, host: &str) -> io::Result<TcpStream> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in host.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.silence) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(self.silence))?;
                    stream.set_write_timeout(Some(self.silence))?;
                    return Ok(stream);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn host(&self, process: usize) -> Result<&str> {
        self.hosts.get(process).map(String::as_str).with_context(|| format!("cluster.hosts names no process {process}"))
    }

    /// Connections for records to all other processes, by process. None when the shutdown came first.
    pub(crate) fn connect(&self, own: &Card, go: Go) -> Result<Option<Vec<Option<TcpStream>>>> {
        let mut streams = BTreeMap::<usize, TcpStream>::new();
        let cluster = go.cluster;
        for process in 0..self.seat.process {
            let host = self.host(process)?;
            match self.open_records(host, own.process, cluster) {
                Ok(stream) => drop(streams.insert(process, stream)),
                Err(Failed::Refused(words)) => bail!("process {process} at {host} refuses records: {words}"),
                Err(Failed::Broken(error)) => bail!("process {process} at {host} cannot be reached: {error}"),
            }
        }
        while streams.len() + 1 < self.seat.processes {
            if self.shutdown.is_triggered() {
                return Ok(None);
            }
            let Some((mut stream, opening)) = self.accept()? else { continue };
            let Up::Records { from, cluster: theirs } = opening else {
                self.receive(own, &Hall::Running { generation: go.last.generation }, (&mut stream, opening));
                continue;
            };
            let there: BTreeSet<u16> = streams.keys().filter_map(|process| u16::try_from(*process).ok()).collect();
            match connect((own.process, own.processes, cluster), from, theirs, &there) {
                Verdict::Admitted if say(&mut stream, &Down::Wait).is_ok() => {
                    streams.insert(usize::from(from), stream);
                }
                Verdict::Admitted => {}
                Verdict::Refused(refusal) => self.refuse(&mut stream, &format!("process {from}: {refusal}")),
            }
        }
        Ok(Some((0..self.seat.processes).map(|process| streams.remove(&process)).collect()))
    }

    fn open_records(&self, host: &str, from: u16, cluster: u128) -> Result<TcpStream, Failed> {
        let mut stream = self.call(host)?;
        say(&mut stream, &Up::Records { from, cluster })?;
        match hear(&mut stream)? {
            Down::Refused(words) => Err(Failed::Refused(words)),
            _ => Ok(stream),
        }
    }

    /// Sends everybody away until the shutdown.
    pub(crate) fn stay_closed(&self, own: &Card, generation: u32) -> Result<()> {
        while !self.shutdown.is_triggered() {
            if let Some((mut stream, opening)) = self.accept()? {
                self.receive(own, &Hall::Running { generation }, (&mut stream, opening));
            }
        }
        Ok(())
    }
}

/// Why there is no connection.
enum Failed {
    /// In words of the other process: calling again is of no use.
    Refused(String),
    /// It did not answer.
    Broken(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Mark;
    use std::io::{Read, Write};
    use std::thread;

    const GO: Go = Go { last: Mark { generation: 3, number: 7 }, base: None, cluster: 42 };

    fn gates(processes: usize, shutdown: &Shutdown) -> Vec<(Gate, Card)> {
        let bound = |_| TcpListener::bind("127.0.0.1:0").expect("port");
        let listeners: Vec<TcpListener> = (0..processes).map(bound).collect();
        let hosts: Vec<String> =
            listeners.iter().map(|listener| listener.local_addr().expect("port").to_string()).collect();
        let gate = |(process, listener): (usize, TcpListener)| {
            let seat = Seat { process, processes, workers: 1 };
            let gate = Gate::at(listener, hosts.clone(), (seat, Duration::from_secs(5)), shutdown).expect("listens");
            (gate, Card { process: process as u16, processes: processes as u16, facts: Vec::new() })
        };
        listeners.into_iter().enumerate().map(gate).collect()
    }

    /// Meets and connects; says its number to every other and hears theirs.
    fn run((gate, card): &(Gate, Card)) -> Vec<Option<u8>> {
        let go = match gate.meet(card, &Health::new("test")).expect("meets").expect("no shutdown") {
            Joined::Leads(mut streams) => {
                streams.iter_mut().for_each(|stream| say(stream, &Down::Go(GO)).expect("said"));
                GO
            }
            Joined::Follows(_, go) => go,
            Joined::Alone => panic!("there are others"),
        };
        assert_eq!(go, GO);
        let mut streams = gate.connect(card, go).expect("connects").expect("no shutdown");
        for stream in streams.iter_mut().flatten() {
            stream.write_all(&[card.process as u8]).expect("said");
        }
        let hear = |stream: &mut TcpStream| {
            let mut said = [0];
            stream.read_exact(&mut said).expect("heard");
            said[0]
        };
        streams.iter_mut().map(|stream| stream.as_mut().map(hear)).collect()
    }

    #[test]
    fn of_three_processes_each_is_connected_with_each() {
        let gates = gates(3, &Shutdown::new());
        let heard: Vec<Vec<Option<u8>>> = thread::scope(|scope| {
            let running: Vec<_> = gates.iter().map(|gate| scope.spawn(|| run(gate))).collect();
            running.into_iter().map(|thread| thread.join().expect("ends")).collect()
        });
        assert_eq!(heard, [[None, Some(1), Some(2)], [Some(0), None, Some(2)], [Some(0), Some(1), None]]);
    }

    #[test]
    fn strangers_and_records_of_another_cluster_disturb_nobody() {
        let gates = gates(2, &Shutdown::new());
        let lead = gates[0].0.listener.local_addr().expect("port");
        thread::scope(|scope| {
            let leads = scope.spawn(|| run(&gates[0]));
            let call = |opening: &Up| {
                let mut stream = TcpStream::connect(lead).expect("listens");
                say(&mut stream, opening).expect("said");
                hear::<Down>(&mut stream).expect("an answer")
            };
            let mut browser = TcpStream::connect(lead).expect("listens");
            browser.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("said");
            let refused = |answer: Down| match answer {
                Down::Refused(words) => words,
                other => panic!("{other:?}"),
            };
            let early = refused(call(&Up::Records { from: 1, cluster: 42 }));
            assert!(early.contains("records are not expected"), "{early}");
            // Connected at last, with a stranger in between.
            let mut joined = TcpStream::connect(lead).expect("listens");
            say(&mut joined, &Up::Join(gates[1].1.clone())).expect("said");
            while !matches!(hear::<Down>(&mut joined).expect("an answer"), Down::Go(_)) {}
            let stale = refused(call(&Up::Records { from: 1, cluster: 41 }));
            assert!(stale.contains("it is of another cluster"), "{stale}");
            let late = refused(call(&Up::Join(gates[1].1.clone())));
            assert!(late.contains("generation 3 runs with all its processes"), "{late}");
            let mut streams = gates[1].0.connect(&gates[1].1, GO).expect("connects").expect("no shutdown");
            streams[0].as_mut().expect("a connection").write_all(&[9]).expect("said");
            assert_eq!(leads.join().expect("ends"), [None, Some(9)]);
        });
    }
}
