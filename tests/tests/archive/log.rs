//! What may happen to the log under the archive: made anew, wider, shorter, with holes, longer than what is archived.

use super::{SOON, figure, good, made, observation, report, send, until_rows};
use crate::support::{Archive, City, count, query};
use gridwarden_bus::topics::{OBSERVATIONS, REPORTS, ensure};
use gridwarden_bus::{Offsets, Producer, ProducerOptions, topic_meta};
use gridwarden_domain::identity::TopicId;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::parts::Parts;
use gridwarden_tests::wait;
use gridwarden_tests::wire::Wire;

/// The condition that a row is of this topic.
pub(super) fn is_of(id: TopicId) -> String {
    format!("replaceAll(toString(topic_id), '-', '') = '{id}'")
}

/// (start, end) of every partition.
async fn bounds(parts: &Parts, topic: &'static str) -> Vec<(i64, i64)> {
    let kafka = parts.kafka.clone();
    let ask = move || {
        let count = topic_meta(&kafka, topic).expect("meta").partitions;
        let partitions: Vec<_> = (0..count).map(|partition| (topic, partition)).collect();
        let offsets = Offsets::open(&kafka).expect("client");
        let (starts, ends) = (offsets.starts(&partitions).expect("starts"), offsets.ends(&partitions).expect("ends"));
        starts.into_iter().zip(ends).collect()
    };
    tokio::task::spawn_blocking(ask).await.expect("thread")
}

/// `ARC-7`: a client reads on in the new log where it stood in the old one; only the id tells them apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_stops_the_archive_and_nothing_gets_the_old_name() {
    let (parts, producer) = made("archive_anew").await;
    let city = City::make("archive_anew");
    city.publish(&producer).await;
    let old = topic_meta(&parts.kafka, OBSERVATIONS).expect("meta").id;
    // Of the old log nothing was ever read: the archive stands at the beginning of every partition, and the new log has that.
    let archive = Archive::start(&parts, &city).await;
    archive.until_ready().await;
    let mut wire = Wire::connect(&parts.kafka.bootstrap);
    wire.delete_topic(&parts.kafka.full_name(OBSERVATIONS));
    ensure(&parts.kafka, &[]).await.expect("made again");
    let new = topic_meta(&parts.kafka, OBSERVATIONS).expect("meta").id;
    assert_ne!(old, new);
    // A producer of its own: the old one may know the old topic still.
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test-2")).expect("producer");
    good(&producer, 0, 2600).await;
    let words = archive.ended().await;
    assert!(words.contains("topic observations.v1 was made anew"), "{words}");
    let of = async |id| count(&parts, &format!("SELECT count() FROM observations WHERE {}", is_of(id))).await;
    assert_eq!((of(old).await, of(new).await), (0, 0), "what was read of the new log went nowhere");
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 2600).await;
    // Positions inside of a log that is made anew and shorter: that, too, is told by its cause.
    wire.delete_topic(&parts.kafka.full_name(OBSERVATIONS));
    ensure(&parts.kafka, &[]).await.expect("made again");
    let words = archive.ended().await;
    assert!(words.contains("topic observations.v1 was made anew"), "{words}");
    assert_eq!((of(old).await, of(new).await), (0, 2600));
}

#[tokio::test(flavor = "multi_thread")]
async fn added_partitions_stop_the_archive_with_words_and_are_read_by_the_next() {
    let (parts, producer) = made("archive_wider").await;
    let city = City::make("archive_wider");
    city.publish(&producer).await;
    let one = report("p", "");
    send(&producer, REPORTS, &[(Some(one.clone()), &[])]).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "reports", 1).await;
    Wire::connect(&parts.kafka.bootstrap).add_partitions(&parts.kafka.full_name(REPORTS), 8);
    let words = archive.ended().await;
    assert!(words.contains("topic reports.v1 has 8 partitions now, it had 6"), "{words}");
    let message = gridwarden_bus::Message {
        topic: REPORTS,
        payload: Some(one.as_bytes()),
        partition: Some(7),
        ..Default::default()
    };
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test-2"));
    producer.expect("producer").submit(&message).await.expect("queued").await.expect("acknowledged");
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "reports", 2).await;
    archive.stop().await;
}

/// `ARC-2`.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_gone_stop_the_archive_until_that_is_accepted_once() {
    let (parts, producer) = made("archive_gone").await;
    let city = City::make("archive_gone");
    city.publish(&producer).await;
    good(&producer, 0, 600).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 600).await;
    archive.stop().await;
    let held = bounds(&parts, OBSERVATIONS).await;
    good(&producer, 600, 1800).await;
    // Retention takes what is archived and twenty records more of one partition; of another, exactly what is archived,
    // and there a block had been lost.
    let ends = bounds(&parts, OBSERVATIONS).await;
    let grown = |(held, now): (&(i64, i64), &(i64, i64))| now.1 - held.1 > 20 && held.1 > 20;
    let wide: Vec<usize> = (0..12).filter(|p| grown((&held[*p], &ends[*p]))).collect();
    let (first, second) = (wide[0], wide[1]);
    let mut wire = Wire::connect(&parts.kafka.bootstrap);
    let topic = parts.kafka.full_name(OBSERVATIONS);
    wire.delete_records(&topic, i32::try_from(first).expect("number"), held[first].1 + 20);
    wire.delete_records(&topic, i32::try_from(second).expect("number"), held[second].1);
    let hole = format!(
        "ALTER TABLE observations_rows DELETE WHERE partition = {second} AND offset BETWEEN 3 AND 7 SETTINGS mutations_sync = 2"
    );
    query(&parts, &hole).await;
    let words = Archive::start(&parts, &city).await.ended().await;
    assert!(words.contains("deleted by the topic's retention before they were archived"), "{words}");
    assert!(
        words.contains("topic observations.v1, partition ") && words.contains("archive.accept_loss = true"),
        "{words}"
    );
    assert_eq!(count(&parts, "SELECT count() FROM observations").await, 595, "nothing was read");

    let archive = Archive::start_with(&parts, &city, |own| own.accept_loss = true).await;
    until_rows(&parts, "observations", 1800 - 20 - 5).await;
    let metrics = archive.metrics().await;
    assert_eq!(figure(&metrics, "gridwarden_archive_lost_total"), 25, "{metrics}");
    archive.stop().await;
    let lost = "SELECT sum(end_offset - first_offset) FROM archive_gaps WHERE kind = 'lost'";
    assert_eq!(count(&parts, lost).await, 25);
    // What is noted as lost is not asked for again.
    good(&producer, 1800, 1900).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 1900 - 25).await;
    let metrics = archive.metrics().await;
    assert_eq!(figure(&metrics, "gridwarden_archive_read_total"), 100, "only what is new was read");
    archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_ahead_of_the_log_stop_the_archive_with_words() {
    let (parts, producer) = made("archive_ahead").await;
    let city = City::make("archive_ahead");
    city.publish(&producer).await;
    good(&producer, 0, 100).await;
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 100).await;
    archive.stop().await;
    // As if the log had been cut, or another cluster's copy of it were asked.
    let ahead = "INSERT INTO markers_rows SELECT topic_id, partition, 5000 AS offset, appended_at, feed \
                 FROM observations_rows ORDER BY partition LIMIT 1";
    query(&parts, ahead).await;
    let words = Archive::start(&parts, &city).await.ended().await;
    assert!(words.contains("offsets up to 5000 are archived, but the log ends at"), "{words}");
}

/// `ARC-8`: ends of transactions and aborted ones leave holes in the log, and none in the archive.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_leave_no_holes() {
    let (parts, producer) = made("archive_transactions").await;
    let city = City::make("archive_transactions");
    city.publish(&producer).await;
    let kafka = parts.kafka.clone();
    let written = tokio::task::spawn_blocking(move || {
        let mut wire = Wire::connect(&kafka.bootstrap);
        let topic = kafka.full_name(OBSERVATIONS);
        let records = |from: u32| -> Vec<Vec<u8>> {
            (from..from + 10).map(|number| observation(number, now_ms()).into_bytes()).collect()
        };
        for (number, commit) in (0u32..).zip([true, false, true, true]) {
            wire.transaction(&topic, 3, &records(number * 10), commit);
        }
        wire.transaction(&topic, 5, &records(100), true);
    });
    written.await.expect("thread");
    let archive = Archive::start(&parts, &city).await;
    until_rows(&parts, "observations", 40).await;
    assert_eq!(count(&parts, "SELECT count() FROM observations WHERE toUInt32(id) BETWEEN 10 AND 19").await, 0);
    // Ten records and an end, four times: the end of the last one shows when a record follows it.
    let placed = gridwarden_bus::Message { topic: OBSERVATIONS, partition: Some(3), ..Default::default() };
    let fine = observation(200, now_ms());
    let placed = gridwarden_bus::Message { payload: Some(fine.as_bytes()), ..placed };
    producer.submit(&placed).await.expect("queued").await.expect("acknowledged");
    until_rows(&parts, "observations", 41).await;
    let gaps = "SELECT count() FROM archive_gaps WHERE kind = 'empty' AND partition = 3 AND \
                (first_offset, end_offset) IN ((10, 22), (32, 33), (43, 44))";
    wait::until_async("the gaps", SOON, || async {
        let found = count(&parts, gaps).await;
        if found == 3 { Ok(()) } else { Err(query(&parts, "SELECT * FROM archive_gaps FORMAT TSV").await) }
    })
    .await;
    archive.stop().await;
    let archive = Archive::start(&parts, &city).await;
    good(&producer, 300, 310).await;
    until_rows(&parts, "observations", 51).await;
    let metrics = archive.metrics().await;
    archive.stop().await;
    assert_eq!(figure(&metrics, "gridwarden_archive_duplicate_total"), 0, "nothing archived was read again");
    assert_eq!(figure(&metrics, "gridwarden_archive_read_total"), 10);
    assert_eq!(count(&parts, "SELECT count() FROM observations_rows").await, 51);
}
