//! `gridwarden rejects show`: one reject, whole.

use super::choose::Place;
use super::reach::Reach;
use super::words;
use crate::moment;
use crate::output;
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gridwarden_store::read::{Original, Reader, Rejected};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `rejects show`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ShowArgs {
    /// Where it stood first: TOPIC/PARTITION/OFFSET, the topic by name or id
    #[arg(value_parser = Place::parse)]
    place: Place,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Write the message's bytes to this file as well
    #[arg(long)]
    save: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

impl ShowArgs {
    pub(super) async fn run(self) -> Result<()> {
        let reader = self.reach.open()?.reader;
        let rejected = find(&reader, &self.place).await?;
        let original = original(&reader, &rejected).await?;
        if let Some(path) = &self.save {
            std::fs::write(path, &original.payload).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.json {
            output::answer(&json(&rejected, &original).to_string());
        } else {
            text(&rejected, &original).iter().for_each(|line| output::answer(line));
        }
        Ok(())
    }
}

/// The one reject that stood there first.
pub(super) async fn find(reader: &Reader, place: &Place) -> Result<Rejected> {
    let mut found = reader.rejected(&place.filter(), 9).await?;
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|rejected| rejected.topic_id.as_str()).collect();
        bail!("the topic was made anew, and both have such a reject; name one by the topic's id: {}", ids.join(", "));
    }
    found.pop().context("there is no such reject (a message sent again is found where it stood first)")
}

/// The message as it came first.
pub(super) async fn original(reader: &Reader, rejected: &Rejected) -> Result<Original> {
    let origin = rejected.origin().context("its origin cannot be understood")?;
    reader.rejected_original(origin).await?.with_context(|| format!("the message of {origin} is not kept any more"))
}

fn text(rejected: &Rejected, original: &Original) -> Vec<String> {
    let mut lines = vec![
        format!("origin      {}", words::place(rejected)),
        format!("topic id    {}", rejected.topic_id),
        format!("reason      {}", rejected.code),
        format!("            {}", words::why(rejected)),
        format!("appended    {}", moment::said(rejected.appended_ms)),
        format!("first seen  {}", moment::said(rejected.first_seen_ms)),
    ];
    lines.extend(words::fate(rejected).map(|fate| format!("sent again  {fate}")));
    lines.extend(original.key.as_deref().map(|key| format!("key         {}", words::bytes(key))));
    let header = |(name, value): &(String, Vec<u8>)| format!("header      {name}: {}", words::bytes(value));
    lines.extend(original.headers.iter().map(header));
    lines.push(format!("bytes       {}", original.payload.len()));
    lines.push(String::new());
    lines.push(words::bytes(&original.payload));
    lines
}

fn json(rejected: &Rejected, original: &Original) -> Value {
    let mut value = words::json(rejected);
    let headers: BTreeMap<&str, String> =
        original.headers.iter().map(|(name, bytes)| (name.as_str(), STANDARD.encode(bytes))).collect();
    if let Value::Object(fields) = &mut value {
        fields.insert("key_base64".to_owned(), original.key.as_deref().map(|key| STANDARD.encode(key)).into());
        fields.insert("headers_base64".to_owned(), serde_json::json!(headers));
        fields.insert("payload_base64".to_owned(), STANDARD.encode(&original.payload).into());
    }
    value
}
