//! A broker with TLS and passwords: through with the right ones, told in words and in time with the wrong ones.

use super::SOON;
use gridwarden_bus::topics::{self, ensure};
use gridwarden_bus::{Assignment, From, KafkaConfig, Offsets, Producer, ProducerOptions, Reader, ReaderOptions};
use gridwarden_embedded::kafka::{KafkaProcess, SecureDoor};
use gridwarden_tests::{parts, wait};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use std::path::Path;
use std::time::{Duration, Instant};

const USER: &str = "gridwarden";
const PASSWORD: &str = "correct-horse";
/// In which somebody who waits for an answer wants to have one.
const TOLD: Duration = Duration::from_secs(15);

/// A key and what it is certified by.
struct Identity {
    key: PKey<Private>,
    certificate: X509,
}

impl Identity {
    /// One that signs for itself, or is signed for by another: then it is a server on the loopback address.
    fn new(name: &str, by: Option<&Self>) -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        let mut subject = X509NameBuilder::new().expect("name");
        subject.append_entry_by_text("CN", name).expect("name");
        let subject = subject.build();
        let mut builder = X509::builder().expect("builder");
        builder.set_version(2).expect("version");
        let serial = BigNum::from_u32(if by.is_some() { 2 } else { 1 }).and_then(|number| number.to_asn1_integer());
        builder.set_serial_number(&serial.expect("serial")).expect("serial");
        builder.set_subject_name(&subject).expect("subject");
        builder.set_issuer_name(by.map_or(&subject, |by| by.certificate.subject_name())).expect("issuer");
        builder.set_pubkey(&key).expect("key");
        builder.set_not_before(&Asn1Time::days_from_now(0).expect("time")).expect("time");
        builder.set_not_after(&Asn1Time::days_from_now(2).expect("time")).expect("time");
        match by {
            None => builder.append_extension(BasicConstraints::new().critical().ca().build().expect("CA")).expect("CA"),
            Some(_) => {
                let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None));
                builder.append_extension(names.expect("names")).expect("names");
            }
        }
        builder.sign(by.map_or(&key, |by| &by.key), MessageDigest::sha256()).expect("signed");
        Self { certificate: builder.build(), key }
    }

    fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().expect("PEM")
    }
}

/// A client's configuration for the door.
fn client(port: u16, authority: &Path, password: &str) -> KafkaConfig {
    let mut kafka = KafkaConfig::plain(&format!("127.0.0.1:{port}"));
    let authority = authority.to_str().expect("UTF-8");
    for (name, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", USER),
        ("sasl.password", password),
        ("ssl.ca.location", authority),
        ("ssl.endpoint.identification.algorithm", "https"),
    ] {
        kafka.properties.insert(name.to_owned(), value.to_owned());
    }
    kafka
}

/// What a client is told, within the time; its password is not.
fn refused(kafka: &KafkaConfig) -> String {
    let begun = Instant::now();
    let error = Offsets::open(kafka).expect("client").ends(&[(topics::REPORTS, 0)]).expect_err("it was let in");
    assert!(begun.elapsed() < TOLD, "{:?}", begun.elapsed());
    let words = error.to_string();
    assert!(!words.contains("battery-staple"), "{words}");
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_tls_and_passwords_is_used_and_refusals_are_told() {
    let (ours, others) = (Identity::new("ours", None), Identity::new("others", None));
    let server = Identity::new("kafka", Some(&ours));
    let mut options = parts::kafka_options("secure_broker");
    std::fs::create_dir_all(&options.data).expect("folder");
    let keystore = [server.key.private_key_to_pem_pkcs8().expect("PEM"), server.pem()].concat();
    std::fs::write(options.data.join("door.pem"), keystore).expect("keystore");
    let (our_authority, other_authority) = (options.data.join("ours.pem"), options.data.join("others.pem"));
    std::fs::write(&our_authority, ours.pem()).expect("authority");
    std::fs::write(&other_authority, others.pem()).expect("authority");
    let port = parts::free_address().port();
    let (keystore, user, password) = ("door.pem".to_owned(), USER.to_owned(), PASSWORD.to_owned());
    options.secure = Some(SecureDoor { port, keystore, user, password });
    let broker = tokio::task::spawn_blocking(|| KafkaProcess::start(options)).await.expect("thread").expect("Kafka");

    let kafka = client(port, &our_authority, PASSWORD);
    ensure(&kafka, &[]).await.expect("topics");
    let producer = Producer::new(&kafka, &ProducerOptions::named("test")).expect("producer");
    let (partition, offset) =
        producer.send(topics::REPORTS, Some(b"k"), Some(b"said in secret"), &[]).await.expect("acknowledged");
    let read = move || {
        let place = Assignment { topic: topics::REPORTS.to_owned(), partition, from: From::Offset(offset) };
        let mut reader = Reader::open(&kafka, &[place], &ReaderOptions::named("test")).expect("reader");
        wait::until("the record", SOON, || {
            let batch = reader.poll(10, Duration::from_millis(100)).expect("poll");
            batch.records().next().map(|record| record.payload.expect("a value").to_vec())
        })
    };
    assert_eq!(tokio::task::spawn_blocking(read).await.expect("thread"), b"said in secret");

    let told = move || {
        let words = refused(&client(port, &our_authority, "battery-staple"));
        assert!(words.contains("uthentication failed"), "a wrong password: {words}");
        let words = refused(&client(port, &other_authority, PASSWORD));
        assert!(words.contains("certificate verify failed"), "a stranger's certificate: {words}");
        let mut plain = KafkaConfig::plain(&format!("127.0.0.1:{port}"));
        plain.properties.insert("socket.timeout.ms".to_owned(), "3000".to_owned());
        let words = refused(&plain);
        assert!(words.contains("does not answer"), "without TLS: {words}");
    };
    tokio::task::spawn_blocking(told).await.expect("thread");
    drop(producer);
    drop(broker);
}
