//! `gridwarden replay`: plays a file of an integrator, or of the contract's own messages, to Kafka in the order of event time.
//!
//! [`pack`] reads the file whole and says what cannot be read; [`pace`] decides when an event is due; this sends.
//! Nothing is skipped in silence: every bad row is said with its line and reason, and counted.

mod choose;
mod pace;
mod pack;
mod words;

use crate::output;
use anyhow::{Context, Result, bail};
use choose::Chosen;
use gridwarden_bus::{Delivery, KafkaConfig, Message, Producer, ProducerOptions, headers, topics};
use gridwarden_domain::{
    city::{CityFile, Feed, Limits},
    crs::Crs,
    mapping::{Mapping, Target},
};
use gridwarden_runtime::{city, clock, shutdown::Shutdown};
use pace::{Pace, Speed};
use pack::{Pack, Reading};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How many messages may wait for their acknowledgement.
const UNDER_WAY: usize = 20_000;
/// How often progress is said.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Arguments of `gridwarden replay`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// The file to play (CSV or one JSON object a line), or a folder that holds the file the mapping names
    pack: PathBuf,
    /// City folder: knows the mapping and the feed
    #[arg(long)]
    city: Option<PathBuf>,
    /// Mapping: a file of the city folder (with or without `.toml`) or a path; by default the one of the city that names the
    /// file. Without any the lines are contract messages
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
    let (pack, target) = read(&args).await?;
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
    say(&format!(
        "{sent} of {} rows sent to {topic}, {} could not be read{}",
        pack.rows,
        pack.bad.len(),
        if sent < pack.events.len() { "; interrupted" } else { "" }
    ));
    Ok(())
}

fn say(line: &str) {
    output::progress(&format!("replay: {line}"));
}

/// Chooses the file and its mapping, reads it whole and says what cannot be played.
async fn read(args: &ReplayArgs) -> Result<(Pack, Target)> {
    let city = args.city.as_deref().map(|folder| city::head(folder).map(|head| (folder, head))).transpose()?;
    let city = city.as_ref().map(|(folder, file)| (*folder, file));
    let feed = city.map(|(_, file)| feed(file, &args.feed)).transpose()?.flatten();
    let default_crs = feed.map_or_else(Crs::default, |feed| feed.crs);
    let max_age_days = city.map_or_else(Limits::default, |(_, file)| file.limits.clone()).max_age_days;
    let historical = feed.is_some_and(|feed| feed.historical);
    let Chosen { file, mapping } = choose::choose(&args.pack, args.mapping.as_deref(), city)?;
    let target = mapping.as_ref().map_or(args.target, Mapping::target);
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let through = mapping.as_ref().map_or_else(String::new, |mapping| format!(" through {}", mapping.name()));
    say(&format!("reading {}{through}", file.display()));
    let work = move || {
        let progress = |rows: usize| say(&format!("{rows} rows read"));
        Pack::read(&file, &Reading { mapping: mapping.as_ref(), target, default_crs, progress: &progress })
    };
    let pack = tokio::task::spawn_blocking(work).await??;
    words::bad(&name, &pack).iter().for_each(|line| say(line));
    say(&words::read(&name, &pack));
    // Without a city nobody here knows what the feed is.
    if !historical && (city.is_some() || args.feed.is_empty()) {
        words::late(&pack, clock::now_ms(), max_age_days).iter().for_each(|line| say(line));
    }
    Ok((pack, target))
}

/// The feed must be one the city knows; no name is the live one.
fn feed<'a>(city: &'a CityFile, name: &str) -> Result<Option<&'a Feed>> {
    match city.feeds.iter().find(|feed| feed.name == name) {
        Some(feed) => Ok(Some(feed)),
        None if name.is_empty() => Ok(None),
        None => bail!("city.toml knows no feed `{name}`"),
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
        let mut way = Way::new(pack, pace);
        let mut waiting: VecDeque<Delivery> = VecDeque::new();
        for event in &pack.events {
            if !way.until_due(event.time_ms, shutdown).await {
                break;
            }
            let (key, payload) = (Some(event.key.as_bytes()), Some(event.payload.as_slice()));
            let message = Message { topic: self.topic, key, payload, headers: record_headers, partition: None };
            waiting.push_back(self.producer.submit(&message).await?);
            way.sent += 1;
            if waiting.len() >= UNDER_WAY
                && let Some(oldest) = waiting.pop_front()
            {
                oldest.await?;
            }
        }
        for delivery in waiting {
            delivery.await?;
        }
        Ok(way.sent)
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

/// How far the playing is, and when the next event is due.
struct Way {
    pace: Pace,
    start: Instant,
    said: Instant,
    sent: usize,
    of: usize,
    first_ms: i64,
    last_ms: i64,
}

impl Way {
    fn new(pack: &Pack, pace: Pace) -> Self {
        let time = |event: Option<&pack::Event>| event.map_or(0, |event| event.time_ms);
        let (first_ms, last_ms) = (time(pack.events.first()), time(pack.events.last()));
        let now = Instant::now();
        Self { pace, start: now, said: now, sent: 0, of: pack.events.len(), first_ms, last_ms }
    }

    /// Waits until an event is due and says now and then how far it is; false when the shutdown came first.
    async fn until_due(&mut self, event_ms: i64, shutdown: &Shutdown) -> bool {
        let due = self.pace.due(event_ms - self.first_ms);
        loop {
            if shutdown.is_triggered() {
                return false;
            }
            let early = due.saturating_sub(self.start.elapsed());
            let silent = self.said.elapsed();
            if silent >= SAY_EVERY {
                self.said = Instant::now();
                let left = self.pace.left(self.last_ms - event_ms, (self.sent, self.of), self.start.elapsed());
                let left = left.map(|left| left.saturating_add(early));
                say(&words::progress(self.sent, self.of, event_ms, left));
            } else if early.is_zero() {
                return true;
            } else {
                shutdown.sleep(early.min(SAY_EVERY - silent)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_must_be_known_to_its_city() {
        let city = "name = {}\ntimezone = \"UTC\"\n[[feeds]]\nname = \"old\"\nhistorical = true\ncrs = \"CGCS2000\"";
        let city: CityFile = toml::from_str(city).expect("city");
        assert!(feed(&city, "old").expect("known").is_some_and(|feed| feed.historical && feed.crs == Crs::Cgcs2000));
        assert_eq!(feed(&city, "").expect("live"), None);
        assert!(feed(&city, "new").is_err());
    }

    #[tokio::test]
    async fn events_wait_until_they_are_due_and_not_after_the_end() {
        let event = |time_ms| pack::Event { time_ms, key: String::new(), payload: Vec::new() };
        let pack = Pack { events: vec![event(1_000), event(31_000)], ..Pack::default() };
        let mut way = Way::new(&pack, Pace::new(Speed::Times(100.0)));
        let shutdown = Shutdown::new();
        assert!(way.until_due(1_000, &shutdown).await);
        assert!(way.until_due(31_000, &shutdown).await);
        assert!(way.start.elapsed() >= Duration::from_millis(300));
        let mut slow = Way::new(&pack, Pace::new(Speed::Times(0.001)));
        let (went_on, ()) = tokio::join!(slow.until_due(31_000, &shutdown), async { shutdown.trigger("test") });
        assert!(!went_on && slow.start.elapsed() < Duration::from_secs(60));
    }
}
