//! The latest events of the live stream, so that a client that lost its connection can go on where it was. Pure.
//!
//! An event's id is `<epoch>-<number>`: the epoch names this process's life, so an id of an earlier life is a gap, not a
//! wrong place.

use std::collections::VecDeque;
use std::sync::Arc;

/// One event as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its number, rising by one.
    pub number: u64,
    /// JSON.
    pub data: Arc<str>,
}

/// Where a client goes on.
#[derive(PartialEq, Eq, Debug)]
pub struct Resume {
    /// Whether events were missed that are not here any more.
    pub gap: bool,
    /// What it missed and is still here.
    pub missed: Vec<Event>,
}

/// The ring.
#[derive(Debug)]
pub struct Ring {
    epoch: i64,
    next: u64,
    kept: VecDeque<Event>,
    limit: usize,
}

impl Ring {
    /// A ring of at most `limit` events; `epoch` must differ from that of earlier processes.
    pub fn new(epoch: i64, limit: usize) -> Self {
        Self { epoch, next: 1, kept: VecDeque::new(), limit }
    }

    /// Takes an event.
    pub fn push(&mut self, data: Arc<str>) -> Event {
        let event = Event { number: self.next, data };
        self.next += 1;
        self.kept.push_back(event.clone());
        if self.kept.len() > self.limit {
            self.kept.pop_front();
        }
        event
    }

    /// The id a client hands back.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.epoch)
    }

    /// The id of the newest event (or of the beginning).
    pub fn newest_id(&self) -> String {
        self.id(self.next - 1)
    }

    /// What a client with this `Last-Event-ID` has missed. Without one it begins now.
    pub fn resume(&self, last: Option<&str>) -> Resume {
        let Some(last) = last.filter(|text| !text.is_empty()) else { return Resume { gap: false, missed: Vec::new() } };
        let number = last
            .rsplit_once('-')
            .filter(|(epoch, _)| epoch.parse() == Ok(self.epoch))
            .and_then(|(_, number)| number.parse::<u64>().ok())
            .filter(|number| *number < self.next);
        let Some(number) = number else { return Resume { gap: true, missed: Vec::new() } };
        let first = self.kept.front().map_or(self.next, |event| event.number);
        let missed = self.kept.iter().filter(|event| event.number > number).cloned().collect();
        Resume { gap: number.saturating_add(1) < first, missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Ring {
        let mut ring = Ring::new(9, 3);
        for text in ["a", "b", "c", "d"] {
            ring.push(text.into());
        }
        ring
    }

    fn texts(resume: &Resume) -> Vec<&str> {
        resume.missed.iter().map(|event| &*event.data).collect()
    }

    #[test]
    fn goes_on_where_it_was() {
        let ring = ring();
        let resume = ring.resume(Some("9-2"));
        assert_eq!((resume.gap, texts(&resume)), (false, vec!["c", "d"]));
        let resume = ring.resume(Some(&ring.newest_id()));
        assert_eq!((resume.gap, texts(&resume)), (false, vec![]));
        assert_eq!(ring.resume(None), Resume { gap: false, missed: vec![] });
    }

    #[test]
    fn tells_of_a_gap() {
        let ring = ring();
        let resume = ring.resume(Some("9-0"));
        assert_eq!((resume.gap, texts(&resume)), (true, vec!["b", "c", "d"]));
        for id in ["8-2", "9-5", "9-x", "nonsense", "-"] {
            assert_eq!(ring.resume(Some(id)), Resume { gap: true, missed: vec![] }, "{id}");
        }
    }
}
