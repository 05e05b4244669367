//! The manifest of a checkpoint: what it is made of and where that lies. JSON, so that a person can read it; its own hash
//! comes first, so that a torn one is known.
//!
//! `CKP-4` state, offsets, open alerts, rows not acknowledged, the place in `alerts.v1` and the control topics' places are in
//! one manifest, which is written last: a checkpoint is there whole or not at all.

use super::protocol::Mark;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of everything saved: 2 since windows may hold sketches, 3 since there are rules over several entities, 4 since rules
/// may look in the order of event time. One older than [`OLDEST`] or newer than this is not read.
pub(crate) const FORMAT: u32 = 4;
/// The oldest version that is still read.
pub(crate) const OLDEST: u32 = 1;

/// A partition and the next offset.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Topic, without prefix.
    pub(crate) topic: String,
    /// Partition.
    pub(crate) partition: i32,
    /// The offset of the first record that is not in it.
    pub(crate) next: i64,
}

/// A place in a partition of `alerts.v1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AlertPlace {
    /// Partition.
    pub(crate) partition: i32,
    /// From here on it may hold transitions that are not in the state.
    pub(crate) next: i64,
    /// The highest generation whose fence stands before it.
    pub(crate) fence: u32,
}

/// A piece of state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
pub(crate) enum Section {
    /// The numbers of names.
    Names,
    /// What is known of a partition but its entities.
    Part(u16),
    /// Entities of a partition, by page.
    Entities(u16, u32),
    /// Windows: start of the minute, shard.
    Windows(i64, u16),
    /// What came for windows while the rest was lent to an earlier checkpoint: start of the minute, shard.
    More(i64, u16),
    /// Rules over several entities, by shard.
    Together(u16),
    /// What waits for them in a worker.
    Waiting(u16),
    /// Rules in the order of event time, and what waits for them, by partition.
    Ordered(u16),
}

/// Where a piece lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Slice {
    /// Which of [`Manifest::objects`].
    pub(crate) object: u32,
    /// First byte.
    pub(crate) from: u64,
    /// Bytes.
    pub(crate) length: u64,
    /// First half of the bytes' SHA-256.
    pub(crate) hash: u128,
}

/// What a checkpoint is made of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// Whose it is.
    pub(crate) mark: Mark,
    /// When it was written, epoch milliseconds; for people.
    pub(crate) written_at: i64,
    /// Ids of the topics read, by name.
    pub(crate) topics: Vec<(String, String)>,
    /// Where each partition goes on.
    pub(crate) places: Vec<Place>,
    /// From where `alerts.v1` may hold transitions that are not in the state.
    pub(crate) alerts: Vec<AlertPlace>,
    /// How far the control topics had been read.
    pub(crate) control: Vec<Place>,
    /// Objects named below.
    pub(crate) objects: Vec<String>,
    /// The pieces.
    pub(crate) sections: Vec<(Section, Slice)>,
}

/// The hash of a piece.
pub(crate) fn hash(bytes: &[u8]) -> u128 {
    Sha256::digest(bytes).iter().take(16).fold(0, |hash, byte| (hash << 8) | u128::from(*byte))
}

/// Length of the line that holds the hash.
const LINE: usize = 65;

impl Manifest {
    /// As it is written.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let body = serde_json::to_vec(self)?;
        let mut bytes = hex::encode(Sha256::digest(&body)).into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    /// Reads one, or says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (line, body) = bytes.split_at_checked(LINE).ok_or("the manifest is cut off")?;
        let hash = hex::encode(Sha256::digest(body));
        if line.strip_suffix(b"\n") != Some(hash.as_bytes()) {
            return Err("the manifest is not as it was written".to_owned());
        }
        // What another version wrote may have other fields: its number is looked at first.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| format!("the manifest cannot be read: {error}");
        let version: Version = serde_json::from_slice(body).map_err(unreadable)?;
        if !(OLDEST..=FORMAT).contains(&version.format) {
            let format = version.format;
            return Err(format!("the manifest is of version {format}; read are {OLDEST} to {FORMAT}"));
        }
        serde_json::from_slice(body).map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let place = |topic: &str, next| Place { topic: topic.to_owned(), partition: 0, next };
        Manifest {
            format: FORMAT,
            mark: Mark { generation: 2, number: 7 },
            written_at: 1_000,
            topics: vec![("observations.v1".to_owned(), "0a".to_owned())],
            places: vec![place("observations.v1", 12)],
            alerts: vec![AlertPlace { partition: 0, next: 3, fence: 2 }],
            control: vec![place("rules.v1", 1)],
            objects: vec!["a".to_owned()],
            sections: vec![(Section::Windows(60_000, 3), Slice { object: 0, from: 0, length: 4, hash: u128::MAX })],
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let bytes = manifest().to_bytes().expect("written");
        assert_eq!(Manifest::parse(&bytes), Ok(manifest()));
    }

    #[test]
    fn one_that_is_not_whole_is_refused_wherever_it_was_cut_or_changed() {
        let bytes = manifest().to_bytes().expect("written");
        for length in 0..bytes.len() {
            let cut = bytes.get(..length).expect("within");
            assert!(Manifest::parse(cut).is_err(), "cut at {length}");
            let mut changed = bytes.clone();
            *changed.get_mut(length).expect("within") ^= 1;
            assert!(Manifest::parse(&changed).is_err(), "changed at {length}");
        }
    }

    #[test]
    fn one_of_a_later_version_is_refused_by_its_number() {
        let bytes = Manifest { format: FORMAT + 1, ..manifest() }.to_bytes().expect("written");
        let refused = Manifest::parse(&bytes).expect_err("refused");
        assert_eq!(refused, "the manifest is of version 5; read are 1 to 4");
    }
}
