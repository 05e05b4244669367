//! `STO-6`, on rows as ClickHouse writes them.

use super::*;
use gridwarden_domain::observation::Position;

fn text(out: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(text.as_bytes());
}

/// A row: partition, offset, what it is, its source, its origin.
fn row(partition: u32, offset: u64, what: u8, source: &str, origin: &str) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&partition.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.push(what);
    out.extend_from_slice(&(1_000 + offset).to_le_bytes());
    out.extend_from_slice(&(900 + offset).to_le_bytes());
    out.push(1);
    for said in ["past", origin, source, "air", "id-1"] {
        text(&mut out, said);
    }
    out.push(0);
    out.extend_from_slice(&116.5f64.to_le_bytes());
    out.push(0);
    out.extend_from_slice(&39.5f64.to_le_bytes());
    out.push(1);
    out.push(2);
    text(&mut out, "t");
    text(&mut out, "pm25");
    out.push(2);
    out.extend_from_slice(&1.5f64.to_le_bytes());
    out.extend_from_slice(&(-2.0f64).to_le_bytes());
    out
}

fn parts(pieces: &[&[u8]]) -> Result<Vec<LogPart>, usize> {
    let mut pile = Pile::of(&Spare::default());
    pieces.iter().for_each(|piece| pile.add(piece));
    pile.parts()
}

/// Partition, offset, origin of every record, in the order they are handed out.
fn handed_out(pieces: &[&[u8]]) -> Vec<(i32, i64, Option<String>)> {
    let origin = |record: &LogRecord<'_>| record.origin.map(|origin| String::from_utf8_lossy(origin).into_owned());
    let chunks = parts(pieces).expect("whole rows").into_iter().flat_map(LogPart::chunks);
    let of_chunk = |chunk: LogChunk| {
        chunk.records(0).map(|record| (record.partition, record.offset, origin(&record))).collect::<Vec<_>>()
    };
    chunks.flat_map(of_chunk).collect()
}

#[test]
fn bounds_stand_at_the_numbers_of_their_partitions_and_others_are_empty() {
    let range = |first, end| OffsetRange { first, end };
    assert_eq!(bounds(&[(3, range(7, 9)), (1, range(-5, 4))]), (vec![0, 0, 0, 7], vec![0, 4, 0, 9]));
    assert_eq!(bounds(&[]), (vec![], vec![]));
}

#[test]
fn a_record_says_what_its_row_says() {
    let long = "s".repeat(300);
    let chunks: Vec<LogChunk> =
        parts(&[&row(3, 7, 1, &long, "")]).expect("whole").into_iter().flat_map(LogPart::chunks).collect();
    let [record] = chunks[0].records(0).collect::<Vec<_>>()[..] else { panic!("one") };
    assert_eq!((record.partition, record.offset, record.appended_ms), (3, 7, 1_007));
    assert_eq!((record.feed, record.origin, record.simulated), (&b"past"[..], None, true));
    let Some(LogSaid::Observation(said)) = LogSaid::read(record.row) else { panic!("an observation") };
    assert_eq!((said.time_ms, said.source, said.kind, said.id), (907, long.as_str(), "air", Some("id-1")));
    assert_eq!(said.position, Some(Position { lon: 116.5, lat: 39.5, accuracy_m: None }));
    assert_eq!(said.values.collect::<Vec<_>>(), [("t", 1.5), ("pm25", -2.0)]);
}

#[test]
fn a_row_that_is_cut_off_waits_for_its_rest_wherever_it_is_cut() {
    let whole = [row(0, 1, 1, "s", ""), row(0, 2, 1, "s", "")].concat();
    for cut_at in 0..=whole.len() {
        let (one, other) = whole.split_at(cut_at);
        assert_eq!(handed_out(&[one, other]), [(0, 1, None), (0, 2, None)], "cut at {cut_at}");
    }
    assert_eq!(parts(&[&whole, &[0; 5]]).map(|parts| parts.len()), Err(5), "bytes that are no row");
}

#[test]
fn however_they_lie_each_partition_is_in_that_of_the_log() {
    let offsets = |partition: u32| (0..9_000u64).map(move |step| (partition, step * 7_919 % 9_000));
    let rows: Vec<Vec<u8>> =
        offsets(5).zip(offsets(2)).flat_map(|(one, other)| [one, other]).map(|(p, o)| row(p, o, 1, "s", "")).collect();
    let pieces: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    let expected = [2, 5].into_iter().flat_map(|partition| (0..9_000).map(move |offset| (partition, offset, None)));
    assert!(handed_out(&pieces).into_iter().eq(expected));
    let chunks = parts(&pieces).expect("whole").into_iter().map(|part| part.chunks().count());
    assert!(chunks.min() > Some(2), "a chunk is a part of a partition");
}

#[test]
fn what_was_inserted_twice_comes_once() {
    let rows = [(0, 2), (1, 1), (0, 1), (1, 1), (0, 1)];
    let rows: Vec<u8> = rows.iter().flat_map(|(partition, offset)| row(*partition, *offset, 1, "s", "")).collect();
    assert_eq!(handed_out(&[&rows]), [(0, 1, None), (0, 2, None), (1, 1, None)]);
}

#[test]
fn what_was_sent_again_comes_with_its_origin_wherever_that_stands() {
    let origin = Some("first".to_owned());
    let (again, itself) = (row(0, 5, 0, "", "first"), row(0, 5, 1, "s", ""));
    assert_eq!(handed_out(&[&again, &itself]), [(0, 5, origin.clone())]);
    assert_eq!(handed_out(&[&itself, &row(0, 4, 1, "s", ""), &again, &again]), [(0, 4, None), (0, 5, origin)]);
    // Noted, but never archived itself: nothing stands there.
    let repeat = row(0, 6, 5, "", "other");
    assert_eq!(handed_out(&[&again, &repeat]), [(0, 6, Some("other".to_owned()))]);
    assert_eq!(handed_out(&[&again]), []);
}

/// One that takes the question and says no more: nothing at all, or only that an answer begins.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stops_is_broken_off() {
    use std::io::{Read, Write};
    for begin in ["", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let url = format!("http://{}", listener.local_addr().expect("port"));
        let (asked, is_asked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            stream.read_exact(&mut [0; 64]).expect("a question");
            stream.write_all(begin.as_bytes()).expect("said");
            asked.send(stream).ok();
        });
        let config = crate::ClickHouseConfig {
            url,
            database: "silent".to_owned(),
            user: String::new(),
            password: String::new(),
        };
        let slice = LogSlice {
            topic: TopicId(1),
            parts: vec![(0, OffsetRange { first: 0, end: 9 })],
            oldest_ms: 0,
            newest_ms: 9,
        };
        let reader = Reader::new(&config);
        let answer = reader.patient_log(&slice, Duration::from_millis(200)).await;
        assert!(matches!(answer, Err(StoreError::TimedOut)), "{:?}", answer.map(|parts| parts.len()));
        assert!(is_asked.recv().is_ok(), "it was asked");
    }
}
