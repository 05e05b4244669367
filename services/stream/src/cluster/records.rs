//! timely's own messages between processes, over connections that belong to this cluster.
//!
//! timely would connect by itself, to whoever listens there, and its threads panic when a connection breaks: a peer that went is no bug of
//! ours. So it is handed connections that were admitted, wrapped: one that breaks ends the process with words (`CLU-3`).

use super::{Seat, link::Ending};
use anyhow::{Context, Result};
use std::any::Any;
use std::io::{self, Read, Write};
use std::net::{Shutdown as Half, TcpStream};
use timely::communication::{
    AllocatorBuilder, Hooks,
    allocator::{
        ProcessBuilder,
        zero_copy::{initialize::initialize_networking_from_sockets, stream::Stream},
    },
};

/// Length of a message's head; one of nothing but zeros is the last.
const HEAD: usize = 48;

/// Connections to all other processes, by process.
pub(crate) struct Records {
    pub(crate) streams: Vec<Option<TcpStream>>,
    pub(crate) ending: Ending,
}

/// What timely's workers of this process are built from.
pub(crate) fn allocators(seat: Seat, records: Records) -> Result<(Vec<AllocatorBuilder>, Box<dyn Any + Send>)> {
    let Records { streams, ending } = records;
    let mut wrapped = Vec::new();
    for (process, stream) in streams.into_iter().enumerate() {
        if let Some(stream) = &stream {
            // Silence is told by the link beside; here a moment without records is none.
            stream.set_read_timeout(None)?;
            stream.set_write_timeout(None)?;
        }
        wrapped.push(stream.map(|stream| Wrapped { stream, process, ending: ending.clone(), zeros: 0 }));
    }
    let hooks = Hooks::default();
    let inner = ProcessBuilder::new_typed_vector(seat.workers, hooks.refill.clone(), None);
    let (builders, guard) = initialize_networking_from_sockets(inner, wrapped, seat.process, seat.workers, hooks)
        .context("cluster: connections")?;
    Ok((builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
}

struct Wrapped {
    stream: TcpStream,
    process: usize,
    ending: Ending,
    /// Zeros at the end of what was read so far.
    zeros: usize,
}

impl Wrapped {
    /// What happened to the connection. Does not return when it broke.
    fn look(&self, outcome: io::Result<usize>) -> io::Result<usize> {
        let Err(error) = &outcome else { return outcome };
        if error.kind() != io::ErrorKind::Interrupted {
            self.ending.broken(self.process, &error.to_string());
        }
        outcome
    }
}

impl Read for Wrapped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let outcome = self.stream.read(into);
        let length = self.look(outcome)?;
        // Its end is one only behind the last message.
        if length == 0 && !into.is_empty() && self.zeros < HEAD {
            self.ending.broken(self.process, "the connection was closed");
        }
        let read = into.get(..length).unwrap_or_default();
        let zeros = read.iter().rev().take(HEAD).take_while(|byte| **byte == 0).count();
        self.zeros = if zeros == length { self.zeros + zeros } else { zeros };
        Ok(length)
    }
}

impl Write for Wrapped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.stream.write(bytes);
        self.look(outcome)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Stream for Wrapped {
    fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(Self { stream, process: self.process, ending: self.ending.clone(), zeros: 0 })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Half) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        cluster::WIRE,
        windows::{Aggregate, At, Delta, Lane, Mark, Partial, Share},
    };

    /// What travels between processes has no version of its own: who changes it raises [`WIRE`], so that another build is refused.
    #[test]
    fn what_travels_is_what_this_version_of_the_wire_says() {
        let at = At::new(2, 3);
        let delta = Delta {
            time: 1,
            at,
            values: [4, 5, 6, 7],
            area: 8,
            group: 9,
            shard: 10,
            domain: 11,
            mask: 12,
            lane: Lane::Last,
        };
        let aggregate = Aggregate { sum: 1, count: 2, min: 3, max: 4, last: 5, last_time: 6, last_at: at };
        let share = Share::Sum(aggregate);
        let partial =
            Partial { share, pane: 7, area: 8, group: 9, shard: 10, domain: 11, column: 12, lane: Lane::First };
        let mark = Mark { watermark: 1, to: 2, part: 3, domain: 4 };
        let bytes = postcard::to_stdvec(&(delta, partial, mark)).expect("bytes");
        let sizes = [size_of::<Delta>(), size_of::<Partial>(), size_of::<Mark>()];
        assert_eq!((WIRE, hex::encode(bytes).as_str(), sizes), (2, SHAPE, [64, 112, 16]));
    }

    const SHAPE: &str = "028380808080808001080a0c0e08090a0b0c0200020206080a0c83808080808080010e08090a0b0c0002020304";
}
