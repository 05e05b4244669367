//! An observation as Protobuf, for producers in this house.

use crate::observation::Observation;

/// Writes it as `infra/schema/proto/observation.proto` says.
pub fn protobuf_of(observation: &Observation) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    if let Some(id) = &observation.id {
        field(&mut out, 1, id.as_bytes());
    }
    field(&mut out, 2, observation.source.as_bytes());
    field(&mut out, 3, observation.kind.as_bytes());
    out.push(4 << 3);
    varint(&mut out, observation.time as u64);
    if let Some(position) = observation.position {
        let mut inner = Vec::with_capacity(23);
        inner.push(1 << 3 | 1);
        inner.extend_from_slice(&position.lon.to_le_bytes());
        inner.push(2 << 3 | 1);
        inner.extend_from_slice(&position.lat.to_le_bytes());
        if let Some(metres) = position.accuracy_m {
            inner.push(3 << 3 | 5);
            inner.extend_from_slice(&metres.to_le_bytes());
        }
        field(&mut out, 5, &inner);
    }
    if let Some(crs) = observation.crs {
        field(&mut out, 6, crs.as_str().as_bytes());
    }
    for (name, number) in &observation.values {
        let mut entry = Vec::with_capacity(name.len() + 11);
        field(&mut entry, 1, name.as_bytes());
        entry.push(2 << 3 | 1);
        entry.extend_from_slice(&number.to_le_bytes());
        field(&mut out, 7, &entry);
    }
    for (name, text) in &observation.attributes {
        let mut entry = Vec::with_capacity(name.len() + text.len() + 4);
        field(&mut entry, 1, name.as_bytes());
        field(&mut entry, 2, text.as_bytes());
        field(&mut out, 8, &entry);
    }
    out
}

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
