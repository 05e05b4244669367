//! `gridwarden replay`: plays a file of an integrator, or of the contract's own messages, to Kafka in the order of event time.
//!
//! [`pack`] reads the file whole and says what cannot be read; [`pace`] decides when an event is due; this sends.
//! Nothing is skipped in silence: every bad row is said with its line and reason, and counted.

mod pace;
mod pack;

use crate::output;
use anyhow::{Context, Result, bail};
use gridwarden_bus::{Delivery, KafkaConfig, Message, Producer, ProducerOptions, headers, topics};
use gridwarden_domain::{
    city::CityFile,
    mapping::{Mapping, Target},
};
use gridwarden_runtime::shutdown::Shutdown;
use pace::{Pace, Speed};
use pack::Pack;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many messages may wait for their acknowledgement.
const UNDER_WAY: usize = 20_000;
/// How often progress is said.
const SAY_EVERY: Duration = Duration::from_secs(2);
/// How many bad rows are said one by one; the rest is only counted.
const SAID: usize = 20;

/// Arguments of `gridwarden replay`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// The file to play (CSV or one JSON object a line), or a folder that holds the file the mapping names
    pack: PathBuf,
    /// City folder: knows the mapping and the feed
    #[arg(long)]
    city: Option<PathBuf>,
    /// Mapping: a file of the city folder (with or without `.toml`) or a path. Without it the lines are contract messages
    #[arg(long)]
    mapping: Option<String>,
    /// What the lines are when there is no mapping: observations or reports
    #[arg(long = "as", value_parser = target, default_value = "observations")]
    target: Target,
    /// Feed the messages belong to
    #[arg(long, default_value = "")]
    feed: String,
    /// Times event time passes: a number, or max
    #[arg(long, value_parser = Speed::parse, default_value = "1")]
    speed: Speed,
    /// Kafka, host:port
    #[arg(long)]
    kafka: String,
    /// Put before every topic name
    #[arg(long, default_value = "")]
    topic_prefix: String,
    /// Fail when a row cannot be read
    #[arg(long)]
    strict: bool,
}

fn target(text: &str) -> Result<Target, String> {
    match text {
        "observations" => Ok(Target::Observations),
        "reports" => Ok(Target::Reports),
        other => Err(format!("`{other}` is neither observations nor reports")),
    }
}

/// Plays the file to its end, or until shutdown.
///
/// # Errors
/// A file, mapping or city that cannot be read, a feed the city does not know, Kafka out of reach, with `--strict` a bad row.
pub(crate) async fn run(args: ReplayArgs, shutdown: Shutdown) -> Result<()> {
    let city = args.city.as_deref().map(city_file).transpose()?;
    if let Some(city) = &city {
        check_feed(city, &args.feed)?;
    }
    let mapping = args.mapping.as_deref().map(|name| mapping(name, args.city.as_deref())).transpose()?;
    let target = mapping.as_ref().map_or(args.target, Mapping::target);
    let file = file_of(&args.pack, mapping.as_ref())?;
    let pack = tokio::task::spawn_blocking(move || Pack::read(&file, mapping.as_ref(), target)).await??;
    say_bad(&pack);
    if args.strict && !pack.bad.is_empty() {
        bail!("{} of {} rows cannot be read, and --strict was given; nothing was sent", pack.bad.len(), pack.rows);
    }
    let kafka = KafkaConfig { topic_prefix: args.topic_prefix, ..KafkaConfig::plain(&args.kafka) };
    let topic = match target {
        Target::Observations => topics::OBSERVATIONS,
        Target::Reports => topics::REPORTS,
    };
    let asked = kafka.clone();
    let meta = tokio::task::spawn_blocking(move || gridwarden_bus::topic_meta(&asked, topic)).await??;
    let producer = Producer::new(&kafka, &ProducerOptions::named("gridwarden-replay")).context("kafka producer")?;
    let player = Player { producer, topic, feed: args.feed };
    let sent = player.play(&pack, Pace::new(args.speed), &shutdown).await?;
    if sent == pack.events.len() {
        player.end(meta.partitions).await?;
    }
    output::progress(&format!(
        "replay: {sent} of {} rows sent to {topic}, {} could not be read{}",
        pack.rows,
        pack.bad.len(),
        if sent < pack.events.len() { "; interrupted" } else { "" }
    ));
    Ok(())
}

fn city_file(folder: &Path) -> Result<CityFile> {
    let path = folder.join("city.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
}

fn check_feed(city: &CityFile, name: &str) -> Result<()> {
    if name.is_empty() {
        return Ok(());
    }
    let Some(feed) = city.feeds.iter().find(|feed| feed.name == name) else {
        bail!("city.toml knows no feed `{name}`");
    };
    if !feed.historical {
        output::progress(&format!("replay: feed {name} is not historical; old events will count as late"));
    }
    Ok(())
}

/// A mapping by path, or by name in the city folder.
fn mapping(name: &str, city: Option<&Path>) -> Result<Mapping> {
    let mut places = vec![PathBuf::from(name)];
    for folder in city {
        places.extend([folder.join(name), folder.join(format!("{name}.toml"))]);
        places.extend([folder.join("mappings").join(name), folder.join("mappings").join(format!("{name}.toml"))]);
    }
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        let tried: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        bail!("there is no mapping `{name}` (looked for {})", tried.join(", "));
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Mapping::parse(&text, &path.display().to_string())?)
}

fn file_of(pack: &Path, mapping: Option<&Mapping>) -> Result<PathBuf> {
    if !pack.is_dir() {
        return Ok(pack.to_owned());
    }
    match mapping.and_then(Mapping::file) {
        Some(file) => Ok(pack.join(file)),
        None => bail!("{} is a folder, and no mapping names the file in it", pack.display()),
    }
}

fn say_bad(pack: &Pack) {
    for bad in pack.bad.iter().take(SAID) {
        output::progress(&format!("replay: line {}: {}: {}", bad.line, bad.reason.field, bad.reason.detail));
    }
    if pack.bad.len() > SAID {
        output::progress(&format!("replay: and {} more rows that cannot be read", pack.bad.len() - SAID));
    }
}

struct Player {
    producer: Producer,
    topic: &'static str,
    feed: String,
}

impl Player {
    /// Sends every event when it is due and waits for all acknowledgements; says how many were sent.
    async fn play(&self, pack: &Pack, pace: Pace, shutdown: &Shutdown) -> Result<usize> {
        let feed = [(headers::FEED, self.feed.as_bytes())];
        let record_headers: &[(&str, &[u8])] = if self.feed.is_empty() { &[] } else { &feed };
        let start = Instant::now();
        let first_ms = pack.events.first().map_or(0, |event| event.time_ms);
        let mut waiting: VecDeque<Delivery> = VecDeque::new();
        let mut said = start;
        let mut sent = 0;
        for event in &pack.events {
            let early = pace.due(event.time_ms - first_ms).saturating_sub(start.elapsed());
            let goes_on = if early.is_zero() { !shutdown.is_triggered() } else { shutdown.sleep(early).await };
            if !goes_on {
                break;
            }
            let (key, payload) = (Some(event.key.as_bytes()), Some(event.payload.as_slice()));
            let message = Message { topic: self.topic, key, payload, headers: record_headers, partition: None };
            waiting.push_back(self.producer.submit(&message).await?);
            sent += 1;
            if waiting.len() >= UNDER_WAY
                && let Some(oldest) = waiting.pop_front()
            {
                oldest.await?;
            }
            if said.elapsed() >= SAY_EVERY {
                said = Instant::now();
                output::progress(&format!("replay: {sent} of {} sent", pack.events.len()));
            }
        }
        for delivery in waiting {
            delivery.await?;
        }
        Ok(sent)
    }

    /// Tells every partition that the feed ends here. Only a feed with a name has an end.
    async fn end(&self, partitions: i32) -> Result<()> {
        if self.feed.is_empty() {
            return Ok(());
        }
        let headers = [(headers::FEED, self.feed.as_bytes()), (headers::END, self.feed.as_bytes())];
        for partition in 0..partitions {
            let message =
                Message { topic: self.topic, key: None, payload: None, headers: &headers, partition: Some(partition) };
            self.producer.submit(&message).await?.await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_found_by_name_and_said_when_missing() {
        let folder = tempfile::tempdir().expect("folder");
        let text = "target = \"reports\"\nformat = \"csv\"\n[fields]\n";
        std::fs::write(folder.path().join("a.toml"), text).expect("written");
        let fault = mapping("a", Some(folder.path())).expect_err("incomplete").to_string();
        assert!(fault.contains("a.toml: fields: `id` is required"), "{fault}");
        let missing = mapping("b", Some(folder.path())).expect_err("missing").to_string();
        assert!(missing.starts_with("there is no mapping `b`"), "{missing}");
    }

    #[test]
    fn a_feed_must_be_known_to_its_city() {
        let city: CityFile =
            toml::from_str("name = {}\ntimezone = \"UTC\"\n[[feeds]]\nname = \"old\"\nhistorical = true")
                .expect("city");
        assert!(check_feed(&city, "old").is_ok() && check_feed(&city, "").is_ok());
        assert!(check_feed(&city, "new").is_err());
    }
}
