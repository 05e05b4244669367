//! Two processes rebuild as one does, each its own share, and go on together when one of them is killed in the middle.

use super::door::Door;
use super::*;
use crate::stream::cluster::all_are_told_to_end;
use crate::stream::cluster::member::{BROKEN, Ground, hosts};
use gridwarden_tests::role::Role;

const FROM_ARCHIVE: &str = "records_from_archive_total";
const READ: &str = "records_read_total";

/// A figure over all of them.
async fn together(members: &[Role], name: &str) -> f64 {
    let mut sum = 0.0;
    for member in members {
        sum += member.figure(name).await.expect("it answers");
    }
    sum
}

async fn until_together(members: &[Role], name: &str, wanted: f64) {
    wait::until_async(&format!("{name} to reach {wanted} in all"), SOON, || async {
        let sum = together(members, name).await;
        if sum == wanted { Ok(()) } else { Err(sum.to_string()) }
    })
    .await;
}

/// Waits until a checkpoint holds all they have taken so far, which is no more than a door lets through; how many records.
pub(super) async fn at_rest(members: &mut [Role]) -> f64 {
    loop {
        let before = together(members, FROM_ARCHIVE).await;
        for member in members.iter_mut() {
            member.until_checkpoint().await;
        }
        if before == together(members, FROM_ARCHIVE).await {
            return before;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_come_to_what_one_does_and_go_on_where_they_were_when_one_is_killed_in_the_middle() {
    const TEST: &str = "rebuilt_by_two";
    let mut town = Town::make(TEST).await;
    let (recounted, alone, archived) = town.much_from_the_archive().await;

    let door = Door::narrow(&town.parts).await;
    let before_it = door.before(&town.parts);
    let ground = Ground { test: TEST, parts: &before_it, city: &town.city };
    let mut both = ground.all::<2>().await;
    door.until_held(2).await;
    for member in &mut both {
        member.until(FROM_ARCHIVE, 100.0).await;
    }
    let taken = at_rest(&mut both).await;
    assert!(taken < archived, "{taken} of {archived}");
    let [first, second] = &mut both;
    second.kill();
    assert_eq!(first.ended(END).await, Some(BROKEN), "{}", first.words());

    door.widen();
    let both = ground.all::<2>().await;
    until_together(&both, READ, town.sent as f64 - taken).await;
    until_equal(&town.parts, &recounted).await;
    until_rows(&town.parts, &alone).await;
    assert_eq!(together(&both, FROM_ARCHIVE).await, archived - taken, "from the checkpoint on");
    assert_eq!(together(&both, "records_lost_total").await, 0.0);
    all_are_told_to_end(both).await;

    // Without a checkpoint, in one go, and into tables that are empty again.
    std::fs::remove_dir_all(town.city.folder.with_file_name("checkpoints").join("manifests")).expect("manifests");
    for rows in ["area_windows_rows", "area_sketches_rows", "entity_latest_rows"] {
        query(&town.parts, &format!("TRUNCATE TABLE {rows}")).await;
    }
    let before = open(&town.parts).await;
    let both = ground.all::<2>().await;
    until_together(&both, READ, town.sent as f64).await;
    until_equal(&town.parts, &recounted).await;
    until_rows(&town.parts, &alone).await;
    assert_eq!(together(&both, FROM_ARCHIVE).await, archived);
    for member in &both {
        assert!(member.figure(FROM_ARCHIVE).await > Some(1_000.0), "it reads its share");
    }
    until_together(&both, "alerts_total", alone.decided).await;
    until_together(&both, "alerts_known_total", alone.decided).await;
    assert!(!before.is_empty() && open(&town.parts).await == before);
    all_are_told_to_end(both).await;
    town.archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_the_archive_is_waited_for_by_the_other() {
    const TEST: &str = "rebuilt_by_one_of_two";
    let mut town = Town::make(TEST).await;
    town.send(1_000, 100).await;
    town.until_archived().await;
    let recounted = recount(&town.parts).await;
    let alone = town.undisturbed(&recounted).await;
    // Only one of the two lacks something, and ClickHouse is away for longer than a dataflow may stand still.
    let archived = 1_000 - town.cut_of(OBSERVATIONS, |partition| f64::from(u8::from(partition == 0))).await;
    assert!(archived > 0);
    let door = Door::narrow(&town.parts).await;
    door.shut();
    let before_it = door.before(&town.parts);
    let ground = Ground { test: TEST, parts: &before_it, city: &town.city };
    let hosts = hosts(2);
    let begin = |process: &str| {
        let arguments = ["--processes", "2", "--process", process, "--hosts", &hosts];
        ground.start(&arguments, &[("GRIDWARDEN_STREAM__WATCHDOG_S", "5")])
    };
    let mut both = [begin("0"), begin("1")];
    wait::until_async("one that asks in vain, again and again", SOON, || async {
        let said = both.each_ref().map(Role::words);
        let asked = said.each_ref().map(|words| words.matches("will ask again").count());
        if asked.iter().any(|asked| *asked > 9) { Ok(()) } else { Err(said.join("\n\n")) }
    })
    .await;
    let readiness = [both[0].readiness().await, both[1].readiness().await];
    assert_eq!(readiness.iter().filter(|said| said.contains("the archive cannot be read")).count(), 1, "{readiness:?}");
    assert_eq!(readiness.iter().filter(|said| said.contains("\"ok\":true")).count(), 1, "{readiness:?}");

    door.widen();
    for member in &mut both {
        member.until_ready().await;
    }
    until_together(&both, READ, town.sent as f64).await;
    until_equal(&town.parts, &recounted).await;
    until_rows(&town.parts, &alone).await;
    assert_eq!(together(&both, FROM_ARCHIVE).await, archived as f64);
    all_are_told_to_end(both).await;
    town.archive.stop().await;
}
