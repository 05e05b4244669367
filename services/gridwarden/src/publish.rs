//! Brings the control topics to what a city folder says. What they say already is not sent again, so a restart changes nothing.
//!
//! * `PUB-1` a layer's areas stand before its closing record: until that is appended, the old version stays in force.
//! * `PUB-2` what the folder no longer holds is ended by a tombstone; the history stays in the topic.
//! * `PUB-3` a rule somebody wrote by command or API is neither ended nor overruled, but by a higher version in the folder.

use anyhow::{Context, Result, bail};
use gridwarden_bus::control::ControlReader;
use gridwarden_bus::{KafkaConfig, Message, Producer, ProducerOptions, topics};
use gridwarden_domain::control::{Fold, Timeline};
use gridwarden_domain::layer::{Area, LayerHead, LayerRecord, version_of};
use gridwarden_domain::reject::Reason;
use gridwarden_domain::rule::Rule;
use gridwarden_runtime::{city::City, clock};
use std::sync::Arc;
use std::time::Duration;

/// How long the control topics may take to be read: they hold the city's whole history.
const READ_LIMIT: Duration = Duration::from_secs(120);
/// The control reader calls a moment covered this much before it is; asking this much later makes it sure.
const MARGIN_MS: i64 = 1_000;

/// Longest message of a topic that says nothing: Kafka's own default.
const DEFAULT_LIMIT: usize = 1_048_588;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Published {
    /// Layer versions sent.
    pub(crate) layers: usize,
    /// Rules sent.
    pub(crate) rules: usize,
    /// Entities sent.
    pub(crate) entities: usize,
    /// Things ended.
    pub(crate) ended: usize,
    /// Records appended from this moment on (epoch ms, broker's clock) see everything in force.
    pub(crate) in_force_from_ms: i64,
}

/// One record to send.
#[derive(Clone, PartialEq, Debug)]
struct Record {
    topic: &'static str,
    key: String,
    payload: Option<Vec<u8>>,
}

/// Publishes what differs and returns when all of it is acknowledged and read back.
///
/// # Errors
/// Kafka out of reach, a record it does not take, a city the control topics could not hold.
pub(crate) async fn publish(city: &City, kafka: &KafkaConfig) -> Result<Published> {
    let target = target(city).context("the city cannot be published")?;
    let config = kafka.clone();
    let (reader, known) = blocking(move || {
        let reader = ControlReader::start(&config)?;
        let known = covered(&reader)?;
        Ok((reader, known))
    })
    .await?;
    let (records, mut published) = difference(city, &target, &known)?;
    check_sizes(&records)?;
    send(kafka, &records).await?;
    let (skipped, now) = blocking(move || Ok((reader.skipped(), covered(&reader)?))).await?;
    if skipped > 0 {
        tracing::warn!(skipped, "control records that cannot be read stand in the topics");
    }
    published.in_force_from_ms = now.settled_from().unwrap_or_default();
    Ok(published)
}

/// What Kafka's record format adds to a message, at most.
const RECORD_OVERHEAD: usize = 1024;

/// A record its topic would not take is said by name before anything is sent.
fn check_sizes(records: &[Record]) -> Result<()> {
    let table = topics::table();
    for record in records {
        let limit = table.iter().find(|spec| spec.name == record.topic).and_then(|spec| spec.max_message_bytes);
        let limit = limit.map_or(DEFAULT_LIMIT, |limit| limit as usize);
        let size = record.key.len() + record.payload.as_ref().map_or(0, Vec::len) + RECORD_OVERHEAD;
        if size > limit {
            bail!(
                "{} {}: {size} bytes are more than a record may have ({limit}); draw it simpler",
                record.topic,
                record.key
            );
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("reading the control topics")?
}

/// What the control topics say by now.
fn covered(reader: &ControlReader) -> Result<Timeline> {
    let now = clock::now_ms();
    if !reader.wait_covered(now + MARGIN_MS, READ_LIMIT).context("control topics")? {
        bail!("the control topics could not be read to their end within {} s", READ_LIMIT.as_secs());
    }
    Ok(reader.timeline().as_ref().clone())
}

/// What the control topics would say if they held this city and nothing else.
fn target(city: &City) -> Result<Timeline, Reason> {
    let mut fold = Fold::new();
    for entity in &city.registry {
        fold.registry(entity.id.as_bytes(), Some(&json(entity)), 0)?;
    }
    for rule in &city.rules {
        fold.rule(rule.id.as_bytes(), Some(&json(rule)), 0)?;
    }
    Ok(fold.timeline())
}

/// What is in force where this city was published at the beginning of time.
pub(crate) fn in_force(city: &City) -> Result<Timeline> {
    let (records, _) = difference(city, &target(city)?, &Timeline::default())?;
    let mut fold = Fold::new();
    for record in &records {
        let (key, value) = (record.key.as_bytes(), record.payload.as_deref());
        match record.topic {
            topics::LAYERS => fold.layer(key, value, 0)?,
            topics::RULES => fold.rule(key, value, 0)?,
            _ => fold.registry(key, value, 0)?,
        }
    }
    Ok(fold.timeline())
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Contract types always have a JSON form; the fold refuses an empty payload.
    serde_json::to_vec(value).unwrap_or_default()
}

/// What must be sent. Compared is what the records mean, not how they are written.
fn difference(city: &City, target: &Timeline, known: &Timeline) -> Result<(Vec<Record>, Published)> {
    const LATEST: i64 = i64::MAX;
    let mut records = Vec::new();
    let mut published = Published::default();
    for (head, areas) in &city.layers {
        let (version, hash) = version_of(head, areas);
        let layers = known.layers_at(LATEST);
        if !layers.layers.iter().any(|layer| layer.head.layer == head.layer && layer.version == version) {
            published.layers += 1;
            layer_records(head, areas, (&version, &hash), &mut records)?;
        }
    }
    for entity in &city.registry {
        if known.entity_at(&entity.id, LATEST) != target.entity_at(&entity.id, LATEST) {
            published.entities += 1;
            records.push(Record { topic: topics::REGISTRY, key: entity.id.clone(), payload: Some(json(entity)) });
        }
    }
    for rule in target.written_rules() {
        if let Some(next) = next_version(rule, known.written_rule(&rule.id)) {
            published.rules += 1;
            records.push(Record { topic: topics::RULES, key: rule.id.clone(), payload: Some(json(&next)) });
        }
    }
    let sent = records.len();
    end_what_is_gone(city, target, known, &mut records);
    published.ended = records.len() - sent;
    Ok((records, published))
}

/// What is sent of a folder's rule, if anything. Versions only rise; what somebody wrote by command or API stands until the folder's
/// version is above it.
fn next_version(rule: &Rule, known: Option<&Arc<Rule>>) -> Option<Rule> {
    let Some(known) = known else { return Some(rule.clone()) };
    let raised = rule.version > known.version;
    if let (Some(changed), false) = (&known.changed, raised) {
        tracing::warn!(
            rule = rule.id,
            by = changed.by,
            version = known.version,
            folder = rule.version,
            "the folder's rule is not sent: somebody wrote a version that is not below it; raise the folder's to overrule it"
        );
        return None;
    }
    let alike = Rule { version: known.version, ..rule.clone() } == **known;
    let next = rule.version.max(known.version.saturating_add(1));
    (raised || !alike).then(|| Rule { version: next, ..rule.clone() })
}

fn end_what_is_gone(city: &City, target: &Timeline, known: &Timeline, records: &mut Vec<Record>) {
    const LATEST: i64 = i64::MAX;
    let mut end = |topic, key: &str| records.push(Record { topic, key: key.to_owned(), payload: None });
    for layer in &known.layers_at(LATEST).layers {
        if !city.layers.iter().any(|(head, _)| head.layer == layer.head.layer) {
            end(topics::LAYERS, &layer.head.layer);
        }
    }
    let gone = known.entities().filter(|entity| target.entity_at(&entity.id, LATEST).is_none());
    let mut gone: Vec<&str> = gone.map(|entity| entity.id.as_str()).collect();
    gone.sort_unstable();
    gone.into_iter().for_each(|id| end(topics::REGISTRY, id));
    for rule in known.written_rules() {
        // Only what came from a folder goes with it.
        if rule.changed.is_none() && target.written_rule(&rule.id).is_none() {
            end(topics::RULES, &rule.id);
        }
    }
}

fn layer_records(
    head: &LayerHead,
    areas: &[Area],
    (version, hash): (&str, &str),
    records: &mut Vec<Record>,
) -> Result<()> {
    let layer = &head.layer;
    let mut push = |key: String, record: &LayerRecord| -> Result<()> {
        let payload = Some(serde_json::to_vec(record)?);
        records.push(Record { topic: topics::LAYERS, key, payload });
        Ok(())
    };
    for area in areas {
        let record = LayerRecord::Area { layer: layer.clone(), version: version.to_owned(), area: area.clone() };
        push(format!("{layer}/{version}/{}", area.code), &record)?;
    }
    let closing = LayerRecord::Closing {
        head: head.clone(),
        version: version.to_owned(),
        count: u32::try_from(areas.len()).context("too many areas")?,
        hash: hash.to_owned(),
    };
    push(format!("{layer}/{version}"), &closing)
}

/// Sends in order; each topic has one partition, so the log keeps that order.
async fn send(kafka: &KafkaConfig, records: &[Record]) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let producer = Producer::new(kafka, &ProducerOptions::named("gridwarden-publish"))?;
    let mut deliveries = Vec::with_capacity(records.len());
    for record in records {
        let message = Message {
            topic: record.topic,
            key: Some(record.key.as_bytes()),
            payload: record.payload.as_deref(),
            ..Message::default()
        };
        deliveries.push(producer.submit(&message).await.with_context(|| record.key.clone())?);
    }
    for (delivery, record) in deliveries.into_iter().zip(records) {
        delivery.await.with_context(|| format!("{} {}", record.topic, record.key))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::{
        city::CityFile,
        rule::{self, Changed, State},
        text::Text,
    };

    fn city() -> City {
        let file: CityFile = toml::from_str("name = { en = \"x\" }\ntimezone = \"UTC\"").unwrap();
        let rule = r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"minor","threshold":{"value":"t","side":"above","level":0.1}}"#;
        let head: LayerHead = serde_json::from_str(r#"{"layer":"grid","levels":[{"id":"cell"}],"main":true}"#).unwrap();
        let area = r#"{"code":"1","level":0,"polygons":[[[[0.1,0.2],[1.3,0.7],[1,1]]]]}"#;
        let entity = r#"{"id":"s-1","kind":"air","position":{"lon":104.0000001,"lat":30.123}}"#;
        City {
            folder: "nowhere".into(),
            file,
            layers: vec![(head, vec![serde_json::from_str(area).unwrap()])],
            registry: vec![serde_json::from_str(entity).unwrap()],
            rules: vec![rule::read(rule.as_bytes()).unwrap()],
            catalogues: Vec::new(),
            mappings: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What readers know once these records stand in the topics.
    fn read(fold: &mut Fold, records: &[Record], at: i64) -> Timeline {
        for record in records {
            let (key, payload) = (record.key.as_bytes(), record.payload.as_deref());
            let taken = match record.topic {
                topics::REGISTRY => fold.registry(key, payload, at),
                topics::RULES => fold.rule(key, payload, at),
                _ => fold.layer(key, payload, at),
            };
            taken.unwrap();
        }
        fold.timeline()
    }

    #[test]
    fn a_record_too_long_for_its_topic_is_named() {
        let record = |topic, bytes| Record { topic, key: "grid/v/1".into(), payload: Some(vec![b' '; bytes]) };
        assert!(check_sizes(&[record(topics::LAYERS, 4_000_000), record(topics::RULES, 4_000_000)]).is_ok());
        let said = check_sizes(&[record(topics::LAYERS, 9_000_000)]).expect_err("too long").to_string();
        assert!(said.starts_with("layers.v1 grid/v/1: 9001032 bytes are more"), "{said}");
        assert!(check_sizes(&[record(topics::REGISTRY, 1_048_588)]).is_err());
    }

    #[test]
    fn versions_rise_and_what_people_wrote_stands() {
        let mut city = city();
        let mut fold = Fold::new();
        let rules = |records: &[Record]| -> Vec<Option<(u32, String)>> {
            let of = |record: &Record| {
                let rule = rule::read(record.payload.as_deref()?).unwrap();
                Some((rule.version, rule.title.en))
            };
            records.iter().filter(|record| record.topic == topics::RULES).map(of).collect()
        };
        let send = |city: &City, fold: &mut Fold| {
            let (records, _) = difference(city, &target(city).unwrap(), &fold.timeline()).unwrap();
            read(fold, &records, 0);
            rules(&records)
        };
        assert_eq!(send(&city, &mut fold), [Some((1, "Hot".into()))]);
        // Changed, and the number not raised: that is done for it, once.
        city.rules[0].title.en = "Hotter".into();
        assert_eq!(send(&city, &mut fold), [Some((2, "Hotter".into()))]);
        assert_eq!(send(&city, &mut fold), []);
        // A draft is written once, too.
        city.rules[0].state = State::Draft;
        assert_eq!(send(&city, &mut fold), [Some((3, "Hotter".into()))]);
        assert_eq!(send(&city, &mut fold), []);
        // Somebody's own.
        let changed = Some(Changed { by: "anna".into(), why: None });
        let own =
            Rule { version: 4, changed, title: Text { en: "Mine".into(), zh: String::new() }, ..city.rules[0].clone() };
        fold.rule(b"hot", Some(&json(&own)), 0).unwrap();
        assert_eq!(send(&city, &mut fold), []);
        let taken = std::mem::take(&mut city.rules);
        assert_eq!(send(&city, &mut fold), [], "it does not go with the folder's");
        city.rules = taken;
        city.rules[0].version = 5;
        assert_eq!(send(&city, &mut fold), [Some((5, "Hotter".into()))]);
        city.rules.clear();
        assert_eq!(send(&city, &mut fold), [None]);
    }

    #[test]
    fn no_mapping_may_read_a_topic_of_the_contract() {
        let names: Vec<String> = topics::table().into_iter().map(|spec| spec.name).collect();
        assert_eq!(names, gridwarden_domain::city::OWN_TOPICS);
    }

    #[test]
    fn a_second_publication_sends_nothing_and_a_change_only_itself() {
        let mut city = city();
        let mut fold = Fold::new();
        let (records, published) = difference(&city, &target(&city).unwrap(), &fold.timeline()).unwrap();
        assert_eq!((published.layers, published.rules, published.entities, published.ended), (1, 1, 1, 0));
        assert_eq!(records.len(), 4);
        let known = read(&mut fold, &records, 0);
        let (again, _) = difference(&city, &target(&city).unwrap(), &known).unwrap();
        assert_eq!(again, []);

        city.registry[0].kind = "noise".into();
        city.rules.clear();
        let (records, published) = difference(&city, &target(&city).unwrap(), &known).unwrap();
        assert_eq!((published.layers, published.rules, published.entities, published.ended), (0, 0, 1, 1));
        let known = read(&mut fold, &records, 10);
        city.layers.clear();
        city.registry.clear();
        let (records, published) = difference(&city, &target(&city).unwrap(), &known).unwrap();
        assert_eq!((records.len(), published.ended), (2, 2));
        let known = read(&mut fold, &records, 20);
        assert_eq!(known.entity_count(), 0);
        assert_eq!(known.settled_from(), Some(2020));
    }
}
