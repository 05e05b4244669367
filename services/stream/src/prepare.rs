//! What must be there before the dataflow starts: topics, tables, the city's word, alerts already raised.

use crate::{
    alerts::{Known, Reached, alert_partitions, fence},
    beginning::{Beginning, bounds},
    checkpoint::{self, Mark, Pieces, PiecesOut, Place},
    cluster::{Ending, Gate, Go, Joined, Seat, others_of},
    company::{self, Company, Way},
    config::Config,
    feeds::{Domains, Feeds},
    metrics::Metrics,
    rebuild::{Lane, Look, Stand},
    restored::Restored,
    shared::{Lore, Part, Progress, Remembered, Shared, Topic, World},
    windows::sketch::Sketches,
};
use anyhow::{Context, Result, anyhow, bail};
use gridwarden_bus::{
    BusError, KafkaConfig, Offsets, TopicMeta,
    control::ControlReader,
    sources::{self, Source, SourceError},
    topics,
};
use gridwarden_domain::{
    alert::Alert,
    city::{CityFile, MappingFile},
};
use gridwarden_runtime::rasters::preparing;
use gridwarden_runtime::{
    city::MappedCity,
    crashes::{Crashes, Quarantine},
    health::Health,
    objects::Objects,
    seeded::seeded,
    shutdown::Shutdown,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long to wait before trying again what may come by itself.
const AGAIN: Duration = Duration::from_secs(1);
/// How often whoever waits for the control topics looks whether the end has begun.
const ASK_EVERY: Duration = Duration::from_millis(200);
const DAY_MS: i64 = 86_400_000;

/// All that is needed to start.
pub(crate) struct Prepared {
    pub(crate) shared: Arc<Shared>,
    pub(crate) metas: Vec<TopicMeta>,
    pub(crate) control: Arc<ControlReader>,
    pub(crate) known: Known,
    pub(crate) reached: Reached,
    /// The generation claimed, and the number of the checkpoint it goes on from.
    pub(crate) last: Mark,
    pub(crate) objects: Objects,
    pub(crate) restored: Restored,
    /// What is read from the archive before the logs.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) look: Look,
    /// Where each partition ended when the fence stood.
    pub(crate) fence: Arc<[i64]>,
    /// The way of pieces of checkpoints.
    pub(crate) pieces: (Pieces, PiecesOut),
    pub(crate) company: Company,
    /// Whether what is in force is ready to be looked up.
    rasters: JoinHandle<Result<bool>>,
    control_was: Vec<Place>,
}

/// What stays the same, however often it is tried.
struct Ground {
    config: Config,
    city: MappedCity,
    objects: Objects,
    gate: Option<Arc<Gate>>,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
}

/// Tries until Kafka is there and the control topics are read; none when the shutdown came first. ClickHouse is not
/// waited for: rules and alerts do without it.
pub(crate) async fn until_ready(
    config: &Config,
    metrics: &Metrics,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<Option<Prepared>> {
    let city = load_city(&config.city.folder).await?;
    let ground = Arc::new(Ground {
        city,
        objects: Objects::at(&config.checkpoints.folder).context("checkpoints")?,
        gate: company::gate(config, shutdown)?.map(Arc::new),
        config: config.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        shutdown: shutdown.clone(),
    });
    while !shutdown.is_triggered() {
        let ground = Arc::clone(&ground);
        let attempt = tokio::select! {
            attempt = tokio::task::spawn_blocking(move || prepare(&ground)) => attempt?,
            // Nobody may wait for a broker that does not answer.
            () = shutdown.wait() => return Ok(None),
        };
        match attempt {
            Ok(Some(prepared)) => return cover(prepared, health, shutdown).await,
            Ok(None) => return Ok(None),
            Err(error) => {
                if !is_transient(&error) {
                    return Err(error);
                }
                health.set_ready(false, &format!("kafka: {error}"));
                tracing::warn!(%error, "kafka is not ready, will try again");
                shutdown.sleep(AGAIN).await;
            }
        }
    }
    Ok(None)
}

/// A city's folder, off the runtime's threads.
pub(crate) async fn load_city(folder: &Path) -> Result<MappedCity> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || MappedCity::load(&folder)).await?.context("the city cannot be read")
}

/// Whether Kafka may answer when it is asked again.
pub(crate) fn is_transient(error: &anyhow::Error) -> bool {
    error.downcast_ref::<BusError>().is_some_and(BusError::is_transient)
}

/// Waits until the control topics were read to their ends once, and what is in force is ready to be looked up.
async fn cover(mut prepared: Prepared, health: &Health, shutdown: &Shutdown) -> Result<Option<Prepared>> {
    health.set_ready(false, "reading the control topics");
    let ready = tokio::select! {
        ready = &mut prepared.rasters => ready??,
        () = shutdown.wait() => return Ok(None),
    };
    if !ready {
        return Ok(None);
    }
    for (topic, next) in prepared.control.positions() {
        let was = prepared.control_was.iter().find(|place| place.topic == topic).map_or(0, |place| place.next);
        if next < was {
            bail!("{topic} ends at {next}, the last checkpoint had read it to {was}: was it made anew?");
        }
    }
    Ok(Some(prepared))
}

/// Builds the rasters of the layers in force as soon as they are known: a worker that built one while it reads would hold up everybody
/// else. Beside all else that is asked for at a start, which mostly waits for Kafka. False when the shutdown came first, or nobody waits
/// any more: an attempt that failed leaves no reader behind.
fn rasters(control: &Arc<ControlReader>, ground: &Ground) -> JoinHandle<Result<bool>> {
    let (shutdown, prepare) = (ground.shutdown.clone(), preparing(&ground.config.rasters));
    let control = Arc::downgrade(control);
    tokio::task::spawn_blocking(move || {
        while !shutdown.is_triggered() {
            let Some(control) = control.upgrade() else { break };
            if control.wait_covered(0, ASK_EVERY).context("the control topics cannot be read")? {
                control.build_rasters_ahead(prepare);
                return Ok(true);
            }
        }
        Ok(false)
    })
}

fn prepare(ground: &Arc<Ground>) -> Result<Option<Prepared>> {
    let Ground { config, city, health, shutdown, .. } = &**ground;
    let (kafka, ending) = (&config.kafka, Ending::new(shutdown));
    let (topics, metas) = find_topics(kafka, &city.mappings)?;
    let parts = parts_of(&metas)?;
    let reader = Arc::new(ControlReader::start_to_place(kafka)?);
    let rasters = rasters(&reader, ground);
    let mut world = world(&city.file, (topics, parts), config.stream.remembered());
    world.quarantine = Crashes::open(&config.crashes)?.quarantine()?;
    have_leaders(kafka, &world)?;
    let joined = match &ground.gate {
        None => Joined::Alone,
        Some(gate) => match gate.meet(&company::card(config, city, &world, &metas), health)? {
            Some(joined) => joined,
            None => return Ok(None),
        },
    };
    let alone = matches!(joined, Joined::Alone);
    let prepared = begin(ground, (world, metas), (Arc::clone(&reader), rasters), (joined, &ending));
    prepared.map_err(|error| {
        if alone {
            return error;
        }
        // Its connections are closed by now, and whoever misses it ends: that is not why this process does. Closing the reader of the
        // control topics takes a while, so it comes after this.
        ending.leave(company::seat(config));
        // The others do not try again with this one.
        anyhow!("{error:#}")
    })
}

/// From the claim on.
fn begin(
    ground: &Arc<Ground>,
    (mut world, metas): (World, Vec<TopicMeta>),
    (control, rasters): (Arc<ControlReader>, JoinHandle<Result<bool>>),
    (joined, ending): (Joined, &Ending),
) -> Result<Option<Prepared>> {
    let Ground { config, city, objects, shutdown, health, .. } = &**ground;
    let (kafka, seat) = (&config.kafka, company::seat(config));
    let at_gate = ground.gate.clone().map(|gate| (gate, company::card(config, city, &world, &metas)));
    let Some(way) = Way::of(joined, at_gate, ending)? else { return Ok(None) };
    let beginning = match way.go() {
        Some(go) => Beginning::follow(objects, go, &world),
        None => Beginning::claim(kafka, objects, &world, shutdown),
    };
    let Beginning { last, base, state, alerts, control: control_was } = beginning.context("checkpoints")?;
    world.generation = last.generation;
    if seat.leads() && !seeded("fence-left-out") {
        fence(kafka, last.generation)?;
    }
    health.set_ready(false, "reading alerts.v1");
    if let Some(authority) = way.authority() {
        world.domains.set_authority(authority);
    }
    let zone = world.zone();
    let shared = Arc::new(Shared {
        world,
        lore: Lore::restored(&state.names, config.stream.fences_mib, zone, way.authority()),
        metrics: ground.metrics.clone(),
        progress: std::iter::repeat_with(Progress::in_the_past).take(seat.workers).collect(),
        others: others_of(seat),
    });
    let pieces = checkpoint::way();
    let go = || Ok(Go { last, base, cluster: Beginning::claim_hash(objects, last.generation)? });
    let Some(company) = way.begin((&shared, &pieces.0), seat, go)? else { return Ok(None) };
    let restored = Restored::new(state, &shared.world);
    let look = Look::new(config, &ground.metrics, health, shutdown);
    let Some(lanes) = read_on(&look, &shared.world, seat, &restored)? else { return Ok(None) };
    let ends: Arc<[i64]> = bounds(kafka, &shared.world, Offsets::ends)?.into();
    let is_ours = |alert: &Alert| shared.world.is_watched(alert, seat);
    let Some((mut known, reached)) = Known::read(kafka, &alerts, ((last.generation, seat), is_ours), shutdown)? else {
        return Ok(None);
    };
    restored.open_alerts().into_iter().for_each(|(id, seq)| known.note(id, seq));
    if !seat.is_alone() {
        restored.keep(&shared.world, seat);
    }
    tracing::info!(alerts = known.len(), "read what alerts there are");
    let objects = objects.clone();
    let fence = ends;
    Ok(Some(Prepared {
        shared,
        metas,
        control,
        known,
        reached,
        last,
        objects,
        restored,
        lanes,
        look,
        fence,
        pieces,
        company,
        rasters,
        control_was,
    }))
}

/// From where each partition of this process is read on (`RBD-1`): the ways through the archive, where the log does not hold it. None
/// when the shutdown came first.
fn read_on(look: &Look, world: &World, seat: Seat, restored: &Restored) -> Result<Option<Vec<Lane>>> {
    let ours = (0u16..).zip(&world.parts).filter(|(_, part)| seat.reads(part.topic, part.partition));
    let stands: Vec<Stand> = ours.map(|(part, _)| Stand { part, state: restored.stand(part) }).collect();
    let Some(outcomes) = look.decide(world, &stands)? else { return Ok(None) };
    let mut lanes = Vec::new();
    for outcome in outcomes {
        restored.skip_to(outcome.part, outcome.next());
        lanes.extend(outcome.lane(world));
    }
    Ok(Some(lanes))
}

/// Right after Kafka's start partitions have no leaders. A claim uses up a generation, so whoever tries again and again must find
/// them first.
fn have_leaders(kafka: &KafkaConfig, world: &World) -> Result<()> {
    let alerts = alert_partitions(kafka)?;
    let mut asked = world.partitions();
    asked.extend((0..alerts).map(|partition| (topics::ALERTS, partition)));
    Offsets::open(kafka)?.ends(&asked)?;
    Ok(())
}

/// The topics that hold messages, and what Kafka says of each.
pub(crate) fn find_topics(
    kafka: &KafkaConfig,
    mappings: &[(MappingFile, String)],
) -> Result<(Vec<Topic>, Vec<TopicMeta>)> {
    let found = sources::find(kafka, mappings).map_err(|error| match error {
        // Bare, for whoever asks whether it passes.
        SourceError::Bus(error) => error.into(),
        other => anyhow::Error::new(other),
    })?;
    Ok(found
        .into_iter()
        .map(|Source { topic, meta, decoder }| (Topic { name: topic, id: meta.id, decoder }, meta))
        .unzip())
}

/// Partitions over all topics, numbered in order: the numbers decide between records of one moment and must not depend on
/// workers.
pub(crate) fn parts_of(metas: &[TopicMeta]) -> Result<Vec<Part>> {
    let of_topic = |(topic, meta): (u16, &TopicMeta)| {
        (0..meta.partitions).map(move |partition| Part { topic, partition }).collect::<Vec<_>>()
    };
    let parts: Vec<Part> = (0u16..).zip(metas).flat_map(of_topic).collect();
    if parts.len() >= usize::from(u16::MAX) {
        bail!("the topics have {} partitions, at most {} can be read", parts.len(), u16::MAX - 1);
    }
    Ok(parts)
}

/// What is fixed for the life of the process. Nothing is left out, nothing is claimed yet.
pub(crate) fn world(city: &CityFile, (topics, parts): (Vec<Topic>, Vec<Part>), remembered: Remembered) -> World {
    let of_topic = |topic: u16| parts.iter().filter(|part| part.topic == topic).count();
    let partitions = (0..topics.len() as u16).map(of_topic).collect();
    World {
        domains: Domains::new(partitions),
        topics,
        parts,
        feeds: Feeds::of(city),
        lateness_ms: i64::from(city.limits.lateness_s) * 1000,
        max_age_ms: i64::from(city.limits.max_age_days) * DAY_MS,
        remembered,
        timezone: city.timezone.clone(),
        sketches: Sketches::of(city),
        quarantine: Quarantine::default(),
        simulated: city.simulated,
        generation: 0,
    }
}
