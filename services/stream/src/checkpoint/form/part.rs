//! A partition's state.

use crate::intake::SeenId;
use gridwarden_domain::value::Fixed;
use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

/// A partition but for its entities.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct PartForm {
    /// The next offset, once anything was read.
    pub(crate) next: Option<i64>,
    /// Highest append time of a record.
    pub(crate) appended: i64,
    /// Historical feeds: domain, highest event time, whether it ended.
    pub(crate) feeds: Vec<(u8, i64, bool)>,
    /// Ids of reports seen lately, oldest first: fingerprint, append time.
    pub(crate) reports: Vec<(u64, i64)>,
    /// Count of rule sets that have come into force; none before the first record.
    pub(crate) reloads: Option<u32>,
    /// By slot: the count with which the rule came into force as it was.
    pub(crate) since: Vec<u32>,
    /// Holds that may become due.
    pub(crate) timers: Vec<TimerForm>,
    /// Number of entities.
    pub(crate) entities: u32,
}

/// A hold that may become due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct TimerForm {
    /// Watermark domain.
    pub(crate) domain: u8,
    /// Event time.
    pub(crate) due: i64,
    /// Number of the entity.
    pub(crate) entity: u32,
    /// Slot of the rule.
    pub(crate) slot: u32,
}

/// What is read as an [`EntityForm`], written from where it lies, for there are many.
#[derive(Serialize)]
pub(crate) struct EntityView<'e> {
    #[serde(serialize_with = "bytes")]
    pub(crate) source: &'e [u8],
    pub(crate) kind: u16,
    pub(crate) home: u16,
    pub(crate) owed: bool,
    pub(crate) feed: u16,
    pub(crate) time: i64,
    pub(crate) at: u64,
    pub(crate) appended: i64,
    pub(crate) position: Option<(f64, f64, Option<f32>)>,
    pub(crate) areas: &'e [u32],
    pub(crate) values: &'e [(u32, Fixed)],
    pub(crate) ids: &'e [SeenId],
    pub(crate) next_id: u32,
    pub(crate) seen: u32,
    pub(crate) inside: &'e [u32],
    pub(crate) held: Vec<HeldForm>,
}

/// All at once: in this format a list of bytes is written as bytes are.
fn bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// An entity.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(crate) struct EntityForm {
    /// Id.
    pub(crate) source: SmallVec<[u8; 40]>,
    /// Kind.
    pub(crate) kind: u16,
    /// The partition it was first seen in.
    pub(crate) home: u16,
    /// Whether its latest state was not known to be in ClickHouse.
    pub(crate) owed: bool,
    /// Feed of the latest record, its event time, place in the log and append time.
    pub(crate) feed: u16,
    pub(crate) time: i64,
    pub(crate) at: u64,
    pub(crate) appended: i64,
    /// Degrees, and metres of error.
    pub(crate) position: Option<(f64, f64, Option<f32>)>,
    /// Leaf areas.
    pub(crate) areas: SmallVec<[u32; 4]>,
    /// Metric, millionths.
    pub(crate) values: SmallVec<[(u32, i64); 4]>,
    /// Ids seen lately, a ring: fingerprint, append time; where the next goes.
    pub(crate) ids: Vec<SeenId>,
    pub(crate) next_id: u32,
    /// The partition's count of reloads when its last position was looked at.
    pub(crate) seen: u32,
    /// Slots of fences it is inside of, rising.
    pub(crate) inside: SmallVec<[u32; 4]>,
    /// What rules hold against it.
    pub(crate) held: Vec<HeldForm>,
}

/// What rules remember of an entity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct StateForm {
    /// The partition's count of reloads when its last position was looked at.
    pub(crate) seen: u32,
    /// Slots of fences it is inside of, rising.
    pub(crate) inside: SmallVec<[u32; 4]>,
    /// What rules hold against it.
    pub(crate) held: Vec<HeldForm>,
}

/// What a rule holds against an entity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct HeldForm {
    /// Slot.
    pub(crate) slot: u32,
    /// How far it has come.
    pub(crate) phase: PhaseForm,
}

/// How far an offence has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum PhaseForm {
    /// It began at an event time, with a record.
    Pending(i64, u64),
    /// The alert is open: id, number of its last transition, event time of the raise.
    Open(u128, u32, i64),
    /// Where it was: event time, degrees and metres of error, bit by bit.
    Way(i64, [u64; 2], Option<u32>),
    /// What rules in the order of event time remember, by how long they wait.
    Ordered(Vec<(u32, StateForm)>),
    /// The alert is open and was told anew: as [`PhaseForm::Open`], and seconds from the raise to when it was told last.
    Told(u128, u32, i64, u32),
}

/// A partition's rules in the order of event time, and the records that wait for them.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OrderedForm {
    /// Rules that wait as long as each other.
    pub(crate) lanes: Vec<LaneForm>,
    /// Records, in order.
    pub(crate) kept: Vec<KeptForm>,
}

/// Rules that wait as long as each other.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct LaneForm {
    /// How long, in seconds.
    pub(crate) reorder_s: u32,
    /// As in [`PartForm`].
    pub(crate) reloads: u32,
    pub(crate) since: Vec<u32>,
    pub(crate) timers: Vec<TimerForm>,
    /// By domain: the event time up to which all was looked at.
    pub(crate) reached: Vec<(u8, i64)>,
}

/// A record that waits.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct KeptForm {
    /// Watermark domain, event time, place in the log.
    pub(crate) domain: u8,
    pub(crate) time: i64,
    pub(crate) at: u64,
    /// Number of the entity.
    pub(crate) entity: u32,
    /// Degrees, and metres of error.
    pub(crate) position: Option<(f64, f64, Option<f32>)>,
    /// Metric, millionths.
    pub(crate) values: SmallVec<[(u32, i64); 4]>,
    /// Whether it is made up.
    pub(crate) simulated: bool,
}
