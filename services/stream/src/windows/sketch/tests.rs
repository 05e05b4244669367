//! `SKE-1…3` on generated events: any order, any split, any pieces; answers against exact ones.
#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const KEPT: Kept = Kept { quantiles: true, sources: true };

fn of(events: &[(i64, u32)]) -> Sketch {
    let mut sketch = Sketch::default();
    for (value, source) in events {
        sketch.add_event(KEPT.cells(Fixed(*value), &format!("s{source}")));
    }
    sketch
}

fn events() -> impl Strategy<Value = Vec<(i64, u32)>> {
    let value = prop_oneof![-2_000_000i64..200_000_000, Just(0), any::<i64>()];
    prop::collection::vec((value, 0u32..5_000), 1..400)
}

proptest! {
    #[test]
    fn neither_order_nor_grouping_nor_pieces_matter(
        mut events in events(),
        cuts in prop::collection::vec(0usize..400, 0..6),
        turn in 0usize..400,
    ) {
        let whole = of(&events);
        let turn = turn % events.len();
        events.rotate_left(turn);
        events.reverse();
        let mut merged = Sketch::default();
        let mut in_pieces = Sketch::default();
        let mut rest = events.as_slice();
        for cut in cuts {
            let (some, left) = rest.split_at(cut.min(rest.len()));
            rest = left;
            merged.merge(&of(some));
            of(some).pieces(|piece| piece.add_to(&mut in_pieces));
        }
        merged.merge(&of(rest));
        of(rest).pieces(|piece| piece.add_to(&mut in_pieces));
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(&in_pieces, &whole);
        prop_assert_eq!(merged.buckets().map(|(_, events)| events).sum::<u64>(), events.len() as u64);
    }

    #[test]
    fn quantiles_are_within_one_percent_of_the_value_at_their_rank(events in events()) {
        let sketch = of(&events);
        let mut values: Vec<i64> = events.iter().map(|(value, _)| *value).collect();
        values.sort_unstable();
        for percent in [1u64, 50, 90, 95, 99, 100] {
            let rank = (percent * values.len() as u64).div_ceil(100);
            let exact = i128::from(values[rank as usize - 1]);
            let mut upto = 0;
            let found = sketch.buckets().find(|(_, events)| {
                upto += events;
                upto >= rank
            });
            let found = i128::from(found.expect("a bucket").0.0);
            prop_assert!((found - exact).abs() * 100 <= exact.abs(), "p{} {} {}", percent, found, exact);
        }
    }
}

/// As `area_estimates` says it.
fn sources(sketch: &Sketch) -> f64 {
    let m = f64::from(registers::COUNT);
    let zeros = (m - sketch.registers().count() as f64) / m;
    let sigma = zeros + (1..24).map(|k: i32| zeros.powf(f64::from(k).exp2()) * f64::from(k - 1).exp2()).sum::<f64>();
    let rest: f64 = sketch.registers().map(|(_, rank)| (-f64::from(rank)).exp2()).sum();
    m * m / (2.0 * std::f64::consts::LN_2) / (m * sigma + rest)
}

/// Errors of the estimate at sizes over the whole range, many times each: the standard error is the stated one, with no bias
/// beyond it.
#[test]
fn the_number_of_sources_has_the_stated_error() {
    for size in [1u32, 10, 100, 2_000, 5_000, 12_000, 20_000, 100_000] {
        let runs = if size > 10_000 { 12 } else { 40 };
        let errors: Vec<f64> = (0..runs)
            .map(|run| {
                let mut sketch = Sketch::default();
                let name = |number: u32| format!("{run}/{number}");
                // Twice each: a source counts once.
                (0..2 * size)
                    .for_each(|number| sketch.add_event(std::iter::once(Cell::of_source(&name(number % size)))));
                sources(&sketch) / f64::from(size) - 1.0
            })
            .collect();
        let mean = errors.iter().sum::<f64>() / f64::from(runs);
        let square = errors.iter().map(|error| error * error).sum::<f64>() / f64::from(runs);
        assert!(square.sqrt() < 0.016_25 * 1.35, "{size}: {:.4} {errors:?}", square.sqrt());
        assert!(mean.abs() < 3.0 * 0.016_25 / f64::from(runs).sqrt(), "{size}: biased by {mean:.4}");
    }
}

#[test]
fn a_sketch_is_small_where_little_happened() {
    let sketch = of(&[(1_000_000, 1), (1_000_001, 1), (1_000_000, 2)]);
    assert_eq!(sketch.cells().len(), 3, "one bucket, two registers");
    let distinct: BTreeSet<u16> = sketch.registers().map(|(register, _)| register).collect();
    assert_eq!(distinct.len(), 2);
    assert!(size_of::<crate::windows::Partial>() <= 112, "{}", size_of::<crate::windows::Partial>());
}
