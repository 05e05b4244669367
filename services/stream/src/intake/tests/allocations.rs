//! `INT-1`: an ordinary observation costs no allocation, from its bytes to its windows.

use super::*;
use crate::counting::allocations;
use crate::windows::Windows;

fn text(number: u64) -> String {
    let (source, lon, time) = (number % 50, 310_000 + number % 7 * 200_000, 100_000 + number % 9_000);
    format!(
        r#"{{"id":"{number:012}","source":"shanghai-pudong-air-{source:06}","kind":"air","time":{time},"position":{{"lon":{}.{:06},"lat":0.512345,"accuracy_m":5}},"values":{{"t":{},"pm25":17.25}},"attributes":{{"model":"gw-2400-lte","firmware":"4.12.7"}}}}"#,
        lon / 1_000_000,
        lon % 1_000_000,
        number % 29,
    )
}

#[test]
fn an_ordinary_observation_is_read_placed_looked_at_and_counted_without_allocating() {
    let fence = r#"{"id":"in","version":1,"title":{"en":"x"},"severity":"minor",
        "fence":{"shape":{"polygon":[[[0.4,0.2],[1.2,0.2],[1.2,0.8],[0.4,0.8],[0.4,0.2]]]},"on":"exit"},
        "select":{"kinds":["noise"]}}"#;
    let mut desk = Desk::with(timeline_of(&[GRID], &[("hot", Some(HOT), 0), ("in", Some(fence), 0)]));
    let mut windows = Windows::default();
    let texts: Vec<String> = (0..4_000).map(text).collect();
    let mut run = |desk: &mut Desk, range: std::ops::Range<usize>| {
        let record = |(place, text): (usize, &'_ String)| (place as i64, text.as_bytes().to_vec());
        let batch: Vec<(i64, Vec<u8>)> = range.clone().zip(&texts[range]).map(record).collect();
        let before = allocations();
        desk.take_batch(0, 110_000, &batch);
        assert_eq!(windows.apply_all(&desk.out.deltas), 0);
        desk.out.deltas.clear();
        allocations() - before
    };
    // Every entity, area, metric and pane has been seen, and every ring of ids is full.
    run(&mut desk, 0..2_000);
    assert_eq!(run(&mut desk, 2_000..4_000), 0);
    assert!(desk.out.alerts.is_empty());
    assert_eq!((desk.count("accepted"), desk.count("nowhere")), (4_000, 0));
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    let text = std::hint::black_box("x").repeat(100);
    assert_eq!((allocations() - before, text.len()), (1, 100));
}
