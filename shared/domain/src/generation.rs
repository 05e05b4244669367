//! Generations of a process that writes a topic, and the fences between them: pure.
//!
//! `GEN-1` a process that goes on with another's work appends a fence with its generation to every partition it writes, and
//! reads them to the end. What a lower generation appends behind a fence is of a process that is over, and not heard.

use crate::alert::Alert;
use std::collections::BTreeMap;

/// The fences of a topic's partitions, as far as they are read.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Fences(BTreeMap<i32, u32>);

impl Fences {
    /// A fence was read: a record without value whose header names a generation. What does not read so is no fence.
    pub fn note(&mut self, partition: i32, header: &[u8]) {
        if let Some(generation) = std::str::from_utf8(header).ok().and_then(|text| text.parse().ok()) {
            self.raise(partition, generation);
        }
    }

    /// A fence of this generation stands before what is read.
    pub fn raise(&mut self, partition: i32, generation: u32) {
        let known = self.0.entry(partition).or_default();
        *known = generation.max(*known);
    }

    /// The highest generation of any fence; 0 without one.
    pub fn highest(&self) -> u32 {
        self.0.values().copied().max().unwrap_or(0)
    }

    /// The alert in a record of `alerts.v1`, by its value and its header `fence`: none when it is a fence, which is noted, or of a
    /// process that is over.
    pub fn read(
        &mut self,
        partition: i32,
        payload: Option<&[u8]>,
        fence: Option<&[u8]>,
    ) -> Option<Result<Alert, serde_json::Error>> {
        let Some(payload) = payload else {
            if let Some(generation) = fence {
                self.note(partition, generation);
            }
            return None;
        };
        match serde_json::from_slice::<Alert>(payload) {
            Ok(alert) => self.hear(partition, alert.generation).then_some(Ok(alert)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Whether a record of this generation, read now, is heard (`GEN-1`).
    pub fn hear(&self, partition: i32, generation: u32) -> bool {
        self.0.get(&partition).is_none_or(|fence| generation >= *fence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_generations_are_not_heard_behind_a_fence() {
        let mut fences = Fences::default();
        assert!(fences.hear(0, 1));
        fences.note(0, b"2");
        assert!(!fences.hear(0, 1) && fences.hear(0, 2) && fences.hear(0, 3));
        assert!(fences.hear(1, 1), "another partition");
        fences.note(0, b"1");
        assert!(!fences.hear(0, 1) && fences.highest() == 2, "a fence stays");
        fences.note(1, b"x");
        fences.note(1, b"\xff");
        assert!(fences.hear(1, 0), "that was no fence");
    }
}
