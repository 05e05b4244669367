//! The way of rows from workers to writers, in chunks, and how it is known back there which of them are in ClickHouse.
//!
//! Channels are short. A worker that finds no room keeps its windows and entities dirty, where what comes next adds up; so
//! ClickHouse may be away for as long as it likes.
//!
//! * `SNK-1` chunks of one channel are taken in order. A chunk of another channel of the same worker may be taken before what was handed
//!   over sooner; whoever must not overtake it waits ([`Gathered::come_next`]).
//! * `SNK-2` a chunk may come in parts; it counts as taken with the last of them.

use std::collections::BTreeSet;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;

/// Chunks, or parts of them, between a worker and its writer.
const CHUNKS: usize = 4;

/// Which chunks of a worker are in ClickHouse.
#[derive(Default)]
struct Taken {
    /// This one and all before it.
    up_to: u32,
    /// Some that overtook others.
    ahead: BTreeSet<u32>,
}

impl Taken {
    fn add(&mut self, numbers: &[u32]) {
        self.ahead.extend(numbers);
        while self.ahead.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
    }

    /// Whether all before the last of these is in ClickHouse, or among them.
    fn is_all_before(&self, Numbers { whole, last }: &Numbers) -> bool {
        (self.up_to + 1..*last).all(|number| self.ahead.contains(&number) || whole.contains(&number))
    }
}

/// What was gathered from a worker.
#[derive(Default)]
struct Numbers {
    /// Chunks that end there.
    whole: Vec<u32>,
    /// The chunk of the last rows.
    last: u32,
}

impl Numbers {
    fn add(&mut self, number: u32, is_last: bool) {
        self.whole.extend(is_last.then_some(number));
        self.last = number;
    }
}

/// A worker's end of a channel of chunks. Its chunks are numbered from 1, without gaps.
pub(crate) struct Sink<T> {
    sender: Sender<Chunk<T>>,
    taken: watch::Sender<Taken>,
}

impl<T> Clone for Sink<T> {
    /// The same end: numbers go on.
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), taken: self.taken.clone() }
    }
}

/// What comes after a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Then {
    /// More, at once.
    #[default]
    More,
    /// Nothing for now.
    Pause,
}

/// Rows handed over together.
pub(crate) struct Chunk<T> {
    rows: Vec<T>,
    number: u32,
    /// Whether no more rows come under this number.
    is_last: bool,
    then: Then,
    taken: watch::Sender<Taken>,
}

#[cfg(test)]
impl<T> Chunk<T> {
    /// Its rows; they are in ClickHouse now.
    pub(crate) fn rows(self) -> Vec<T> {
        if self.is_last {
            self.taken.send_modify(|taken| taken.add(&[self.number]));
        }
        self.rows
    }
}

/// Room for one chunk.
pub(crate) struct Room<'s, T> {
    permit: mpsc::Permit<'s, Chunk<T>>,
    taken: &'s watch::Sender<Taken>,
}

impl<T> Room<'_, T> {
    /// Hands a chunk over under its number.
    pub(crate) fn send(self, number: u32, rows: Vec<T>, then: Then) {
        self.permit.send(Chunk { rows, number, is_last: true, then, taken: self.taken.clone() });
    }
}

impl<T> Sink<T> {
    /// A sink and what comes out of it.
    pub(crate) fn new() -> (Self, Receiver<Chunk<T>>) {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        (Self { sender, taken: watch::Sender::default() }, receiver)
    }

    /// Another worker's end of the same channel, with numbers of its own.
    pub(crate) fn of_another(&self) -> Self {
        Self { sender: self.sender.clone(), taken: watch::Sender::default() }
    }

    /// Another channel of the same worker: its chunks are numbered with those of this one.
    pub(crate) fn beside(&self) -> (Self, Receiver<Chunk<T>>) {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        (Self { sender, taken: self.taken.clone() }, receiver)
    }

    /// The last chunk known to be in ClickHouse with all before it, in whichever channel; 0: none.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.borrow().up_to
    }

    /// Whether the only sender may push a chunk.
    pub(crate) fn has_room(&self) -> bool {
        self.sender.capacity() > 0
    }

    /// Hands a chunk over, for the only sender after [`Sink::has_room`]. Dropped when nobody takes it any more: at the end.
    pub(crate) fn push(&self, number: u32, rows: Vec<T>, then: Then) {
        self.sender.try_send(Chunk { rows, number, is_last: true, then, taken: self.taken.clone() }).ok();
    }

    /// The same for a part of a chunk; more of it will come.
    pub(crate) fn push_part(&self, number: u32, rows: Vec<T>) {
        self.sender.try_send(Chunk { rows, number, is_last: false, then: Then::More, taken: self.taken.clone() }).ok();
    }

    /// Room for a chunk, if there is, where there are several senders.
    pub(crate) fn room(&self) -> Option<Room<'_, T>> {
        self.sender.try_reserve().ok().map(|permit| Room { permit, taken: &self.taken })
    }
}

/// The numbers gathered from each worker.
#[derive(Default)]
pub(super) struct Gathered {
    numbers: Vec<(watch::Sender<Taken>, Numbers)>,
    /// What comes after the last of them.
    pub(super) then: Then,
}

impl Gathered {
    /// One chunk more; its rows.
    pub(super) fn add<T>(&mut self, chunk: Chunk<T>) -> Vec<T> {
        self.then = chunk.then;
        let Chunk { rows, number, is_last, taken, .. } = chunk;
        match self.numbers.iter_mut().find(|(known, _)| known.same_channel(&taken)) {
            Some((_, numbers)) => numbers.add(number, is_last),
            None => {
                let mut numbers = Numbers::default();
                numbers.add(number, is_last);
                self.numbers.push((taken, numbers));
            }
        }
        rows
    }

    /// Waits until all that their workers handed over before them, in whichever channel, is in ClickHouse.
    pub(super) async fn come_next(&self) {
        for (taken, numbers) in &self.numbers {
            // The sender is here.
            taken.subscribe().wait_for(|taken| taken.is_all_before(numbers)).await.ok();
        }
    }

    /// All of it is in ClickHouse.
    pub(super) fn are_taken(self) {
        for (taken, numbers) in self.numbers {
            taken.send_modify(|taken| taken.add(&numbers.whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Waker};

    #[test]
    fn chunks_that_overtake_others_count_once_those_are_taken() {
        let mut taken = Taken::default();
        taken.add(&[3]);
        assert_eq!(taken.up_to, 0);
        let of = |whole: &[u32]| Numbers { whole: whole.to_vec(), last: whole.last().copied().unwrap_or(0) };
        assert!(taken.is_all_before(&of(&[1])) && !taken.is_all_before(&of(&[2])));
        assert!(taken.is_all_before(&of(&[1, 2, 4])));
        taken.add(&[1]);
        assert_eq!(taken.up_to, 1);
        assert!(taken.is_all_before(&of(&[2, 4])) && !taken.is_all_before(&of(&[4])));
        assert!(!taken.is_all_before(&Numbers { whole: Vec::new(), last: 4 }), "a part of the fourth");
        taken.add(&[2, 4]);
        assert_eq!((taken.up_to, taken.ahead.len()), (4, 0));
    }

    #[test]
    fn what_must_not_be_overtaken_waits_for_what_was_handed_over_before_it_in_the_other_channel() {
        let (others, mut others_out) = Sink::new();
        let (first, mut first_out) = others.beside();
        others.push(1, vec!["closed"], Then::More);
        first.push(2, vec!["open"], Then::Pause);
        others.push(3, vec!["closed later"], Then::Pause);
        first.push(4, vec!["changed since"], Then::Pause);
        let gather = |out: &mut Receiver<Chunk<&'static str>>| {
            let mut gathered = Gathered::default();
            gathered.add(out.try_recv().expect("a chunk"));
            gathered
        };
        let comes_next = |gathered: &Gathered| {
            std::pin::pin!(gathered.come_next()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        let (one, three) = (gather(&mut others_out), gather(&mut others_out));
        assert!(comes_next(&one), "nothing was before it");
        one.are_taken();
        assert!(!comes_next(&three), "the second was");
        assert_eq!(first.taken(), 1);
        gather(&mut first_out).are_taken();
        assert!(comes_next(&three));
        gather(&mut first_out).are_taken();
        assert_eq!(others.taken(), 2, "the fourth overtook the third");
        three.are_taken();
        assert_eq!(others.taken(), 4);
    }

    #[test]
    fn a_chunk_is_taken_with_its_last_part() {
        let (sink, mut out) = Sink::new();
        sink.push_part(1, vec!["begins"]);
        sink.push_part(1, vec!["goes on"]);
        sink.push(1, vec!["ends"], Then::Pause);
        let mut gathered = Gathered::default();
        for _ in 0..2 {
            gathered.add(out.try_recv().expect("a part"));
        }
        assert_eq!(gathered.then, Then::More);
        gathered.are_taken();
        assert_eq!(sink.taken(), 0);
        let mut gathered = Gathered::default();
        gathered.add(out.try_recv().expect("the last part"));
        gathered.are_taken();
        assert_eq!(sink.taken(), 1);
    }
}
