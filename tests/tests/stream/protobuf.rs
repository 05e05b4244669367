//! Observations in JSON and in Protobuf, side by side: archive and stream make the same of both.

use super::{Stream, made, until_count};
use crate::support::{Archive, count};
use gridwarden_bus::Message;
use gridwarden_bus::topics::OBSERVATIONS;
use gridwarden_domain::decode::protobuf_of;
use gridwarden_domain::observation::{Observation, Position};
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::Parts;

const EACH: u32 = 60;

fn observation(letter: char, number: u32, time: i64) -> Observation {
    let lon = 0.25 + f64::from(number % 3) / 2.0;
    Observation {
        id: Some(format!("{letter}{number}")),
        source: format!("{letter}{}", number % 7),
        kind: "air".to_owned(),
        time: time + i64::from(number),
        position: Some(Position { lon, lat: 0.5, accuracy_m: Some(2.5) }),
        crs: None,
        values: [("pm25".to_owned(), f64::from(number) / 8.0), ("still".to_owned(), 0.0)].into(),
        attributes: [("note".to_owned(), "数据".to_owned())].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observation_is_the_same_in_json_and_in_protobuf() {
    let parts = Parts::named("protobuf");
    let (producer, city) = made("protobuf", &parts, &[]).await;
    let time = now_ms() - 5_000;
    let header = [("content-type", &b"application/x-protobuf"[..])];
    for number in 0..EACH {
        let (json, binary) = (observation('j', number, time), observation('p', number, time));
        let (text, bytes) = (serde_json::to_vec(&json).expect("JSON"), protobuf_of(&binary));
        for (observation, payload, headers) in [(&json, &text, &[][..]), (&binary, &bytes, &header[..])] {
            let key = Some(observation.source.as_bytes());
            let message = Message { topic: OBSERVATIONS, key, payload: Some(payload), headers, partition: None };
            producer.submit(&message).await.expect("queued").await.expect("acknowledged");
        }
    }
    let all = u64::from(EACH) * 2;
    let archive = Archive::start(&parts, &city).await;
    let stream = Stream::start(&parts, &city).await;
    let metrics = stream.until_conserved(all).await;
    assert_eq!(super::sum(&metrics, "gridwarden_stream_records_accepted_total") as u64, all, "{metrics}");
    until_count(&parts, "SELECT count() FROM observations", all).await;
    let alike = "SELECT count() FROM (SELECT count() AS records FROM observations GROUP BY substring(id, 2), \
                 substring(source, 2), kind, time, lon, lat, accuracy_m, value_names, value_numbers, attributes, area_codes, late \
                 HAVING records = 2 AND uniqExact(source) = 2)";
    assert_eq!(count(&parts, alike).await, u64::from(EACH));
    assert_eq!(count(&parts, "SELECT count() FROM rejects").await, 0);
    archive.stop().await;
    stream.stop().await;
}
