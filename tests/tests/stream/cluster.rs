//! Several processes are one stream: what they write is what one writes, they end together, and strangers stay out.

pub(super) mod member;
mod three;

use super::*;
use crate::support::query;
use gridwarden_bus::Producer;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::role::Role;
use member::{BROKEN, Ground, SILENCE, hosts};

const RULES: [(&str, &str); 3] = [
    (
        "hot",
        r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"major",
            "threshold":{"value":"t","side":"above","level":90,"clear":80}}"#,
    ),
    (
        "in-b",
        r#"{"id":"in-b","version":1,"title":{"en":"In b"},"severity":"minor",
            "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter"}}"#,
    ),
    (
        "crowd",
        r#"{"id":"crowd","version":1,"title":{"en":"Crowd"},"severity":"minor","select":{"kinds":["walker"]},
            "density":{"place":{"area":{"layer":"grid","code":"b"}},"at_least":5,"within_s":86400}}"#,
    ),
];

/// Who goes into the east and back together, from different partitions.
const WALKERS: usize = 6;

/// Sources in all partitions, so that both processes read.
const SOURCES: usize = 24;
const EVENTS: usize = 240;
/// How soon one notices that another was killed.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What is sent, round by round. Each has kinds and values of its own, which both processes meet in an order of their own.
struct Load<'a> {
    producer: &'a Producer,
    begin: i64,
    rounds: usize,
    /// Whether there is a second layer.
    beats: bool,
}

impl Load<'_> {
    /// Sends a round; how many records there are in all.
    async fn round(&mut self) -> u64 {
        let round = self.rounds;
        self.rounds += 1;
        let mut records = Vec::new();
        for number in 0..EVENTS {
            let source = format!("s{}", number % SOURCES);
            let (kind, value) = (["air", "noise", "water"][number % 3], number * 7 % 60);
            let (lon, time) = (0.5 + (number % 2) as f64, self.begin + (round * 1_000 + number) as i64);
            let text = format!(
                r#"{{"source":"{source}","kind":"{kind}{}","time":{time},"position":{{"lon":{lon},"lat":0.5}},"values":{{"v{}":{value},"t":1}}}}"#,
                number / 3 % (round + 2),
                number / 5 % (round + 3),
            );
            records.push((source, text));
        }
        // In every round each of these goes over the level, or under it, and into the fence, or out of it.
        for mover in 0..SOURCES {
            let source = format!("m{mover}");
            let (value, lon) = if round.is_multiple_of(2) { (70.0, 0.5) } else { (95.0, 1.5) };
            records.push((source.clone(), observation(&source, self.begin + round as i64, lon, value)));
        }
        // In time for rules over several entities.
        for walker in 0..WALKERS {
            let (source, time) = (format!("w{walker}"), now_ms());
            let lon = if round.is_multiple_of(2) { 0.5 } else { 1.5 };
            let text = format!(
                r#"{{"source":"{source}","kind":"walker","time":{time},"position":{{"lon":{lon},"lat":0.5}},"values":{{"v":1}}}}"#
            );
            records.push((source, text));
        }
        send(self.producer, OBSERVATIONS, &records).await;
        self.past(round).await;
        self.records()
    }

    /// A feed that plays the past, in a clock of its own.
    async fn past(&self, round: usize) {
        for number in 0..SOURCES {
            let key = format!("p{number}");
            let text = observation(&key, 1_600_000_000_000 + (round * 60_000 + number) as i64, 0.5, 1.0);
            let headers: &[(&str, &[u8])] = &[("feed", b"past")];
            self.producer.send(OBSERVATIONS, Some(key.as_bytes()), Some(text.as_bytes()), headers).await.expect("sent");
        }
    }

    fn records(&self) -> u64 {
        (self.rounds * (EVENTS + 2 * SOURCES + WALKERS)) as u64
    }

    /// How many records lie in the west, in `a`: of the three sorts in a round, every other one, movers and walkers of even rounds, and
    /// the past.
    fn in_the_west(&self) -> u64 {
        let round = |round: usize| EVENTS / 2 + SOURCES + if round.is_multiple_of(2) { SOURCES + WALKERS } else { 0 };
        (0..self.rounds).map(round).sum::<usize>() as u64
    }

    /// Waits until all of it is in the windows of every area: each is written by the process that owns it, in its own time.
    async fn arrives(&self, parts: &Parts) {
        let (all, west) = (self.records(), self.in_the_west());
        let grid = [("C", all), ("a", west), ("b", all - west)];
        let beats = [("X", west), ("lone", all), ("p", west), ("q", west)];
        let areas = grid.iter().chain(beats.iter().filter(|_| self.beats));
        let mut wanted: Vec<String> =
            areas.flat_map(|(code, count)| [10, 60].map(|window| format!("{code}\t{window}\t{count}"))).collect();
        wanted.sort_unstable();
        let counted = "SELECT code, window_s, sum(count) FROM area_metrics WHERE NOT has(splitByChar('.', metric), 't') \
                       AND position(metric, '.') = 0 AND window_s IN (10, 60) GROUP BY code, window_s";
        wait::until_async("all of it in the windows of every area", SOON, || async {
            let found = query(parts, counted).await;
            let mut found: Vec<&str> = found.lines().collect();
            found.sort_unstable();
            if found == wanted { Ok(()) } else { Err(format!("{found:?}, not {wanted:?}")) }
        })
        .await;
    }

    /// Transitions: in the first round each mover is under the level and outside, then two rules change in every round, for walkers the
    /// fence, and one rule over all of them.
    fn transitions(&self) -> usize {
        (2 * SOURCES + WALKERS + 1) * (self.rounds - 1)
    }
}

/// Transitions of alerts, each once.
async fn until_said(parts: &Parts, load: &Load<'_>) {
    let wanted = load.transitions();
    wait::until_async("all transitions", SOON, || async {
        let found = alerts_of(parts).await.len();
        if found >= wanted { Ok(()) } else { Err(format!("{found} of {wanted}")) }
    })
    .await;
    let alerts = alerts_of(parts).await;
    let mut said: Vec<(&str, u32)> = alerts.iter().map(|alert| (alert.id.as_str(), alert.seq)).collect();
    said.sort_unstable();
    said.dedup();
    assert_eq!((said.len(), alerts.len()), (wanted, wanted), "each once");
    assert!(alerts.iter().all(|alert| alert.transition != Transition::Retracted), "{alerts:#?}");
}

/// How many records they have read together.
async fn read(members: &[Role]) -> f64 {
    let mut read = 0.0;
    for member in members {
        read += member.figure("records_read_total").await.unwrap_or(0.0);
    }
    read
}

/// Windows, sketches, latest states.
pub(super) async fn rows(parts: &Parts) -> [String; 3] {
    let windows = "SELECT * EXCEPT (closed) FROM area_metrics WHERE window_s IN (10, 60) ORDER BY ALL";
    let sketches = "SELECT * EXCEPT (closed) FROM area_sketches WHERE window_s IN (10, 60) ORDER BY ALL";
    [
        query(parts, windows).await,
        query(parts, sketches).await,
        query(parts, "SELECT * FROM entity_latest ORDER BY ALL").await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_what_one_does_whatever_is_killed_or_stopped_and_however_many_go_on() {
    const TEST: &str = "stream_cluster";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &RULES).await;
    let ground = Ground { test: TEST, parts: &parts, city: &city };
    let mut load = Load { producer: &producer, begin: now_ms(), rounds: 0, beats: false };
    load.round().await;

    let mut both = ground.all::<2>().await;
    load.round().await;
    load.arrives(&parts).await;
    until_said(&parts, &load).await;
    each_has_its_share(&mut both).await;

    one_is_killed(&mut both).await;
    // Without a checkpoint every alert stands open in the topic until the process that raised it finds it again.
    std::fs::remove_dir_all(city.folder.with_file_name("checkpoints").join("manifests")).expect("manifests");
    let mut both = ground.all::<2>().await;
    load.round().await;
    load.arrives(&parts).await;
    until_said(&parts, &load).await;
    assert_eq!(read(&both).await, load.records() as f64, "all is read again");

    // The one that leads stands still, and goes on when others have taken over.
    both[1].until_checkpoint().await;
    one_stands_still(&mut both, 0).await;
    let before = load.records() as f64;
    let mut others = ground.all::<2>().await;
    load.round().await;
    others[0].until_checkpoint().await;
    both[0].signal(libc::SIGCONT);
    assert_eq!(both[0].ended(AT_ONCE).await, Some(BROKEN), "{}", both[0].words());
    load.arrives(&parts).await;
    until_said(&parts, &load).await;
    let again = read(&others).await;
    assert!(again < before, "it goes on from the checkpoint: {again} of {before}");

    one_is_told_to_end(&mut others, 1).await;
    goes_on_with_another_number(&ground, &mut load).await;
    one_writes_the_same(&parts, &city, &load).await;
}

/// Every process reads, owns windows, and takes part in checkpoints.
async fn each_has_its_share(members: &mut [Role]) {
    for member in members {
        member.until_checkpoint().await;
        assert!(member.figure("records_read_total").await > Some(100.0), "it reads its share");
        assert!(member.figure("window_rows_total").await > Some(0.0), "it owns its share");
    }
}

/// The last one is killed: all others end.
async fn one_is_killed(members: &mut [Role]) {
    let begun = Instant::now();
    let (killed, others) = members.split_last_mut().expect("several");
    killed.kill();
    for other in others {
        assert_eq!(other.ended(AT_ONCE).await, Some(BROKEN), "{}", other.words());
        eprintln!("a process ended {} ms after another was killed", begun.elapsed().as_millis());
        assert!(other.words().contains("a process of the cluster is gone"), "{}", other.words());
        assert!(!other.words().contains("this is a bug"), "{}", other.words());
    }
}

/// Told to end, one ends well; the others end with it, and say why.
async fn one_is_told_to_end(members: &mut [Role], told: usize) {
    members[told].signal(libc::SIGTERM);
    assert_eq!(members[told].ended(END).await, Some(0), "{}", members[told].words());
    for (process, member) in members.iter_mut().enumerate().filter(|(process, _)| *process != told) {
        assert_eq!(member.ended(END).await, Some(1), "{process}: {}", member.words());
        // Who follows hears it of the one that leads, which ends because of the first.
        let heard_of = if process == 0 { told } else { 0 };
        let words = format!("process {heard_of} of the cluster ends, and with it all others");
        assert!(member.words().contains(&words), "{process}: {}", member.words());
    }
}

/// One stands still: all others end.
async fn one_stands_still(members: &mut [Role], still: usize) {
    members[still].signal(libc::SIGSTOP);
    let begun = Instant::now();
    for (_, member) in members.iter_mut().enumerate().filter(|(process, _)| *process != still) {
        assert_eq!(member.ended(SILENCE + AT_ONCE).await, Some(BROKEN), "{}", member.words());
        assert!(begun.elapsed() < SILENCE + AT_ONCE);
        assert!(member.words().contains("is gone, this one ends as well"), "{}", member.words());
    }
}

/// From two processes to one with two workers, and back.
async fn goes_on_with_another_number(ground: &Ground<'_>, load: &mut Load<'_>) {
    let before = load.records();
    let mut one = ground.start(&[], &[("GRIDWARDEN_STREAM__WORKERS", "2")]);
    load.round().await;
    load.arrives(ground.parts).await;
    until_said(ground.parts, load).await;
    one.until_checkpoint().await;
    assert!(one.figure("records_read_total").await < Some(before as f64), "it goes on from the checkpoint");
    one.signal(libc::SIGTERM);
    assert_eq!(one.ended(END).await, Some(0), "{}", one.words());
    let both = ground.all::<2>().await;
    load.round().await;
    load.arrives(ground.parts).await;
    until_said(ground.parts, load).await;
    let again = read(&both).await;
    assert!(again < before as f64, "it goes on from the checkpoint: {again} of {before}");
    all_are_told_to_end(both).await;
}

/// All are told to end at once: all end well.
pub(super) async fn all_are_told_to_end<const N: usize>(mut members: [Role; N]) {
    members.iter().for_each(|member| member.signal(libc::SIGTERM));
    for member in &mut members {
        assert_eq!(member.ended(END).await, Some(0), "{}", member.words());
    }
}

/// One process over the same topics, from their beginning, into a database of its own.
async fn one_writes_the_same(parts: &Parts, city: &City, load: &Load<'_>) {
    let mut alone = parts.clone();
    alone.clickhouse.database += "_alone";
    let stream = Stream::with(&alone, city, |config| {
        config.checkpoints.folder = city.folder.with_file_name("alone").display().to_string();
        config.stream.workers = 1;
    })
    .await;
    // The tables are made by it.
    until_count(&alone, "SELECT count() > 0 FROM area_metrics", 1).await;
    load.arrives(&alone).await;
    stream.until("gridwarden_stream_alerts_known_total", load.transitions() as f64).await;
    until_said(parts, load).await;
    let (wanted, entities) = (rows(&alone).await, 5 * SOURCES);
    let found = rows(parts).await;
    assert!(wanted[1].lines().count() > 10, "{}", wanted[1]);
    assert!(wanted[0].lines().count() > 500 && wanted[2].lines().count() > entities, "there is something to compare");
    for (wanted, found) in wanted.iter().zip(&found) {
        let wrong = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
        assert!(wanted == found, "one process writes, several write: {wrong:#?}");
    }
    stream.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_belong_to_a_cluster_is_refused_with_words() {
    const TEST: &str = "stream_strangers";
    let parts = Parts::named(TEST);
    let (_, city) = made(TEST, &parts, &[]).await;
    let ground = Ground { test: TEST, parts: &parts, city: &city };
    let two = hosts(2);
    let mut lead = ground.member(&two, 0);
    wait::until_async("the first to wait for the second", SOON, || async {
        let said = lead.readiness().await;
        if said.contains("waiting for processes of the cluster: [1]") { Ok(()) } else { Err(said) }
    })
    .await;

    let (first, second) = two.split_once(',').expect("two");
    let three = format!("{two},{}", hosts(1));
    let elsewhere = City::make("stream_strangers_elsewhere");
    let text = "name = { en = \"Elsewhere\" }\ntimezone = \"UTC\"\n";
    std::fs::write(elsewhere.folder.join("city.toml"), text).expect("city.toml");
    let elsewhere = elsewhere.folder.display().to_string();
    let as_second: &[&str] = &["--process", "1", "--hosts", &two];
    for (args, env, words) in [
        (as_second, ("GRIDWARDEN_STREAM__WORKERS", "2"), "its number of workers is 2, here it is 1"),
        (as_second, ("GRIDWARDEN_CITY__FOLDER", &elsewhere), "its city is"),
        (
            &["--process", "1", "--hosts", &three],
            ("GRIDWARDEN_STREAM__WORKERS", "1"),
            "it counts 3 processes, there are 2",
        ),
        (
            &["--processes", "3", "--process", "1", "--hosts", &two],
            ("GRIDWARDEN_STREAM__WORKERS", "1"),
            "--processes says 3, cluster.hosts names 2",
        ),
    ] {
        let mut stranger = ground.start(args, &[env]);
        assert_eq!(stranger.ended(SOON).await, Some(1), "{}", stranger.words());
        assert!(stranger.words().contains(words), "{}", stranger.words());
    }

    // The right one comes in; another one after it does not, and disturbs nobody.
    let mut second_one = ground.member(&two, 1);
    lead.until_ready().await;
    second_one.until_ready().await;
    let late = format!("{first},{}", hosts(1));
    let mut stranger = ground.member(&late, 1);
    assert_eq!(stranger.ended(SOON).await, Some(1));
    assert!(stranger.words().contains("generation 1 runs with all its processes"), "{}", stranger.words());
    lead.until_checkpoint().await;
    second_one.until_checkpoint().await;
    second_one.kill();
    assert_eq!(lead.ended(AT_ONCE).await, Some(BROKEN));

    // What is claimed must lie where all look for it.
    let mut lead = ground.member(&two, 0);
    let other = format!("{}-else", city.folder.display());
    let mut stranger = ground.start(as_second, &[("GRIDWARDEN_CHECKPOINTS__FOLDER", &other)]);
    let code = stranger.ended(SOON).await;
    assert_eq!(code, Some(1), "{second}: {}\n\nand the one that leads: {}", stranger.words(), lead.words());
    assert!(stranger.words().contains("all processes need one folder or bucket"), "{}", stranger.words());
    assert_eq!(lead.ended(SOON).await, Some(BROKEN), "{}", lead.words());
}
