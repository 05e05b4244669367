//! What the code makes of a published example: the very decoders that services use, and what is written again after them.

use gridwarden_domain::{
    alert::Alert, city::CityFile, class::Catalogue, control::Fold, decode::Decoder, delivery::Delivery,
    layer::LayerRecord, mapping::Mapping, observation::Observation, reject::Reject, rule, time,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Reads a value as the services do and writes it again.
pub(crate) fn round(schema: &str, value: &Value) -> Result<Value, String> {
    let bytes = serde_json::to_vec(value).expect("JSON");
    match schema {
        "observation" => observation(&bytes),
        "report" => Decoder::reports().report(&bytes).map(|read| written(&read)).map_err(|reason| reason.to_string()),
        "entity" => entity(value, &bytes),
        "rule" => rule::read(&bytes).map(|read| written(&read)).map_err(|error| error.to_string()),
        "layer" => plain::<LayerRecord>(&bytes),
        "alert" => plain::<Alert>(&bytes),
        "delivery" => plain::<Delivery>(&bytes),
        "reject" => plain::<Reject>(&bytes),
        "webhook" => webhook(value),
        "city" => plain::<CityFile>(&bytes).map(|read| without_null(&read)),
        "classes" => plain::<Catalogue>(&bytes).map(|read| without_null(&read)),
        "mapping" => mapping(value),
        other => panic!("nobody reads {other}"),
    }
}

/// What an example says once it is read: a message's time is in milliseconds, its positions are WGS-84.
pub(crate) fn as_read(schema: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if let (Some(message), "observation" | "report") = (value.as_object_mut(), schema) {
        message.remove("crs");
        if let Some(Value::String(text)) = message.get("time") {
            let time_ms = time::rfc3339(text).expect("a time");
            message.insert("time".to_owned(), time_ms.into());
        }
    }
    value
}

fn written(value: &impl Serialize) -> Value {
    serde_json::from_slice(&serde_json::to_vec(value).expect("written")).expect("JSON")
}

fn plain<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice::<T>(bytes).map(|read| written(&read)).map_err(|error| error.to_string())
}

fn observation(bytes: &[u8]) -> Result<Value, String> {
    let decoder = Decoder::observations();
    let read = decoder.observation(bytes).map_err(|reason| reason.to_string())?;
    Ok(written(&Observation {
        id: read.id.map(Into::into),
        source: read.source.into(),
        kind: read.kind.into(),
        time: read.time_ms,
        position: read.position,
        crs: None,
        values: read.values.into_iter().map(|(name, value)| (name.into(), value.to_f64())).collect(),
        attributes: read.attributes.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
    }))
}

fn entity(value: &Value, bytes: &[u8]) -> Result<Value, String> {
    let key = value["id"].as_str().unwrap_or("no id");
    let mut fold = Fold::new();
    fold.registry(key.as_bytes(), Some(bytes), 0).map_err(|reason| reason.to_string())?;
    let timeline = fold.timeline();
    Ok(written(timeline.entity_at(key, i64::MAX).expect("in force").as_ref()))
}

fn webhook(value: &Value) -> Result<Value, String> {
    let data = serde_json::from_value::<Alert>(value["data"].clone()).map_err(|error| error.to_string())?;
    let mut again = value.clone();
    again["data"] = written(&data);
    Ok(again)
}

fn mapping(value: &Value) -> Result<Value, String> {
    let document = toml::to_string(&without_null(value)).map_err(|error| error.to_string())?;
    Mapping::parse(&document, "example").map(|_| value.clone()).map_err(|error| error.to_string())
}

/// TOML has no null.
fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_null(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_null).collect(),
        other => other.clone(),
    }
}
