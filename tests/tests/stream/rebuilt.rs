//! `RBD-1…3`: where the log no longer holds what the state needs, the archive does: windows, latest states and alerts are those of a
//! stream that nothing happened to. What is in neither is counted.

mod broken;
mod cluster;
mod door;
mod town;

use super::oracle::{recount, until_all_said, until_equal};
use super::*;
use crate::support::query;
use gridwarden_tests::wire::Wire;
use town::{Town, counts, open, until_checkpoint, until_entities, until_rows};

#[tokio::test(flavor = "multi_thread")]
async fn without_checkpoints_and_with_half_a_log_it_comes_to_what_it_was() {
    let mut town = Town::make("rebuilt_state").await;
    town.send(2_000, 200).await;
    town.until_archived().await;
    let recounted = recount(&town.parts).await;
    let undisturbed = town.undisturbed(&recounted).await;
    let before = open(&town.parts).await;
    // Of some partitions nothing is left, of some everything.
    let left = town.cut(|partition| [1.0, 0.5, 0.0, 0.9][partition as usize % 4]).await;
    assert!(left > 500 && left < town.sent - 500, "{left}");

    let stream = Stream::start(&town.parts, &town.city).await;
    stream.until_conserved(town.sent).await;
    until_equal(&town.parts, &recounted).await;
    until_entities(&town.parts, &undisturbed.entities).await;
    assert_eq!(counts(&stream).await, undisturbed.counts);
    assert_eq!(stream.figure("gridwarden_stream_records_from_archive_total").await as u64, town.sent - left);
    assert_eq!(stream.figure("gridwarden_stream_records_lost_total").await, 0.0);
    // Every transition is decided again, and none is said again.
    until_all_said(&stream).await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_total").await, undisturbed.decided);
    assert_eq!(stream.figure("gridwarden_stream_alerts_known_total").await, undisturbed.decided);

    assert!(!before.is_empty() && open(&town.parts).await == before);

    // And it goes on from there.
    observe(&town.producer, "later", gridwarden_runtime::clock::now_ms(), 0.75, 99.0).await;
    stream.until_conserved(town.sent + 1).await;
    stream.until("gridwarden_stream_alert_seconds_count", 1.0).await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_total").await, undisturbed.decided + 1.0);
    assert_eq!(open(&town.parts).await.len(), before.len() + 1);
    stream.stop().await;
    town.archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_the_log_has_outlived_goes_on_through_the_archive() {
    let mut town = Town::make("rebuilt_behind").await;
    town.send(1_000, 100).await;
    let first = Stream::with_checkpoints(&town.parts, &town.city, 2, 200).await;
    first.until_conserved(town.sent).await;
    until_all_said(&first).await;
    until_checkpoint(&first).await;
    let (read, decided) = (town.sent, first.figure("gridwarden_stream_alerts_total").await);
    first.stop().await;

    // It is away for longer than the log is kept.
    town.send(1_500, 150).await;
    town.until_archived().await;
    let recounted = recount(&town.parts).await;
    let undisturbed = town.undisturbed(&recounted).await;
    town.cut(|partition| [1.0, 0.9, 0.2][partition as usize % 3]).await;

    // With another number of workers, and checkpoints while it reads the archive.
    let second = Stream::with_checkpoints(&town.parts, &town.city, 3, 100).await;
    second.until_conserved(town.sent - read).await;
    until_equal(&town.parts, &recounted).await;
    until_entities(&town.parts, &undisturbed.entities).await;
    let from_archive = second.figure("gridwarden_stream_records_from_archive_total").await;
    assert!(from_archive > 300.0, "{from_archive}");
    assert_eq!(second.figure("gridwarden_stream_records_lost_total").await, 0.0);
    until_all_said(&second).await;
    let again = second.figure("gridwarden_stream_alerts_total").await;
    assert_eq!(again, undisturbed.decided - decided, "what was left to decide");
    assert_eq!(second.figure("gridwarden_stream_alerts_known_total").await, again);
    open(&town.parts).await;
    until_checkpoint(&second).await;
    second.stop().await;

    // A checkpoint from behind the archive is one like any other.
    let third = Stream::with_checkpoints(&town.parts, &town.city, 1, 200).await;
    until_checkpoint(&third).await;
    assert_eq!(third.figure("gridwarden_stream_records_read_total").await, 0.0, "nothing is read again");
    third.stop().await;
    town.archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_neither_is_counted_and_the_rest_goes_on() {
    let mut town = Town::make("rebuilt_hole").await;
    town.send(1_000, 0).await;
    town.until_archived().await;
    let long = town.ends(OBSERVATIONS).await.into_iter().filter(|(_, end)| *end > 30).map(|(partition, _)| partition);
    let long: Vec<i32> = long.take(2).collect();
    town.archive.stop().await;
    let hole = format!(
        "ALTER TABLE observations_rows DELETE WHERE partition IN ({}, {}) AND offset BETWEEN 5 AND 14 \
         SETTINGS mutations_sync = 2",
        long[0], long[1]
    );
    query(&town.parts, &hole).await;
    let there = count(&town.parts, "SELECT count() FROM archived_offsets").await;
    let lost = town.sent - there;
    assert!(lost > 10, "{lost}");
    let kafka = &town.parts.kafka;
    let mut wire = Wire::connect(&kafka.bootstrap);
    for partition in long {
        wire.delete_records(&kafka.full_name(OBSERVATIONS), partition, 20);
    }
    let stream = Stream::start(&town.parts, &town.city).await;
    stream.until_conserved(there).await;
    assert_eq!(stream.figure("gridwarden_stream_records_lost_total").await as u64, lost);
    observe(&town.producer, "later", gridwarden_runtime::clock::now_ms(), 0.5, 1.0).await;
    stream.until_conserved(there + 1).await;
    stream.stop().await;
}
