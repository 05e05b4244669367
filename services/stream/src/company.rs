//! How this process takes part in a cluster: from its settings to the connections it runs with. Alone, all of it is nothing.

use crate::{
    checkpoint::{Ordered, Part, Pieces},
    cluster::{
        Authority, Card, Clock, Ending, FollowerLink, Gate, Go, Joined, Links, Records, Seat, Up, WIRE, Waiting,
    },
    config::Config,
    shared::{Shared, World},
};
use anyhow::{Context, Result};
use gridwarden_bus::TopicMeta;
use gridwarden_runtime::{city::MappedCity, shutdown::Shutdown};
use sha2::{Digest, Sha256};
use std::net::TcpStream;
use std::sync::{Arc, mpsc::Sender};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Which process this is.
pub(crate) fn seat(config: &Config) -> Seat {
    let processes = config.cluster.hosts().len().max(1);
    Seat { process: config.cluster.process, processes, workers: config.stream.worker_count() }
}

/// Where this process listens for the others, if there are any.
pub(crate) fn gate(config: &Config, shutdown: &Shutdown) -> Result<Option<Gate>> {
    let (seat, hosts) = (seat(config), config.cluster.hosts());
    if seat.is_alone() {
        return Ok(None);
    }
    let own = hosts.get(seat.process).cloned().unwrap_or_default();
    let listen = if config.cluster.listen.is_empty() { own } else { config.cluster.listen.clone() };
    let silence = Duration::from_secs(config.cluster.silence_s);
    Gate::open(&listen, hosts, (seat, silence), shutdown).map(Some)
}

/// What this process says of itself: all that must be the same for records to mean the same, and rows to become the same.
pub(crate) fn card(config: &Config, city: &MappedCity, world: &World, metas: &[TopicMeta]) -> Card {
    let stream = &config.stream;
    let mut facts = vec![
        ("version".to_owned(), format!("{}, wire {WIRE}", env!("CARGO_PKG_VERSION"))),
        ("number of workers".to_owned(), seat(config).workers.to_string()),
        ("stream.tick_ms".to_owned(), stream.tick_ms.to_string()),
        ("stream.ids_per_source".to_owned(), stream.ids_per_source.to_string()),
        ("stream.report_ids_per_partition".to_owned(), stream.report_ids_per_partition.to_string()),
        ("clickhouse.database".to_owned(), config.clickhouse.database.clone()),
        ("city".to_owned(), city_hash(city)),
    ];
    for (topic, meta) in world.topics.iter().zip(metas) {
        facts.push((format!("topic {}", topic.name), format!("{} with {} partitions", topic.id, meta.partitions)));
    }
    let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    let seat = seat(config);
    Card { process: number(seat.process), processes: number(seat.processes), facts }
}

/// What of the city's folder the stream goes by: all else comes from topics.
fn city_hash(city: &MappedCity) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", city.file));
    for (file, text) in &city.mappings {
        hash.update(format!("{file:?}"));
        hash.update(text);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Where others are met, and as what.
type AtGate = (Arc<Gate>, Card);

/// The way to the others until all is there that this process begins with.
pub(crate) struct Way {
    at_gate: Option<AtGate>,
    clock: Clock,
    ending: Ending,
    role: WayRole,
}

enum WayRole {
    Alone,
    Leads(Waiting),
    Follows { go: Go, link: FollowerLink, streams: Vec<Option<TcpStream>> },
}

impl Way {
    /// Where another process leads, it is spoken to from here on, and all are connected. None when the shutdown came first. Blocks.
    pub(crate) fn of(joined: Joined, at_gate: Option<AtGate>, ending: &Ending) -> Result<Option<Self>> {
        let (clock, ending) = (Clock::new(), ending.clone());
        let role = match (joined, &at_gate) {
            (Joined::Follows(stream, go), Some((gate, card))) => {
                let link = FollowerLink::begin(stream, (&clock, &ending))?;
                let Some(streams) = gate.connect(card, go).context("cluster")? else { return Ok(None) };
                WayRole::Follows { go, link, streams }
            }
            (Joined::Leads(streams), _) => WayRole::Leads(Waiting::begin(streams)?),
            _ => WayRole::Alone,
        };
        Ok(Some(Self { at_gate, clock, ending, role }))
    }

    /// What another process has claimed for all, if one leads.
    pub(crate) fn go(&self) -> Option<Go> {
        match &self.role {
            WayRole::Follows { go, .. } => Some(*go),
            WayRole::Alone | WayRole::Leads(_) => None,
        }
    }

    /// Who gives out numbers, when this process does not.
    pub(crate) fn authority(&self) -> Option<Authority> {
        match &self.role {
            WayRole::Follows { link, .. } => Some(link.authority.clone()),
            WayRole::Alone | WayRole::Leads(_) => None,
        }
    }

    /// All is there: where this process leads, `go` says what is claimed, and all are connected. None when the shutdown came
    /// first. Blocks.
    pub(crate) fn begin(
        self,
        (shared, pieces): (&Arc<Shared>, &Pieces),
        seat: Seat,
        go: impl FnOnce() -> Result<Go>,
    ) -> Result<Option<Company>> {
        let Self { at_gate, clock, ending, role } = self;
        let (role, streams, go, clock) = match (role, &at_gate) {
            (WayRole::Leads(waiting), Some((gate, card))) => {
                let (go, clock) = (go()?, Clock::new());
                let links = Links::lead(waiting.end()?, go, (shared, pieces), (&clock, &ending))?;
                let Some(streams) = gate.connect(card, go).context("cluster")? else { return Ok(None) };
                (Role::Leads(links), streams, go, clock)
            }
            (WayRole::Follows { go, link, streams }, _) => {
                link.is_ready(shared);
                (Role::Follows(ToLead(link.to), link.orders), streams, go, clock)
            }
            _ => {
                let role = Role::Leads(Links::default());
                return Ok(Some(Company { seat, clock, ending, role, records: None, door: None }));
            }
        };
        let generation = go.last.generation;
        tracing::info!(generation, processes = seat.processes, "the cluster is complete");
        let records = Some(Records { streams, ending: ending.clone() });
        let door = at_gate.map(|(gate, card)| Door { gate, card, generation });
        Ok(Some(Company { seat, clock, ending, role, records, door }))
    }
}

/// The processes this one runs with.
pub(crate) struct Company {
    pub(crate) seat: Seat,
    pub(crate) clock: Clock,
    pub(crate) ending: Ending,
    pub(crate) role: Role,
    /// Connections for records; none where there is nobody else.
    pub(crate) records: Option<Records>,
    /// Where others are sent away.
    pub(crate) door: Option<Door>,
}

/// Where others are sent away while the cluster runs.
pub(crate) struct Door {
    gate: Arc<Gate>,
    card: Card,
    generation: u32,
}

impl Door {
    /// Until the shutdown. Blocks.
    pub(crate) fn stay_closed(&self) -> Result<()> {
        self.gate.stay_closed(&self.card, self.generation)
    }
}

/// What this process does for the others.
pub(crate) enum Role {
    /// It takes checkpoints, and tells others when.
    Leads(Links),
    /// It is told.
    Follows(ToLead, UnboundedReceiver<Ordered>),
}

/// To the process that leads.
pub(crate) struct ToLead(Sender<Up>);

impl ToLead {
    /// Hands over a part of a checkpoint. Nobody listens any more when the process ends.
    pub(crate) fn part(&self, part: Part) {
        self.0.send(Up::Part(part)).ok();
    }
}
