//! `gridwarden rejects replay`: rejected messages once more into the partition they came from, with their key, their headers, and
//! the header `origin` that says which record each was first.
//!
//! What was taken already is left out, to spare everybody the work; that nothing counts twice is `RPL-1`, not this.

use super::choose::{Place, Which};
use super::reach::{Reach, Reached};
use super::{show, words};
use crate::output;
use anyhow::{Context, Result, bail};
use gridwarden_bus::{Delivery, KafkaConfig, Message, Producer, ProducerOptions, TopicMeta, headers, topics};
use gridwarden_domain::mapping::{Mapped, Mapping, Target};
use gridwarden_domain::{origin::Origin, reject::Code};
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::read::{Original, Rejected};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// How many messages may wait for their acknowledgement.
const UNDER_WAY: usize = 500;

/// Arguments of `rejects replay`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// Where they stood first: TOPIC/PARTITION/OFFSET, the topic by name or id
    #[arg(value_parser = Place::parse)]
    places: Vec<Place>,
    #[command(flatten)]
    which: Which,
    /// Everything, when neither places nor filters are given
    #[arg(long)]
    all: bool,
    /// Also what was sent again before and rejected again
    #[arg(long)]
    again: bool,
    /// Send what this mapping (a file) makes of each message, instead of the message
    #[arg(long, conflicts_with = "payload")]
    mapping: Option<PathBuf>,
    /// Send the bytes of this file instead of the message: of one reject, given by its place
    #[arg(long)]
    payload: Option<PathBuf>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What becomes of a reject that was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Send,
    /// It was sent again and taken.
    Taken,
    /// It was sent again and rejected again; nobody asked for more.
    Again,
    /// It made a process panic; nobody named it.
    Poison,
}

/// Decides. `named`: by its place, or by its reason.
fn step(rejected: &Rejected, named: bool, again: bool) -> Step {
    if rejected.taken > 0 {
        Step::Taken
    } else if named {
        Step::Send
    } else if rejected.code == Code::Poison.as_str() {
        Step::Poison
    } else if rejected.attempts > 1 && !again {
        Step::Again
    } else {
        Step::Send
    }
}

/// What is sent instead of the original bytes.
enum Instead {
    Nothing,
    Mapped(Mapping),
    Bytes(Vec<u8>),
}

impl ReplayArgs {
    pub(super) async fn run(self, shutdown: &Shutdown) -> Result<()> {
        if self.places.is_empty() && self.which.is_everything() && !self.all {
            bail!("which? Name places (TOPIC/PARTITION/OFFSET), filters such as --reason or --from, or --all");
        }
        let instead = self.instead()?;
        let reached = self.reach.open()?;
        let chosen = self.chosen(&reached).await?;
        let named = !self.places.is_empty();
        let (mut sender, mut left_out) = (Sender::new(&reached, instead, self.dry_run)?, BTreeMap::new());
        for rejected in &chosen {
            let poison_named = self.which.reason.as_deref() == Some(Code::Poison.as_str());
            match step(rejected, named || (poison_named && rejected.attempts == 1), self.again) {
                Step::Send if shutdown.is_triggered() => break,
                Step::Send => sender.send(rejected).await?,
                other => *left_out.entry(said(other)).or_insert(0u64) += 1,
            }
        }
        let sent = sender.finish().await?;
        let verb = if self.dry_run { "would be sent" } else { "sent" };
        let mut summary = format!("{sent} of {} {verb}", chosen.len());
        left_out.iter().for_each(|(why, count)| summary.push_str(&format!("; {count} {why}")));
        if shutdown.is_triggered() {
            summary.push_str("; interrupted");
        }
        output::progress(&format!("rejects: {summary}"));
        Ok(())
    }

    fn instead(&self) -> Result<Instead> {
        let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        if let Some(path) = &self.payload {
            let [_] = &self.places[..] else { bail!("--payload is the message of one reject: name its place") };
            return Ok(Instead::Bytes(read(path)?));
        }
        let Some(path) = &self.mapping else { return Ok(Instead::Nothing) };
        let text = String::from_utf8(read(path)?).with_context(|| format!("{} is not UTF-8", path.display()))?;
        Ok(Instead::Mapped(Mapping::parse(&text, &path.display().to_string())?))
    }

    async fn chosen(&self, reached: &Reached) -> Result<Vec<Rejected>> {
        if self.places.is_empty() {
            return Ok(reached.reader.rejected(&self.which.filter(), self.which.limit).await?);
        }
        let mut chosen = Vec::with_capacity(self.places.len());
        for place in &self.places {
            chosen.push(show::find(&reached.reader, place).await?);
        }
        Ok(chosen)
    }
}

fn said(step: Step) -> &'static str {
    match step {
        Step::Send => "to be sent",
        Step::Taken => "were sent before and taken",
        Step::Again => "were sent before and rejected again (--again sends them)",
        Step::Poison => "made a process panic (name them, or --reason poison)",
    }
}

/// Sends, and waits for what is under way.
struct Sender<'r> {
    reached: &'r Reached,
    producer: Producer,
    instead: Instead,
    dry_run: bool,
    /// Topics as they are now.
    metas: BTreeMap<String, TopicMeta>,
    waiting: VecDeque<Delivery>,
    sent: u64,
}

impl<'r> Sender<'r> {
    fn new(reached: &'r Reached, instead: Instead, dry_run: bool) -> Result<Self> {
        let producer = Producer::new(&reached.kafka, &ProducerOptions::named("gridwarden-rejects"))?;
        Ok(Self { reached, producer, instead, dry_run, metas: BTreeMap::new(), waiting: VecDeque::new(), sent: 0 })
    }

    async fn send(&mut self, rejected: &Rejected) -> Result<()> {
        let meta = self.meta(&rejected.topic).await?;
        let record = rejected.origin().context("its origin cannot be understood")?;
        if record.partition >= meta.partitions {
            let place = words::place(rejected);
            bail!("{place} cannot go back: its topic was made anew with {} partitions", meta.partitions);
        }
        let mut original = show::original(&self.reached.reader, rejected).await?;
        if let Err(why) = self.instead.put(&rejected.topic, &mut original) {
            // Those of one mapping's messages that it cannot read are told, and the others sent.
            output::progress(&format!("rejects: {} is left as it is: {why}", words::place(rejected)));
            return Ok(());
        }
        self.sent += 1;
        if self.dry_run {
            let (place, length) = (words::place(rejected), original.payload.len());
            output::answer(&format!("{place}  {length} bytes  ({}: {})", rejected.code, words::why(rejected)));
            return Ok(());
        }
        let origin = Origin { record, first_seen: rejected.first_seen_ms }.to_string();
        let mut record_headers: Vec<(&str, &[u8])> =
            original.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        record_headers.push((headers::ORIGIN, origin.as_bytes()));
        let message = Message {
            topic: &rejected.topic,
            key: original.key.as_deref(),
            payload: Some(&original.payload),
            headers: &record_headers,
            partition: Some(record.partition),
        };
        self.waiting.push_back(self.producer.submit(&message).await?);
        if self.waiting.len() >= UNDER_WAY
            && let Some(oldest) = self.waiting.pop_front()
        {
            oldest.await?;
        }
        Ok(())
    }

    async fn meta(&mut self, topic: &str) -> Result<TopicMeta> {
        if let Some(known) = self.metas.get(topic) {
            return Ok(*known);
        }
        let (kafka, name): (KafkaConfig, String) = (self.reached.kafka.clone(), topic.to_owned());
        let meta = tokio::task::spawn_blocking(move || gridwarden_bus::topic_meta(&kafka, &name)).await??;
        self.metas.insert(topic.to_owned(), meta);
        Ok(meta)
    }

    /// Waits until Kafka has all of it; how many there were.
    async fn finish(self) -> Result<u64> {
        for delivery in self.waiting {
            delivery.await?;
        }
        Ok(self.sent)
    }
}

impl Instead {
    /// Puts it in the original's place; why not otherwise.
    fn put(&self, topic: &str, original: &mut Original) -> Result<()> {
        let mapping = match self {
            Self::Nothing => return Ok(()),
            Self::Bytes(bytes) => {
                original.payload = bytes.clone();
                return Ok(());
            }
            Self::Mapped(mapping) => mapping,
        };
        let contract = match mapping.target() {
            Target::Observations => topics::OBSERVATIONS,
            Target::Reports => topics::REPORTS,
        };
        if topic != contract {
            bail!("{} makes messages of {contract}; correct the mapping of {topic} in the city folder", mapping.name());
        }
        let text = std::str::from_utf8(&original.payload).context("it is not UTF-8")?;
        original.payload = match mapping.map_message(text)? {
            Mapped::Observation(observation) => serde_json::to_vec(&observation)?,
            Mapped::Report(report) => serde_json::to_vec(&report)?,
        };
        // What comes out is the contract's JSON, however it came.
        original.headers.retain(|(name, _)| name != headers::CONTENT_TYPE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejects::words::tests::rejected;

    #[test]
    fn what_was_taken_is_never_sent_and_the_rest_as_asked() {
        let first = rejected();
        let again = Rejected { attempts: 2, ..first.clone() };
        let taken = Rejected { taken: 1, ..again.clone() };
        let poison = Rejected { code: "poison".to_owned(), ..first.clone() };
        for (rejected, named, more, expected) in [
            (&first, false, false, Step::Send),
            (&again, false, false, Step::Again),
            (&again, false, true, Step::Send),
            (&again, true, false, Step::Send),
            (&taken, true, true, Step::Taken),
            (&poison, false, true, Step::Poison),
            (&poison, true, false, Step::Send),
        ] {
            assert_eq!(step(rejected, named, more), expected, "{rejected:?} {named} {more}");
        }
    }

    #[test]
    fn a_mapping_makes_a_message_of_the_contract_for_its_own_topic_only() {
        let text = "target = \"observations\"\nformat = \"json\"\n[fields]\nsource = \"device\"\nkind = { const = \"air\" }\n\
                    time = { from = \"at\", time = \"epoch_ms\" }\n";
        let instead = Instead::Mapped(Mapping::parse(text, "m.toml").expect("a mapping"));
        let mut original = Original {
            key: None,
            headers: vec![("content-type".to_owned(), b"text/x".to_vec()), ("feed".to_owned(), b"f".to_vec())],
            payload: br#"{"device":"d","at":5}"#.to_vec(),
        };
        assert!(instead.put("reports.v1", &mut original).is_err());
        instead.put("observations.v1", &mut original).expect("mapped");
        assert_eq!(original.payload, br#"{"source":"d","kind":"air","time":5}"#);
        assert_eq!(original.headers, [("feed".to_owned(), b"f".to_vec())]);
        assert!(instead.put("observations.v1", &mut Original { payload: b"{".to_vec(), ..original }).is_err());
    }
}
