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
    for said in ["past", source, "air", "id-1"] {
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
    out.push(1);
    text(&mut out, origin);
    out
}

fn cut(rest: &mut Vec<u8>, last: &mut Option<(u32, i64)>, all: bool) -> Vec<(i32, i64, Option<String>)> {
    let chunk = LogChunk::cut(rest, last, all);
    let origin = |record: &LogRecord<'_>| record.origin.map(|origin| String::from_utf8_lossy(origin).into_owned());
    chunk.records(0).map(|record| (record.partition, record.offset, origin(&record))).collect()
}

#[test]
fn a_record_says_what_its_row_says() {
    let long = "s".repeat(300);
    let mut rest = row(3, 7, 1, &long, "");
    let chunk = LogChunk::cut(&mut rest, &mut None, false);
    let [record] = chunk.records(0).collect::<Vec<_>>()[..] else { panic!("one") };
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
        let (mut rest, mut last) = (whole[..cut_at].to_vec(), None);
        let mut found = cut(&mut rest, &mut last, false);
        rest.extend_from_slice(&whole[cut_at..]);
        found.extend(cut(&mut rest, &mut last, true));
        assert_eq!(found, [(0, 1, None), (0, 2, None)], "cut at {cut_at}");
        assert!(rest.is_empty());
    }
}

#[test]
fn what_was_inserted_twice_comes_once() {
    let rows = [(0, 1), (0, 1), (0, 2), (1, 1), (1, 1)];
    let mut rest: Vec<u8> = rows.iter().flat_map(|(partition, offset)| row(*partition, *offset, 1, "s", "")).collect();
    let mut last = Some((0, 0));
    assert_eq!(cut(&mut rest, &mut last, false), [(0, 1, None), (0, 2, None), (1, 1, None)]);
    let mut again = row(1, 1, 1, "s", "");
    assert_eq!(cut(&mut again, &mut last, true), [], "nor in the next chunk");
}

#[test]
fn what_was_sent_again_comes_with_its_origin_though_a_chunk_ends_between() {
    let origin = Some("first".to_owned());
    let (again, itself) = (row(0, 5, 0, "", "first"), row(0, 5, 1, "s", ""));
    let mut rest = [again.clone(), itself.clone()].concat();
    assert_eq!(cut(&mut rest, &mut None, false), [(0, 5, origin.clone())]);
    let (mut rest, mut last) = ([row(0, 4, 1, "s", ""), again.clone()].concat(), None);
    assert_eq!(cut(&mut rest, &mut last, false), [(0, 4, None)]);
    rest.extend_from_slice(&itself);
    assert_eq!(cut(&mut rest, &mut last, false), [(0, 5, origin)]);
    // Noted, but never archived itself: nothing stands there.
    let mut rest = [again, row(0, 6, 5, "", "other")].concat();
    assert_eq!(cut(&mut rest, &mut None, false), [(0, 6, Some("other".to_owned()))]);
    let mut alone = row(0, 7, 0, "", "first");
    assert_eq!(cut(&mut alone, &mut None, true), []);
    assert!(alone.is_empty());
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
        let mut cursor = Reader::new(&config).archived_log(&slice).expect("a question");
        cursor.patience = Duration::from_millis(200);
        let answer = cursor.next().await;
        assert!(matches!(answer, Err(StoreError::TimedOut)), "{:?}", answer.map(|chunk| chunk.is_some()));
        assert!(is_asked.recv().is_ok(), "it was asked");
    }
}
