//! Producing, and what settings do on the wire.

use super::{SOON, noise, producer, ready};
use gridwarden_bus::topics::{self, Identities};
use gridwarden_bus::{BusError, KafkaConfig, Message, Offsets, Producer, ProducerOptions};
use std::time::{Duration, Instant};

/// Kafka's own hash, as Java clients compute it.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ data.len() as u32;
    for chunk in data.chunks(4) {
        if let Ok(four) = <[u8; 4]>::try_from(chunk) {
            let mut k = u32::from_le_bytes(four).wrapping_mul(M);
            k ^= k >> 24;
            h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
        } else {
            for (place, byte) in chunk.iter().enumerate() {
                h ^= u32::from(*byte) << (8 * place);
            }
            h = h.wrapping_mul(M);
        }
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_where_other_clients_put_it() {
    let kafka = ready("keys").await;
    let producer = producer(&kafka);
    for key in ["a", "bus-17", "空气-3", "entity with a longer name", ""] {
        let sent = producer.send(topics::REPORTS, Some(key.as_bytes()), Some(b"x"), &[]).await.expect("sent");
        if !key.is_empty() {
            assert_eq!(sent.0 as u32, (murmur2(key.as_bytes()) & 0x7fff_ffff) % 6, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_delivered_is_told() {
    let kafka = ready("undelivered").await;
    let producer = producer(&kafka);
    // Above what the client takes, and above what the topic takes.
    let far = vec![0u8; 17 << 20];
    let error = producer.send(topics::REPORTS, None, Some(&far), &[]).await.expect_err("too long");
    assert!(matches!(&error, BusError::TooLarge { topic, .. } if topic == "reports.v1"), "{error}");
    let noise = noise(1_500_000);
    let error = producer.send(topics::REPORTS, None, Some(&noise), &[]).await.expect_err("too long");
    assert!(matches!(error, BusError::TooLarge { .. }) && !error.is_transient(), "{error}");
    // The same length goes through when it compresses: the topic's limit is of compressed bytes.
    producer.send(topics::REPORTS, None, Some(&vec![b'x'; 1_500_000]), &[]).await.expect("acknowledged");
    let wrong = Message { topic: topics::REPORTS, payload: Some(b"x"), partition: Some(99), ..Message::default() };
    let error = match producer.submit(&wrong).await {
        Ok(delivery) => delivery.await.expect_err("no such partition"),
        Err(error) => error,
    };
    assert!(matches!(error, BusError::Undelivered { .. }) && !error.is_transient(), "{error}");
    let nobody = KafkaConfig::plain("127.0.0.1:1");
    let options = ProducerOptions { delivery_timeout: Duration::from_millis(700), ..ProducerOptions::named("test") };
    let lonely = Producer::new(&nobody, &options).expect("producer");
    let error = lonely.send(topics::REPORTS, None, Some(b"x"), &[]).await.expect_err("nobody there");
    assert!(matches!(error, BusError::Undelivered { .. }) && error.is_transient(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_wants_tls_or_is_none_is_told_in_time() {
    let mut kafka = ready("security").await;
    kafka.properties.insert("security.protocol".to_owned(), "SSL".to_owned());
    let ask = move |kafka: KafkaConfig| {
        let begun = Instant::now();
        let error = Offsets::open(&kafka).expect("client").ends(&[(topics::REPORTS, 0)]).expect_err("no answer");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        error
    };
    let error = tokio::task::spawn_blocking({
        let kafka = kafka.clone();
        move || ask(kafka)
    })
    .await
    .expect("thread");
    let words = error.to_string();
    assert!(words.starts_with(&format!("kafka at {} does not answer: ", kafka.bootstrap)), "{words}");
    // What librdkafka says depends on whether the broker's answer or its end comes first.
    let says = ["SSL handshake failed", "SSL connection closed"].iter().any(|why| words.contains(why));
    assert!(says, "it says why: {words}");
    let nobody = KafkaConfig::plain("127.0.0.1:1");
    let error = tokio::task::spawn_blocking(move || Identities::open(&nobody).expect("client").ask(&[topics::REPORTS]));
    let words = error.await.expect("thread").expect_err("nobody there").to_string();
    assert!(words.starts_with("kafka at 127.0.0.1:1 does not answer: ") && words.contains("refused"), "{words}");
}

/// What stands under `kafka.properties` reaches the wire: with TLS, a client's first bytes are a handshake.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_told_to_use_tls_speaks_tls() {
    use std::io::Read;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut kafka = KafkaConfig::plain(&listener.local_addr().expect("address").to_string());
    for (name, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "u"),
        ("sasl.password", "hunter2"),
    ] {
        kafka.properties.insert(name.to_owned(), value.to_owned());
    }
    let first = tokio::task::spawn_blocking(move || {
        let mut first = [0; 1024];
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("timeout");
        let read = stream.read(&mut first).expect("bytes");
        first[..read].to_vec()
    });
    let producer = producer(&kafka);
    let first = first.await.expect("thread");
    const HANDSHAKE: [u8; 2] = [22, 3];
    assert_eq!(first[..2], HANDSHAKE);
    assert!(!first.windows(7).any(|bytes| bytes == b"hunter2"), "nothing secret before the handshake");
    drop(producer);
}
