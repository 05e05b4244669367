//! Where this process begins: the newest checkpoint that counts and is whole, claimed, and held against the logs there are.

use crate::{
    alerts::highest_generation,
    checkpoint::{self, AlertPlace, Loaded, Mark, Names, Place, State, Why},
    restored::Restored,
    shared::World,
};
use anyhow::{Result, bail};
use gridwarden_bus::{BusError, KafkaConfig, Offsets};
use gridwarden_runtime::{objects::Objects, shutdown::Shutdown};

/// What was claimed, and the state to go on from.
pub(crate) struct Beginning {
    /// The generation claimed, and the number of its base; 0: none.
    pub(crate) last: Mark,
    /// What the state's numbers stand for.
    pub(crate) names: Names,
    /// The state.
    pub(crate) restored: Restored,
    /// From where `alerts.v1` is to be read; its beginning where nothing is said.
    pub(crate) alerts: Vec<AlertPlace>,
    /// How far the control topics had been read.
    pub(crate) control: Vec<Place>,
}

impl Beginning {
    /// Loads and claims. Blocks; on a thread of the runtime.
    pub(crate) fn claim(kafka: &KafkaConfig, objects: &Objects, world: &World, shutdown: &Shutdown) -> Result<Self> {
        let runtime = tokio::runtime::Handle::current();
        let claimed = runtime.block_on(checkpoint::is_claimed(objects))?;
        let floor = if claimed { 0 } else { highest_generation(kafka, shutdown)? };
        let Loaded { start, base } = runtime.block_on(checkpoint::load(objects, floor))?;
        say(&start.why, start.base);
        let (manifest, state) = base.map_or_else(Default::default, |(manifest, state)| (Some(manifest), state));
        if let Some(manifest) = &manifest {
            same_topics(&manifest.topics, world)?;
        }
        let State { names, parts, windows } = state;
        let restored = Restored::new(State { names: names.clone(), parts, windows }, world);
        skip_what_is_gone(kafka, world, &restored)?;
        let last = Mark { generation: start.generation, number: start.base.map_or(0, |base| base.number) };
        let (alerts, control) = manifest.map_or_else(Default::default, |manifest| (manifest.alerts, manifest.control));
        Ok(Self { last, names, restored, alerts, control })
    }
}

fn say(why: &Why, base: Option<Mark>) {
    let checkpoint = base.map_or_else(|| "none".to_owned(), |base| base.to_string());
    match why {
        Why::First => tracing::info!("no checkpoint yet, reading from the beginning of the logs"),
        Why::Newest => tracing::info!(%checkpoint, "going on from the newest checkpoint"),
        Why::Damaged(damaged) => {
            let refused: Vec<String> = damaged.iter().map(|(mark, words)| format!("{mark}: {words}")).collect();
            let refused = refused.join("; ");
            tracing::error!(%checkpoint, %refused, "damaged checkpoints are not used, going on from one that is whole");
        }
    }
}

/// A topic made anew has other records under the same numbers: the state is not theirs.
fn same_topics(saved: &[(String, String)], world: &World) -> Result<()> {
    for (name, id) in saved {
        let Some(topic) = world.topics.iter().find(|topic| topic.name == *name) else { continue };
        let now = topic.id.to_string();
        if now != *id {
            bail!(
                "topic {name} was made anew (id {id} → {now}); the checkpoints are of the old one: remove their folder"
            );
        }
    }
    Ok(())
}

/// Bounds of all partitions read.
pub(crate) fn bounds(
    kafka: &KafkaConfig,
    world: &World,
    ask: impl Fn(&Offsets, &[(&str, i32)]) -> Result<Vec<i64>, BusError>,
) -> Result<Vec<i64>> {
    Ok(ask(&Offsets::open(kafka)?, &world.partitions())?)
}

/// Records that left the log before they were read: said and counted, and the rest goes on.
fn skip_what_is_gone(kafka: &KafkaConfig, world: &World, restored: &Restored) -> Result<()> {
    let starts = bounds(kafka, world, Offsets::starts)?;
    for ((number, start), (topic, partition)) in (0u16..).zip(starts).zip(world.partitions()) {
        let Some(next) = restored.next(number).filter(|next| *next < start) else { continue };
        tracing::error!(topic, partition, from = next, to = start, "records left the log before they were read");
        restored.skip_to(number, start);
    }
    Ok(())
}
