//! Who may be part of a cluster: pure, facts in, a decision with its reason out.
//!
//! `CLU-1` one generation is one cluster: as many processes as all of them say, each once, that read the same topics of the same city
//! with the same program, in the same way. Nobody joins once it is complete; who belongs to another one is refused with words.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What a process says of itself before anything else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    /// Which one it is.
    pub(crate) process: u16,
    /// How many it thinks there are.
    pub(crate) processes: u16,
    /// What must be the same everywhere: name, value.
    pub(crate) facts: Vec<(String, String)>,
}

/// How far the process that leads is.
#[derive(Clone, Debug)]
pub(crate) enum Hall {
    /// These are there.
    Gathering(BTreeSet<u16>),
    /// The cluster is complete.
    Running {
        /// Its generation.
        generation: u32,
    },
}

/// Whether a process may come in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It may.
    Admitted,
    /// It may not.
    Refused(Refusal),
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// It was asked to lead, and does not.
    DoesNotLead { process: u16 },
    /// The cluster is complete.
    Running { generation: u32 },
    /// It counts other processes.
    Count { theirs: u16, ours: u16 },
    /// There is no such process, or it is the one that leads.
    NoSuch { process: u16, processes: u16 },
    /// Somebody else is that process already.
    Taken { process: u16 },
    /// Something is not the same.
    Differs { what: String, theirs: String, ours: String },
    /// It speaks of another cluster.
    Stale { theirs: u128, ours: u128 },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoesNotLead { process } => {
                write!(f, "this is process {process}; process 0 leads, and is the first of cluster.hosts")
            }
            Self::Running { generation } => {
                write!(f, "generation {generation} runs with all its processes; it has to end before another can begin")
            }
            Self::Count { theirs, ours } => write!(f, "it counts {theirs} processes, there are {ours}"),
            Self::NoSuch { process, processes } => {
                write!(f, "{process} is no process that may join: those are 1 to {}", processes.saturating_sub(1))
            }
            Self::Taken { process } => write!(f, "there is a process {process} already"),
            Self::Differs { what, theirs, ours } => write!(f, "its {what} is {theirs}, here it is {ours}"),
            Self::Stale { theirs, ours } => write!(f, "it is of another cluster ({theirs:032x}), this is {ours:032x}"),
        }
    }
}

/// Whether the process with this card may join (`CLU-1`).
pub(crate) fn admit(own: &Card, card: &Card, hall: &Hall) -> Verdict {
    let refusal = match hall {
        _ if own.process != 0 => Some(Refusal::DoesNotLead { process: own.process }),
        Hall::Running { generation } => Some(Refusal::Running { generation: *generation }),
        Hall::Gathering(_) if card.processes != own.processes => {
            Some(Refusal::Count { theirs: card.processes, ours: own.processes })
        }
        Hall::Gathering(_) if card.process == 0 || card.process >= own.processes => {
            Some(Refusal::NoSuch { process: card.process, processes: own.processes })
        }
        Hall::Gathering(there) if there.contains(&card.process) => Some(Refusal::Taken { process: card.process }),
        Hall::Gathering(_) => difference(own, card),
    };
    refusal.map_or(Verdict::Admitted, Verdict::Refused)
}

/// The first thing that is not the same.
fn difference(own: &Card, card: &Card) -> Option<Refusal> {
    let value = |card: &Card, what: &str| {
        let fact = card.facts.iter().find(|(name, _)| name == what);
        fact.map_or_else(|| "not said".to_owned(), |(_, value)| value.clone())
    };
    let names = own.facts.iter().chain(&card.facts).map(|(name, _)| name);
    names.into_iter().find_map(|what| {
        let (theirs, ours) = (value(card, what), value(own, what));
        (theirs != ours).then(|| Refusal::Differs { what: what.clone(), theirs, ours })
    })
}

/// Whether records may come from process `from` of cluster `theirs`, when those of `there` come already.
pub(crate) fn connect(own: (u16, u16, u128), from: u16, theirs: u128, there: &BTreeSet<u16>) -> Verdict {
    let (process, processes, ours) = own;
    if theirs != ours {
        return Verdict::Refused(Refusal::Stale { theirs, ours });
    }
    // Of two the one with the higher number calls.
    if from <= process || from >= processes {
        return Verdict::Refused(Refusal::NoSuch { process: from, processes });
    }
    if there.contains(&from) { Verdict::Refused(Refusal::Taken { process: from }) } else { Verdict::Admitted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(process: u16, processes: u16, facts: &[(&str, &str)]) -> Card {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Card { process, processes, facts }
    }

    const FACTS: [(&str, &str); 2] = [("city", "a"), ("workers", "2")];

    fn words(verdict: Verdict) -> String {
        match verdict {
            Verdict::Admitted => "admitted".to_owned(),
            Verdict::Refused(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn one_that_is_the_same_in_everything_comes_in_once() {
        let own = card(0, 3, &FACTS);
        let there = |processes: &[u16]| Hall::Gathering(processes.iter().copied().collect());
        assert_eq!(admit(&own, &card(2, 3, &FACTS), &there(&[])), Verdict::Admitted);
        assert_eq!(admit(&own, &card(1, 3, &FACTS), &there(&[2])), Verdict::Admitted);
        for (theirs, there, says) in [
            (card(2, 3, &FACTS), there(&[2]), "there is a process 2 already"),
            (card(0, 3, &FACTS), there(&[]), "0 is no process that may join: those are 1 to 2"),
            (card(3, 3, &FACTS), there(&[]), "3 is no process that may join: those are 1 to 2"),
            (card(1, 2, &FACTS), there(&[]), "it counts 2 processes, there are 3"),
            (card(1, 3, &[("city", "b"), FACTS[1]]), there(&[]), "its city is b, here it is a"),
            (card(1, 3, &FACTS[..1]), there(&[]), "its workers is not said, here it is 2"),
            (card(1, 3, &[FACTS[0], FACTS[1], ("tick", "5")]), there(&[]), "its tick is 5, here it is not said"),
            (
                card(1, 3, &FACTS),
                Hall::Running { generation: 7 },
                "generation 7 runs with all its processes; it has to end before another can begin",
            ),
        ] {
            assert_eq!(words(admit(&own, &theirs, &there)), says);
        }
        let refused = words(admit(&card(1, 3, &FACTS), &card(2, 3, &FACTS), &there(&[])));
        assert_eq!(refused, "this is process 1; process 0 leads, and is the first of cluster.hosts");
    }

    #[test]
    fn records_come_from_processes_of_this_cluster_alone_each_once() {
        let there = |processes: &[u16]| processes.iter().copied().collect::<BTreeSet<u16>>();
        assert_eq!(connect((0, 3, 9), 2, 9, &there(&[1])), Verdict::Admitted);
        assert!(matches!(
            connect((0, 3, 9), 2, 8, &there(&[])),
            Verdict::Refused(Refusal::Stale { theirs: 8, ours: 9 })
        ));
        assert!(matches!(connect((0, 3, 9), 2, 9, &there(&[2])), Verdict::Refused(Refusal::Taken { process: 2 })));
        for (own, from) in [(0, 0), (0, 3), (1, 0), (1, 1)] {
            assert!(matches!(connect((own, 3, 9), from, 9, &there(&[])), Verdict::Refused(Refusal::NoSuch { .. })));
        }
    }
}
