//! Where this process begins: the newest checkpoint that counts and is whole, claimed, and held against the logs there are.

use crate::{
    alerts::highest_generation,
    checkpoint::{self, AlertPlace, Loaded, Manifest, Mark, Place, State, Why},
    cluster::Go,
    shared::World,
};
use anyhow::{Context, Result, bail};
use gridwarden_bus::{BusError, KafkaConfig, Offsets};
use gridwarden_runtime::{objects::Objects, shutdown::Shutdown};

/// What was claimed, and the state to go on from.
pub(crate) struct Beginning {
    /// The generation claimed, and the number of its base; 0: none.
    pub(crate) last: Mark,
    /// The base; none: from the log's beginning.
    pub(crate) base: Option<Mark>,
    /// The state.
    pub(crate) state: State,
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
        let last = Mark { generation: start.generation, number: start.base.map_or(0, |base| base.number) };
        Self::of(last, start.base, base, world)
    }

    /// What tells the claim from all others.
    pub(crate) fn claim_hash(objects: &Objects, generation: u32) -> Result<u128> {
        let hash = tokio::runtime::Handle::current().block_on(checkpoint::claim_hash(objects, generation))?;
        hash.with_context(|| format!("the claim of generation {generation} is gone"))
    }

    /// Loads what another process has claimed for all. Blocks; on a thread of the runtime.
    pub(crate) fn follow(objects: &Objects, go: Go, world: &World) -> Result<Self> {
        let runtime = tokio::runtime::Handle::current();
        let claim = runtime.block_on(checkpoint::claim_hash(objects, go.last.generation))?;
        if claim != Some(go.cluster) {
            bail!(
                "what process 0 has claimed (generation {}) is not in this process's checkpoints: all processes need one folder or bucket",
                go.last.generation
            );
        }
        let base = match go.base {
            Some(mark) => match runtime.block_on(checkpoint::load_base(objects, mark))? {
                Ok(base) => Some(base),
                Err(words) => bail!("checkpoint {mark} is whole for process 0, and not for this one: {words}"),
            },
            None => None,
        };
        Self::of(go.last, go.base, base, world)
    }

    fn of(last: Mark, base: Option<Mark>, loaded: Option<(Manifest, State)>, world: &World) -> Result<Self> {
        let (manifest, state) = loaded.map_or_else(Default::default, |(manifest, state)| (Some(manifest), state));
        if let Some(manifest) = &manifest {
            same_topics(&manifest.topics, world)?;
        }
        let (alerts, control) = manifest.map_or_else(Default::default, |manifest| (manifest.alerts, manifest.control));
        Ok(Self { last, base, state, alerts, control })
    }
}

fn say(why: &Why, base: Option<Mark>) {
    let checkpoint = base.map_or_else(|| "none".to_owned(), |base| base.to_string());
    match why {
        Why::First => tracing::info!("no checkpoint yet, beginning with what is kept"),
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
