//! What rules over several entities remember, as it is written down. What can be made of the rest is not.

use super::{
    Spot, State,
    cluster::{Cluster, Event, Group, Terms as ClusterTerms},
    density::{Density, Terms as DensityTerms},
    present::Member,
    proximity::{Proximity, Terms as ProximityTerms},
    window::{Streak, Sum, Terms as WindowTerms, Window},
};
use crate::{
    checkpoint::{PhaseForm, Renumber},
    rules::{Open, Phase, hold::Hold},
};
use gridwarden_domain::rule::{Condition, Rule};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::sync::Arc;

/// A rule's state in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// Watermark domain.
    pub(crate) domain: u8,
    /// The rule.
    pub(crate) slot: u32,
    /// What it asks for, as a number.
    pub(crate) sense: u64,
    /// Its partition's highest append time when the rule first saw something.
    pub(crate) since: i64,
    /// What it saw last.
    pub(crate) last: Spot,
    /// What it remembers.
    pub(crate) state: SavedState,
}

/// What a rule remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum SavedState {
    /// Who is in which places; offences by place.
    Density(Vec<(String, Spot, SmallVec<[u32; 1]>)>, Vec<(u32, PhaseForm)>),
    /// Who is where, of which sides; offences by pair.
    Proximity(Vec<(String, Spot, u8)>, Vec<(String, String, PhaseForm)>),
    /// Events, with the number of their cluster; clusters by number: the alert, sources, what joined last.
    Cluster(Vec<(String, Spot, Option<u32>)>, Vec<SavedGroup>),
    /// Windows by end and place; places whose windows offended; ends of windows that are awaited.
    Window(Vec<((i64, u32), Sum)>, Vec<(u32, Streak, Spot)>, Vec<(i64, u32)>),
}

/// A cluster: number, alert (id, number of its last transition, event time of the raise), sources, what joined last.
type SavedGroup = (u32, (u128, u32, i64), Vec<String>, Spot);

impl Saved {
    /// Ids of open alerts, and the number of their last transition.
    pub(crate) fn open(&self) -> impl Iterator<Item = (u128, u32)> + '_ {
        let of_phase = |phase: &PhaseForm| match phase {
            PhaseForm::Open(id, seq, _) | PhaseForm::Told(id, seq, ..) => Some((*id, *seq)),
            _ => None,
        };
        let open: Vec<(u128, u32)> = match &self.state {
            SavedState::Density(_, phases) => phases.iter().filter_map(|(_, phase)| of_phase(phase)).collect(),
            SavedState::Proximity(_, phases) => phases.iter().filter_map(|(_, _, phase)| of_phase(phase)).collect(),
            SavedState::Cluster(_, groups) => groups.iter().map(|(_, (id, seq, _), ..)| (*id, *seq)).collect(),
            SavedState::Window(_, streaks, _) => {
                let open = |(_, streak, _): &(u32, Streak, Spot)| match streak {
                    Streak::Open(id, seq, _) => Some((*id, *seq)),
                    Streak::Begun(..) => None,
                };
                streaks.iter().filter_map(open).collect()
            }
        };
        open.into_iter()
    }

    /// In the numbers of this process.
    pub(crate) fn renumbered(mut self, renumber: &Renumber) -> Self {
        let spot = |spot: &mut Spot| spot.at = renumber.at(spot.at);
        self.domain = renumber.domain(self.domain);
        spot(&mut self.last);
        let phase = |form: &mut PhaseForm| *form = renumber.phase(form.clone());
        match &mut self.state {
            SavedState::Density(members, phases) => {
                members.iter_mut().for_each(|member| spot(&mut member.1));
                phases.iter_mut().for_each(|(_, form)| phase(form));
            }
            SavedState::Proximity(members, phases) => {
                members.iter_mut().for_each(|member| spot(&mut member.1));
                phases.iter_mut().for_each(|(_, _, form)| phase(form));
            }
            SavedState::Cluster(events, groups) => {
                events.iter_mut().for_each(|event| spot(&mut event.1));
                groups.iter_mut().for_each(|group| spot(&mut group.3));
            }
            SavedState::Window(sums, streaks, _) => {
                sums.iter_mut().for_each(|(_, sum)| sum.renumber(|at| renumber.at(at)));
                for (_, streak, seen) in streaks {
                    spot(seen);
                    if let Streak::Begun(_, first) = streak {
                        *first = renumber.at(*first);
                    }
                }
            }
        }
        self
    }
}

impl SavedState {
    /// Of a rule's state.
    pub(crate) fn of(state: &State) -> Self {
        match state {
            State::Density(density) => {
                let (members, offences) = density.saved();
                let member =
                    |member: &Member<SmallVec<[u32; 1]>>| (member.source.to_string(), member.spot, member.kept.clone());
                let phases = offences.phases().map(|(place, phase)| (*place, phase.form()));
                Self::Density(members.map(member).collect(), phases.collect())
            }
            State::Proximity(proximity) => {
                let (members, offences) = proximity.saved();
                let member = |member: &Member<u8>| (member.source.to_string(), member.spot, member.kept);
                let phases =
                    offences.phases().map(|((one, other), phase)| (one.to_string(), other.to_string(), phase.form()));
                Self::Proximity(members.map(member).collect(), phases.collect())
            }
            State::Cluster(cluster) => {
                let (events, groups) = cluster.saved();
                let event = |event: &Event| {
                    let group = event.group.filter(|group| groups.contains_key(group));
                    (event.source.to_string(), event.spot, group)
                };
                let group = |(number, group): (&u32, &Group)| {
                    let Open { id, seq, raised_at, .. } = group.open;
                    let sources = group.sources.iter().map(ToString::to_string).collect();
                    (*number, (id, seq, raised_at), sources, group.last)
                };
                Self::Cluster(events.map(event).collect(), groups.iter().map(group).collect())
            }
            State::Window(window) => {
                let (sums, streaks, awaited) = window.saved();
                Self::Window(
                    sums.iter().map(|(key, sum)| (*key, sum.clone())).collect(),
                    streaks.iter().map(|(place, (streak, spot))| (*place, *streak, *spot)).collect(),
                    awaited.iter().copied().collect(),
                )
            }
        }
    }

    /// As it was, under the rule it was of; none when the rule is of another kind.
    pub(crate) fn restore(self, rule: &Rule, hold: &Hold) -> Option<State> {
        let hold = hold.clone();
        Some(match (&rule.condition, self) {
            (Condition::Density(document), Self::Density(members, phases)) => {
                let phases = phases.into_iter().map(|(place, form)| (place, Phase::of(form))).collect();
                let members = members.into_iter().map(member).collect();
                State::Density(Box::new(Density::restored((DensityTerms::of(document), hold), members, phases)))
            }
            (Condition::Proximity(document), Self::Proximity(members, phases)) => {
                let phases = phases
                    .into_iter()
                    .map(|(one, other, form)| ((Arc::from(one.as_str()), Arc::from(other.as_str())), Phase::of(form)));
                let members = members.into_iter().map(member).collect();
                let terms = (ProximityTerms::of(document), hold);
                State::Proximity(Box::new(Proximity::restored(terms, members, phases.collect())))
            }
            (Condition::Cluster(document), Self::Cluster(events, groups)) => {
                let event = |(source, spot, group): (String, Spot, Option<u32>)| Event {
                    source: source.as_str().into(),
                    spot,
                    group,
                };
                let group = |(number, (id, seq, raised_at), sources, last): SavedGroup| {
                    let sources = sources.iter().map(|source| Arc::from(source.as_str())).collect();
                    let open = Open { id, seq, raised_at, told_s: 0 };
                    (number, Group { open: Open { told_s: open.since_s(last.time), ..open }, sources, last })
                };
                let events = events.into_iter().map(event).collect();
                let groups = groups.into_iter().map(group).collect();
                State::Cluster(Box::new(Cluster::restored((ClusterTerms::of(document), hold.hours), events, groups)))
            }
            (Condition::Window(document), Self::Window(sums, streaks, awaited)) => {
                let streaks = streaks.into_iter().map(|(place, streak, spot)| (place, (streak, spot))).collect();
                let (sums, awaited) = (sums.into_iter().collect(), awaited.into_iter().collect());
                let terms = (WindowTerms::of(document), hold.hours);
                State::Window(Box::new(Window::restored(terms, sums, streaks, awaited)))
            }
            _ => return None,
        })
    }
}

fn member<T>((source, spot, kept): (String, Spot, T)) -> Member<T> {
    Member { source: source.as_str().into(), spot, kept }
}
