//! What `bus` promises, on a real broker.

mod produce;
mod secure;

use gridwarden_bus::control::ControlReader;
use gridwarden_bus::topics::{self, Identities, ensure, inspect};
use gridwarden_bus::{
    Assignment, Batch, BusError, From, KafkaConfig, Message, Offsets, Producer, ProducerOptions, Reader, ReaderOptions,
    topic_meta,
};
use gridwarden_embedded::kafka::KafkaProcess;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::wire::Wire;
use gridwarden_tests::{parts, wait};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

async fn ready(test: &str) -> KafkaConfig {
    let kafka = parts::kafka(test);
    ensure(&kafka, &[]).await.expect("topics");
    kafka
}

fn producer(kafka: &KafkaConfig) -> Producer {
    Producer::new(kafka, &ProducerOptions::named("test")).expect("producer")
}

fn all_of(topic: &str, partitions: i32, from: From) -> Vec<Assignment> {
    (0..partitions).map(|partition| Assignment { topic: topic.to_owned(), partition, from }).collect()
}

fn reader(kafka: &KafkaConfig, assignments: &[Assignment]) -> Reader {
    let options = ReaderOptions { partition_ends: true, ..ReaderOptions::named("test") };
    Reader::open(kafka, assignments, &options).expect("reader")
}

/// Reads until every partition's end was reached.
fn read_to_the_end(reader: &mut Reader) -> Vec<Batch> {
    let partitions = reader.positions().len();
    let mut ended = std::collections::BTreeSet::new();
    let mut batches = Vec::new();
    wait::until("the ends of all partitions", SOON, || {
        let batch = reader.poll(1000, Duration::from_millis(200)).expect("poll");
        ended.extend(batch.ends().iter().map(|end| (end.topic, end.partition)));
        batches.push(batch);
        (ended.len() == partitions).then_some(())
    });
    batches
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_as_the_table_says() {
    let kafka = parts::kafka("topics_once");
    let extra = [topics::mapped("vendor.aq")];
    assert!(inspect(&kafka, &[]).expect("inspect").iter().all(|finding| finding.fatal), "nothing is there yet");
    let first = ensure(&kafka, &extra).await.expect("first");
    assert_eq!(first.created.len(), topics::table().len() + 1);
    let second = ensure(&kafka, &extra).await.expect("second");
    assert!(second.created.is_empty() && second.findings.is_empty(), "{second:?}");
    assert_eq!(inspect(&kafka, &extra).expect("inspect"), []);
    let more = topics::TopicSpec { partitions: 5, ..topics::mapped("vendor.aq") };
    let told = inspect(&kafka, &[more]).expect("inspect");
    assert!(told.len() == 1 && told[0].detail.contains("12 partitions"), "{told:?}");

    let observations = topic_meta(&kafka, topics::OBSERVATIONS).expect("meta");
    let reports = topic_meta(&kafka, topics::REPORTS).expect("meta");
    assert!(observations.log_append_time && observations.partitions == 12 && reports.partitions == 6);
    assert!(observations.id != reports.id && observations.id.0 != 0);
    assert!(matches!(topic_meta(&kafka, "nothing"), Err(BusError::UnknownTopic { .. })));

    // The same in one question, in the order asked, and again when a topic was made anew.
    let identities = Identities::open(&kafka).expect("client");
    let asked = [topics::REPORTS, topics::OBSERVATIONS, "vendor.aq"];
    let before = identities.ask(&asked).expect("identities");
    assert_eq!((before[0].id, before[0].partitions), (reports.id, 6));
    assert_eq!((before[1].id, before[1].partitions), (observations.id, 12));
    let unknown = identities.ask(&[topics::REPORTS, "nothing"]).expect_err("refused");
    assert_eq!(unknown.to_string(), "topic topics_once.nothing does not exist");
    Wire::connect(&kafka.bootstrap).delete_topic(&kafka.full_name("vendor.aq"));
    ensure(&kafka, &extra).await.expect("made again");
    let after = identities.ask(&asked).expect("identities");
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2].id, after[2].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_start_together_make_the_topics_once() {
    let kafka = parts::kafka("topics_together");
    let all = (0..4).map(|_| {
        let kafka = kafka.clone();
        tokio::spawn(async move { ensure(&kafka, &[]).await })
    });
    let mut created = std::collections::BTreeSet::new();
    for ensured in all.collect::<Vec<_>>() {
        let ensured = ensured.await.expect("task").expect("topics");
        assert!(ensured.findings.is_empty(), "{:?}", ensured.findings);
        created.extend(ensured.created);
    }
    assert_eq!(created.len(), topics::table().len());
    assert_eq!(inspect(&kafka, &[]).expect("inspect"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_back_whole_and_in_order() {
    let kafka = ready("whole_and_in_order").await;
    let producer = producer(&kafka);
    let mut deliveries = Vec::new();
    for number in 0..5000u32 {
        let (key, payload) = (format!("entity-{}", number % 97), number.to_string());
        let headers: &[(&str, &[u8])] = if number % 10 == 0 { &[("feed", b"past"), ("simulated", b"")] } else { &[] };
        let message = Message {
            topic: topics::OBSERVATIONS,
            key: Some(key.as_bytes()),
            payload: Some(payload.as_bytes()),
            headers,
            partition: None,
        };
        deliveries.push((number, producer.submit(&message).await.expect("queued")));
    }
    let mut expected = BTreeMap::new();
    for (number, delivery) in deliveries {
        expected.insert(delivery.await.expect("acknowledged"), number);
    }
    let empty = producer.send(topics::OBSERVATIONS, Some(b"k"), Some(b""), &[]).await.expect("empty");
    let none = producer.send(topics::OBSERVATIONS, Some(b"k"), None, &[("end", b"past")]).await.expect("none");

    let mut reader = reader(&kafka, &all_of(topics::OBSERVATIONS, 12, From::Beginning));
    let batches = read_to_the_end(&mut reader);
    let mut next = BTreeMap::<i32, i64>::new();
    let mut seen = 0;
    for record in batches.iter().flat_map(Batch::records) {
        let offset = next.entry(record.partition).or_default();
        assert_eq!((record.topic, record.offset), (0, *offset), "partition {}", record.partition);
        *offset += 1;
        assert!((now_ms() - record.appended_ms).abs() < 120_000, "append time {}", record.appended_ms);
        let place = (record.partition, record.offset);
        if place == empty {
            assert_eq!(record.payload, Some(&b""[..]));
        } else if place == none {
            assert_eq!((record.payload, record.headers().get("end")), (None, Some(&b"past"[..])));
        } else {
            let number = expected[&place];
            assert_eq!(record.payload, Some(number.to_string().as_bytes()));
            assert_eq!(record.key, Some(format!("entity-{}", number % 97).as_bytes()));
            let marked = number % 10 == 0;
            assert_eq!(record.headers().get("feed"), marked.then_some(&b"past"[..]));
            assert_eq!(record.headers().get("simulated"), marked.then_some(&b""[..]));
        }
        seen += 1;
    }
    assert_eq!(seen, 5002);
    let ends = reader.end_offsets().expect("ends");
    let positions: Vec<i64> = reader.positions().iter().map(|position| position.next.expect("known")).collect();
    assert_eq!(positions, ends);
    assert_eq!(ends.iter().sum::<i64>(), 5002);

    // The memory of a batch is its own, also when the reader is gone.
    drop(reader);
    assert_eq!(batches.iter().flat_map(Batch::records).filter(|record| record.payload.is_some()).count(), 5001);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_refused_with_words() {
    let kafka = ready("refused").await;
    let open = |topic: &str, partition| {
        let wanted = [Assignment { topic: topic.to_owned(), partition, from: From::Beginning }];
        Reader::open(&kafka, &wanted, &ReaderOptions::named("test")).err().expect("refused").to_string()
    };
    assert_eq!(open("nothing", 0), "topic refused.nothing does not exist");
    let words = Offsets::open(&kafka).expect("client").ends(&[(topics::REPORTS, 0), ("nothing", 0)]);
    let words = words.expect_err("refused").to_string();
    assert!(words.starts_with("topic ") && words.ends_with("refused.nothing does not exist"), "{words}");
    let words = open(topics::REPORTS, 6);
    assert_eq!(words, "topic refused.reports.v1 has 6 partitions, there is no partition 6");

    let beyond = [Assignment { topic: topics::REPORTS.to_owned(), partition: 0, from: From::Offset(1_000_000) }];
    let mut reader = Reader::open(&kafka, &beyond, &ReaderOptions::named("test")).expect("open");
    let error = wait::until("the error", SOON, || reader.poll(10, Duration::from_millis(200)).err());
    assert!(matches!(error, BusError::OffsetGone { partition: 0, .. }) && !error.is_transient(), "{error}");
}

/// An alert must not wait until a batch of others is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_handed_out_when_it_comes_however_many_are_asked_for() {
    let kafka = ready("at_once").await;
    let producer = producer(&kafka);
    let mut reader = reader(&kafka, &all_of(topics::REPORTS, 6, From::Beginning));
    drop(read_to_the_end(&mut reader));
    let read = tokio::task::spawn_blocking(move || {
        loop {
            let batch = reader.poll(10_000, 3 * SOON).expect("poll");
            if let Some(record) = batch.records().next() {
                return record.payload.map(<[u8]>::to_vec);
            }
        }
    });
    producer.send(topics::REPORTS, None, Some(b"alone"), &[]).await.expect("sent");
    let payload = tokio::time::timeout(SOON, read).await.expect("handed out long before the poll is over");
    assert_eq!(payload.expect("thread").as_deref(), Some(b"alone".as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_wakes_whoever_waits_and_can_leap() {
    let kafka = ready("wakes").await;
    let producer = producer(&kafka);
    let one = [Assignment { topic: topics::REPORTS.to_owned(), partition: 2, from: From::Beginning }];
    let mut reader = reader(&kafka, &one);
    let (sender, woken) = std::sync::mpsc::channel();
    assert!(reader.on_ready(move || sender.send(()).unwrap_or_default()));
    drop(read_to_the_end(&mut reader));
    while woken.try_recv().is_ok() {}
    for number in 0..2000u32 {
        let payload = number.to_string();
        let message = Message {
            topic: topics::REPORTS,
            payload: Some(payload.as_bytes()),
            partition: Some(2),
            ..Message::default()
        };
        producer.submit(&message).await.expect("queued");
    }
    tokio::task::spawn_blocking(move || {
        producer.flush(SOON).expect("flushed");
        woken.recv_timeout(SOON).expect("woken without polling");
        let batch = reader.poll(10, SOON).expect("poll");
        let first = batch.records().next().expect("a record").offset;
        assert_eq!(first, 0);
        reader.seek(0, 2, 1990).expect("seek");
        let mut offsets = Vec::new();
        wait::until("the last records", SOON, || {
            let batch = reader.poll(100, Duration::from_millis(200)).expect("poll");
            offsets.extend(batch.records().map(|record| record.offset));
            (offsets.last() == Some(&1999)).then_some(())
        });
        assert_eq!(offsets, (1990..2000).collect::<Vec<_>>(), "nothing stale after the leap");
    })
    .await
    .expect("thread");
}

/// A consumer that was never polled, and one whose batch outlives it, are dropped without waiting.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_dropped_first_dropping_ends() {
    let kafka = ready("dropped").await;
    let producer = producer(&kafka);
    producer.send(topics::REPORTS, Some(b"k"), Some(b"x"), &[]).await.expect("sent");
    tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        drop(reader(&kafka, &all_of(topics::REPORTS, 6, From::Beginning)));
        let mut first = reader(&kafka, &all_of(topics::REPORTS, 6, From::Beginning));
        let batches = read_to_the_end(&mut first);
        drop(first);
        assert_eq!(batches.iter().flat_map(Batch::records).filter(|record| record.payload == Some(b"x")).count(), 1);
        drop(batches);
        drop(ControlReader::start(&kafka).expect("control"));
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    })
    .await
    .expect("thread");
}

/// Bytes that no client compresses.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Not reading is back-pressure: the local queue stays small, and reading goes on exactly where it stopped.
#[tokio::test(flavor = "multi_thread")]
async fn not_reading_holds_nothing_but_the_queue() {
    const RECORDS: usize = 20_000;
    let kafka = ready("back_pressure").await;
    let producer = producer(&kafka);
    // What does not compress: a log of it is as long as what is read of it.
    let noise = noise(RECORDS * 2000);
    let mut deliveries = Vec::new();
    for payload in noise.chunks_exact(2000) {
        let message =
            Message { topic: topics::REPORTS, payload: Some(payload), partition: Some(1), ..Message::default() };
        deliveries.push(producer.submit(&message).await.expect("queued"));
    }
    for delivery in deliveries {
        delivery.await.expect("acknowledged");
    }
    tokio::task::spawn_blocking(move || {
        let one = [Assignment { topic: topics::REPORTS.to_owned(), partition: 1, from: From::Beginning }];
        let options =
            ReaderOptions { queue_mib: 2, fetch_kib: 16, partition_ends: true, ..ReaderOptions::named("test") };
        let mut reader = Reader::open(&kafka, &one, &options).expect("reader");
        let (mut next, mut ended) = (0, false);
        let mut pauses = 0;
        wait::until("the end", Duration::from_secs(60), || {
            // Nobody reads for much longer than a fetch takes; then what is held is taken, without waiting for more.
            std::thread::sleep(Duration::from_millis(300));
            let batch = reader.poll(RECORDS, Duration::ZERO).expect("poll");
            assert!(batch.len() < RECORDS / 5, "{} records were held", batch.len());
            for record in batch.records() {
                assert_eq!(record.offset, next);
                next += 1;
            }
            pauses += 1;
            ended |= !batch.ends().is_empty();
            ended.then_some(())
        });
        assert_eq!(usize::try_from(next).expect("count"), RECORDS);
        assert!(pauses > 5, "{pauses} batches");
    })
    .await
    .expect("thread");
}

const ENTITY: &str = r#"{"id":"s1","kind":"air","position":{"lon":1.0,"lat":2.0}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn control_topics_are_covered_while_idle_and_what_is_wrong_is_skipped() {
    let kafka = ready("control").await;
    let producer = producer(&kafka);
    let control = ControlReader::start(&kafka).expect("control");
    let asked = now_ms();
    let later = tokio::task::spawn_blocking(move || {
        assert!(control.wait_covered(asked, SOON).expect("healthy"), "an idle control topic is covered");
        control
    });
    let control = later.await.expect("thread");
    producer.send(topics::REGISTRY, Some(b"s1"), Some(b"{"), &[]).await.expect("bad record");
    producer.send(topics::REGISTRY, Some(b"s1"), Some(ENTITY.as_bytes()), &[]).await.expect("good record");
    let sent = now_ms();
    tokio::task::spawn_blocking(move || {
        assert!(control.wait_covered(sent + 5000, SOON).expect("healthy"));
        assert_eq!(control.skipped(), 1);
        let timeline = control.timeline();
        assert_eq!(timeline.entity_count(), 1);
        assert!(timeline.entity_at("s1", sent + 5000).is_some(), "in force two seconds later");
        assert!(timeline.entity_at("s1", asked).is_none(), "not in force before");
        assert!(!control.covers(now_ms() + 60_000));
    })
    .await
    .expect("thread");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_back_is_enough() {
    let options = parts::kafka_options("broker_comes_back");
    let broker = KafkaProcess::start(options.clone()).expect("Kafka starts");
    let kafka = KafkaConfig::plain(&broker.bootstrap());
    ensure(&kafka, &[]).await.expect("topics");
    let producer = producer(&kafka);
    let mut reader = reader(&kafka, &all_of(topics::REPORTS, 6, From::Beginning));
    let control = ControlReader::start(&kafka).expect("control");
    let mut second_reader = self::reader(&kafka, &all_of(topics::REPORTS, 6, From::Beginning));
    let second_control = ControlReader::start(&kafka).expect("control");
    producer.send(topics::REPORTS, Some(b"1"), Some(b"before"), &[]).await.expect("sent");
    drop(read_to_the_end(&mut second_reader));
    let before = topic_meta(&kafka, topics::REPORTS).expect("meta");
    // Dropping is SIGKILL. Whatever is open then can be closed in time.
    drop(broker);
    let second = self::producer(&kafka);
    let queued = second.enqueue(&Message { topic: topics::REPORTS, payload: Some(b"never"), ..Message::default() });
    tokio::task::spawn_blocking({
        let (kafka, queued) = (kafka.clone(), queued.expect("queued"));
        move || {
            let begun = Instant::now();
            drop((second, queued));
            drop((second_reader, second_control));
            assert!(
                Identities::open(&kafka).expect("client").ask(&[topics::REPORTS]).expect_err("nobody").is_transient()
            );
            assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        }
    })
    .await
    .expect("thread");
    let unanswered = Offsets::open(&kafka).expect("client").ends(&[(topics::REPORTS, 0)]).expect_err("nobody there");
    assert!(unanswered.is_transient(), "{unanswered}");
    let waiting = tokio::spawn({
        let producer = producer.clone();
        async move { producer.send(topics::REPORTS, Some(b"2"), Some(b"during"), &[]).await }
    });
    let broker = KafkaProcess::start(options).expect("Kafka starts again");
    waiting.await.expect("task").expect("sent once the broker was back");
    assert_eq!(topic_meta(&kafka, topics::REPORTS).expect("meta"), before);
    tokio::task::spawn_blocking(move || {
        let mut seen = Vec::new();
        wait::until("both records", Duration::from_secs(60), || {
            let batch = reader.poll(100, Duration::from_millis(200)).expect("poll");
            seen.extend(batch.records().filter_map(|record| record.payload.map(<[u8]>::to_vec)));
            (seen.len() >= 2).then_some(())
        });
        seen.sort();
        assert_eq!(seen, [b"before".to_vec(), b"during".to_vec()]);
        assert!(control.wait_covered(now_ms(), Duration::from_secs(60)).expect("healthy"));
        // A clean end is quick.
        let begun = Instant::now();
        drop((reader, control, producer));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        broker.stop().expect("stops");
    })
    .await
    .expect("thread");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_held_back_gives_nothing_and_goes_on_where_it_was() {
    const EACH: i64 = 4_000;
    let kafka = ready("reader_held_back").await;
    let producer = producer(&kafka);
    let mut deliveries = Vec::new();
    for number in 0..EACH {
        for partition in 0..3 {
            let payload = number.to_string();
            let message = Message {
                topic: topics::OBSERVATIONS,
                key: None,
                payload: Some(payload.as_bytes()),
                headers: &[],
                partition: Some(partition),
            };
            deliveries.push(producer.submit(&message).await.expect("queued"));
        }
    }
    for delivery in deliveries {
        delivery.await.expect("acknowledged");
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = reader(&kafka, &all_of(topics::OBSERVATIONS, 3, From::Beginning));
        // Where each partition stands, and whether it is held back; turned over by a fixed pattern, batch by batch.
        let (mut next, mut held, mut turns, mut holds) = ([0i64; 3], [false; 3], 0usize, 0);
        wait::until("all records, in order", Duration::from_secs(60), || {
            let batch = reader.poll(150, Duration::from_millis(50)).expect("poll");
            for record in batch.records() {
                let partition = usize::try_from(record.partition).expect("a partition");
                assert!(!held[partition], "{partition} is held back at {}", next[partition]);
                assert_eq!(record.offset, next[partition], "partition {partition}");
                next[partition] += 1;
            }
            turns += 1;
            for (partition, number) in (0..3).zip([0usize, 1, 2]) {
                // One is always read, and none is held for more than some turns.
                let hold = turns / 3 % 4 != 3 && (turns / 3 + number) % 3 != 0;
                if hold != held[number] {
                    held[number] = hold;
                    holds += u32::from(hold);
                    let done = if hold { reader.hold_back(0, partition) } else { reader.go_on(0, partition) };
                    done.expect("taken");
                }
            }
            next.iter().all(|next| *next == EACH).then_some(())
        });
        holds
    });
    let holds = read.await.expect("task");
    assert!(holds > 20, "{holds}");
}
