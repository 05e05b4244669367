//! What processes of a cluster say to each other beside timely's own messages: length, then postcard. Both ends are one build.

use super::{
    admission::Card,
    agreed::{Ask, Tail},
};
use crate::checkpoint::{Mark, Part};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};

/// What is said in the first message, and no more than this long.
const OPENING: u32 = 1 << 20;
/// No message is longer: names of a few million areas.
const LONGEST: u32 = 1 << 30;

/// How a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Whether it reads the past.
    pub(crate) past: bool,
    /// Whether its windows are made faster than ClickHouse takes them.
    pub(crate) pressed: bool,
    /// The live watermark of its windows; none before it is known.
    pub(crate) watermark: Option<i64>,
}

/// What the process that leads has claimed for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Go {
    /// The generation, and the number of its base.
    pub(crate) last: Mark,
    /// The base; none: from the log's beginning.
    pub(crate) base: Option<Mark>,
    /// The hash of the claim, which tells this cluster from all others, and the store from another one.
    pub(crate) cluster: u128,
}

/// From the process that leads.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Down {
    /// You are not one of us, in words.
    Refused(String),
    /// Others are still to come.
    Wait,
    /// All are there.
    Go(Go),
    /// How all others are, and how long the cluster has run, in ms.
    Beat { others: Status, run_ms: i64 },
    /// A cut is ordered: so many with it, and the checkpoint it is for.
    Cut { cuts: u32, mark: Mark },
    /// The checkpoint after so many cuts is finished.
    Laid { cuts: u32 },
    /// An answer.
    Told(Tail),
    /// It ends.
    Bye,
}

/// To the process that leads; the first two are asked of any.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Up {
    /// May I join?
    Join(Card),
    /// Records of process `from` come this way.
    Records { from: u16, cluster: u128 },
    /// How it is.
    Beat(Status),
    /// A question.
    Ask(Ask),
    /// Its part of a checkpoint.
    Part(Part),
    /// It ends.
    Bye,
}

fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// Writes a message.
pub(crate) fn say<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let body = postcard::to_stdvec(message).map_err(broken)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| broken("a message is too long"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&body)?;
    to.flush()
}

/// Reads a message.
pub(crate) fn hear<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    hear_up_to(from, LONGEST)
}

/// Reads the first message of somebody not known yet.
pub(crate) fn hear_opening(from: &mut impl Read) -> io::Result<Up> {
    hear_up_to(from, OPENING)
}

fn hear_up_to<T: DeserializeOwned>(from: &mut impl Read, longest: u32) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > longest {
        return Err(broken("this is no message of a cluster"));
    }
    let mut body = vec![0; length as usize];
    from.read_exact(&mut body)?;
    postcard::from_bytes(&body).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_heard_as_they_were_said_and_others_are_refused() {
        let card = Card { process: 1, processes: 2, facts: vec![("a".to_owned(), "b".to_owned())] };
        let mut bytes = Vec::new();
        say(&mut bytes, &Up::Join(card.clone())).expect("written");
        say(&mut bytes, &Up::Bye).expect("written");
        let mut from = bytes.as_slice();
        assert_eq!(hear_opening(&mut from).expect("heard"), Up::Join(card));
        assert_eq!(hear::<Up>(&mut from).expect("heard"), Up::Bye);
        assert!(hear::<Up>(&mut from).is_err(), "nothing more");
        for wrong in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[2, 0, 0, 0, 99, 1], &[1, 0]] {
            assert!(hear_opening(&mut &*wrong).is_err(), "{wrong:?}");
        }
    }
}
