//! Sends a simulated city's messages to Kafka as they come due. The edge of the simulator: clock, files and broker are here.

use super::city::{CityOptions, MOST_CELLS, make};
use super::life::{Life, Message, Stage, Streets, Tempo};
use crate::output;
use anyhow::{Context, Result, bail};
use gridwarden_bus::{KafkaConfig, Message as Record, Producer, ProducerOptions, headers, topics};
use gridwarden_domain::{class::ClassRef, time};
use gridwarden_runtime::{city::City, clock, shutdown::Shutdown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the city is asked what it has to say.
const TICK: Duration = Duration::from_millis(50);

/// How often progress is logged.
const SAY_EVERY_MS: i64 = 30_000;

/// Arguments of `gridwarden simulate`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SimulateArgs {
    /// City folder; made from --seed and --cells where there is none. A city made by hand must say `simulated = true`
    #[arg(long)]
    pub(crate) city: PathBuf,
    /// Unit cells of the city when it is made
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=i64::from(MOST_CELLS)))]
    pub(crate) cells: u32,
    /// Kafka, host:port; without it the city is only made
    #[arg(long)]
    pub(crate) kafka: Option<String>,
    /// Put before every topic name
    #[arg(long, default_value = "")]
    pub(crate) topic_prefix: String,
    /// Observations a second over all entities
    #[arg(long, default_value_t = 500.0)]
    pub(crate) rate: f64,
    /// Mean time between incidents, in seconds
    #[arg(long, default_value_t = 30.0)]
    pub(crate) incident_every: f64,
    /// Mean time between ordinary reports by day, in seconds
    #[arg(long, default_value_t = 8.0)]
    pub(crate) report_every: f64,
    /// Seed of everything that is left to chance
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Simulates until shutdown.
///
/// # Errors
/// A city folder that cannot be read or is not a simulated one, a rate that is no rate, Kafka out of reach.
pub(crate) async fn run(args: SimulateArgs, shutdown: Shutdown) -> Result<()> {
    for (name, value) in
        [("--rate", args.rate), ("--incident-every", args.incident_every), ("--report-every", args.report_every)]
    {
        if !(value.is_finite() && value > 0.0) {
            bail!("{name} must be a number above 0, not {value}");
        }
    }
    let city = {
        let (folder, options) =
            (args.city.clone(), CityOptions { seed: args.seed, cells: args.cells, ..CityOptions::default() });
        tokio::task::spawn_blocking(move || city(&folder, &options)).await.context("the city")??
    };
    if !city.file.simulated {
        bail!(
            "{}: city.toml does not say simulated = true; made-up data is not sent to a real city",
            args.city.display()
        );
    }
    let Some(kafka) = &args.kafka else {
        output::progress(&format!(
            "simulate: the simulated city is in {}; --kafka HOST:PORT makes it live",
            args.city.display()
        ));
        return Ok(());
    };
    let stage = stage(&args.city, city)?;
    let tempo = Tempo {
        observations_per_s: args.rate,
        incident_every_s: args.incident_every,
        report_every_s: args.report_every,
    };
    let life = Life::new(stage, tempo, args.seed, clock::now_ms());
    if life.voices() == 0 {
        bail!("{}: nothing in the registry is of a kind that can be simulated", args.city.display());
    }
    tracing::info!(entities = life.voices(), rate = args.rate, "simulating");
    let kafka = KafkaConfig { topic_prefix: args.topic_prefix, ..KafkaConfig::plain(kafka) };
    let producer = Producer::new(&kafka, &ProducerOptions::named("gridwarden-simulate")).context("kafka producer")?;
    live(life, &producer, &shutdown).await?;
    producer.flush(Duration::from_secs(5)).context("last messages")?;
    Ok(())
}

/// The city in the folder, made first where there is none.
fn city(folder: &Path, options: &CityOptions) -> Result<City> {
    let say = |line: &str| output::progress(&format!("simulate: {line}"));
    if !make(folder, options, &[], say)? {
        say(&format!("the city in {} is there already", folder.display()));
    }
    Ok(City::load(folder)?)
}

/// What the life needs, from the city folder.
fn stage(folder: &Path, city: City) -> Result<Stage> {
    let streets = streets(&folder.join("streets.geojson"))?;
    if streets.is_empty() {
        tracing::warn!("no streets: vehicles and officers stay away");
    }
    let classes = city.catalogues.iter().flat_map(|catalogue| {
        let parents: Vec<&str> = catalogue.classes.iter().filter_map(|class| class.parent.as_deref()).collect();
        let leaves = catalogue.classes.iter().filter(move |class| !parents.contains(&class.code.as_str()));
        leaves.map(|class| ClassRef {
            catalogue: catalogue.version.clone(),
            kind: class.kind,
            code: class.code.clone(),
        })
    });
    Ok(Stage {
        classes: classes.collect(),
        streets,
        utc_offset_ms: utc_offset_ms(&city.file.timezone)?,
        entities: city.registry,
    })
}

fn utc_offset_ms(zone: &str) -> Result<i64> {
    let zone = time::zone(zone).with_context(|| format!("city.toml: timezone: {zone} is unknown"))?;
    let now = jiff::Timestamp::from_millisecond(clock::now_ms()).context("clock")?;
    Ok(i64::from(zone.to_offset(now).seconds()) * 1000)
}

/// Lines of a GeoJSON file; no file, no streets.
fn streets(file: &Path) -> Result<Streets> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Streets::default()),
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    let parsed: geojson::GeoJson = text.parse().with_context(|| file.display().to_string())?;
    let collection = geojson::FeatureCollection::try_from(parsed).with_context(|| file.display().to_string())?;
    let lines = collection.features.into_iter().filter_map(|feature| match feature.geometry?.value {
        geojson::GeometryValue::LineString { coordinates } => Some(vec![coordinates]),
        geojson::GeometryValue::MultiLineString { coordinates } => Some(coordinates),
        _ => None,
    });
    let points = |line: Vec<geojson::Position>| {
        line.iter().filter_map(|p| Some([*p.as_slice().first()?, *p.as_slice().get(1)?])).collect::<Vec<[f64; 2]>>()
    };
    Ok(Streets::from_lines(lines.flatten().map(points)))
}

async fn live(mut life: Life, producer: &Producer, shutdown: &Shutdown) -> Result<()> {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut sent, mut said_at) = (0_u64, clock::now_ms());
    let mut messages = Vec::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shutdown.wait() => return Ok(()),
        }
        let now = clock::now_ms();
        life.until(now, |message| messages.push(message));
        for message in messages.drain(..) {
            send(producer, &message).await?;
            sent += 1;
        }
        if now - said_at >= SAY_EVERY_MS {
            said_at = now;
            tracing::info!(sent, in_flight = producer.in_flight(), "still simulating");
        }
    }
}

async fn send(producer: &Producer, message: &Message) -> Result<()> {
    let (topic, key, payload) = match message {
        Message::Observation(it) => (topics::OBSERVATIONS, &it.source, serde_json::to_vec(it)?),
        Message::Report(it) => (topics::REPORTS, &it.id, serde_json::to_vec(it)?),
    };
    let record = Record {
        topic,
        key: Some(key.as_bytes()),
        payload: Some(&payload),
        headers: &[(headers::SIMULATED, b"1")],
        partition: None,
    };
    // Sensors do not wait for an acknowledgement either; the producer retries by itself and says when it gives up.
    let delivery = producer.submit(&record).await.context("kafka")?;
    drop(delivery);
    Ok(())
}
