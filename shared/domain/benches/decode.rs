//! Prints what decoding one observation costs: `cargo bench -p gridwarden-domain --bench decode`.
//!
//! Messages are 250 to 280 bytes; one in ten has its fields in another order, one in twenty an unknown field.
#![allow(clippy::print_stdout, reason = "prints its result")]

use gridwarden_domain::crs::Crs;
use gridwarden_domain::decode::{Decoder, Encoding, protobuf_of};
use gridwarden_domain::observation::ObservationRef;
use std::hint::black_box;
use std::time::Instant;

const MESSAGES: usize = 100_000;
const ROUNDS: usize = 15;

fn message(at: usize) -> String {
    let kind = ["air", "vehicle", "noise"].into_iter().nth(at % 3).unwrap_or("air");
    let mut fields = [
        format!("\"id\":\"m-{at:010}\""),
        format!("\"source\":\"{kind}-{:06}\"", at * 7919 % 200_000),
        format!("\"kind\":\"{kind}\""),
        format!("\"time\":{}", 1_760_000_000_000 + at * 10),
        format!(
            "\"position\":{{\"lon\":{:.6},\"lat\":{:.6},\"accuracy_m\":{}}}",
            121.0 + (at % 1000) as f64 / 1013.0,
            31.0 + (at % 997) as f64 / 1013.0,
            at % 20
        ),
        format!(
            "\"values\":{{\"pm25\":{:.1},\"pm10\":{:.1},\"speed\":{:.2}}}",
            (at % 900) as f64 / 10.0,
            (at % 1200) as f64 / 10.0,
            (at % 3000) as f64 / 100.0
        ),
        "\"attributes\":{\"status\":\"ok\",\"firmware\":\"2.4.1-r17\"}".to_owned(),
    ];
    if at.is_multiple_of(10) {
        fields.rotate_left(at / 10 % 7);
    }
    let extra = if at.is_multiple_of(20) { ",\"seq\":17" } else { "" };
    format!("{{{}{extra}}}", fields.join(","))
}

fn main() {
    let messages: Vec<String> = (0..MESSAGES).map(message).collect();
    let binaries: Vec<Vec<u8>> = messages
        .iter()
        .filter_map(|message| serde_json::from_str(message).ok())
        .map(|read| protobuf_of(&read))
        .collect();
    let json = measure("JSON", Encoding::Json, &messages);
    let protobuf = measure("Protobuf", Encoding::Protobuf, &binaries);
    println!("protobuf_over_json: {:.2}", json / protobuf);
}

/// The median of some rounds, in nanoseconds per observation. Every message must be read, and say the same time in both forms.
fn measure(name: &str, encoding: Encoding, messages: &[impl AsRef<[u8]>]) -> f64 {
    let bytes: usize = messages.iter().map(|message| message.as_ref().len()).sum();
    let decoder = Decoder::observations();
    let mut nanos: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let mut sum = 0i64;
            let mut read = ObservationRef::empty();
            for message in messages {
                let taken = decoder.observation_over((encoding, Crs::Wgs84), black_box(message.as_ref()), &mut read);
                sum += if taken.is_ok() { black_box(&read).time_ms } else { 0 };
            }
            let took = start.elapsed();
            assert_eq!(sum, (0..MESSAGES as i64).map(|at| 1_760_000_000_000 + at * 10).sum::<i64>(), "{name}");
            took.as_nanos() as f64 / MESSAGES as f64
        })
        .collect();
    nanos.sort_by(f64::total_cmp);
    let at = |rank: usize| nanos.get(rank).copied().unwrap_or_default();
    println!(
        "{name}: {:.1} ns per observation, best {:.1}, {} bytes each (median of {ROUNDS})",
        at(ROUNDS / 2),
        at(0),
        bytes / MESSAGES
    );
    at(ROUNDS / 2)
}
