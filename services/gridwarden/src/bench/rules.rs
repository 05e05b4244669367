//! `gridwarden bench rules`: what a position costs as fences grow in number, beside an R-tree of fences, exact containment and a hash
//! map of who is inside.
//!
//! Both must say the same of every position that is compared; a difference fails the run.

use super::{median, result, tell};
use crate::{
    bench_geo::{Tree, containing, tree},
    output::progress,
};
use anyhow::{Result, ensure};
use gridwarden_domain::{
    rule::{Condition, Crossing, Fence, Rule, Severity, Shape},
    text::Text,
};
use gridwarden_geo::{metres_per_degree, offset_m};
use gridwarden_stream::crossings::Crossings;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::collections::HashMap;
use std::time::Instant;

/// Arguments.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RulesArgs {
    /// Numbers of fences
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1_000, 10_000, 50_000])]
    fences: Vec<usize>,
    /// Moving entities
    #[arg(long, default_value_t = 200_000)]
    entities: usize,
    /// Positions measured, and again for comparison
    #[arg(long, default_value_t = 2_000_000)]
    positions: usize,
    /// Seed of everything
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// South-west corner and size of the ground, in degrees and metres.
const CORNER: [f64; 2] = [121.0, 31.0];
const SIDE_M: f64 = 100_000.0;
/// Repetitions measured.
const REPETITIONS: usize = 3;
/// Memory of the index of fences, as the stream has it.
const SHAPES_MIB: usize = 96;

/// An entity's move.
type Move = (u32, [f64; 2]);

/// Measures and prints.
pub(crate) async fn run(args: RulesArgs) -> Result<()> {
    let config = json!({"entities": args.entities, "positions": args.positions, "seed": args.seed});
    let json = args.json;
    let figures = tokio::task::spawn_blocking(move || measure(&args)).await??;
    tell(&result(&config, figures), json)
}

fn measure(args: &RulesArgs) -> Result<serde_json::Value> {
    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    let walks = walks(args, &mut random);
    let (mut ours, mut others, mut crossings, mut differences) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for number in &args.fences {
        let rings: Vec<Vec<Vec<[f64; 2]>>> = (0..*number).map(|_| vec![outline(&mut random)]).collect();
        progress(&format!("{number} fences"));
        let rules = || (0..).zip(&rings).map(|(number, rings)| fence(number, rings)).collect::<Vec<Rule>>();
        let tree = tree(&rings);
        let ((per_s, crossed), (other_per_s, _)) = (
            speed(
                &walks,
                || Crossings::new(rules(), args.entities, SHAPES_MIB),
                |crossings, time, moves| {
                    let mut changes = 0;
                    crossings.look_at_all(time, moves, |_, _| changes += 1);
                    changes
                },
            ),
            speed(&walks, HashMap::new, |inside, _, moves| {
                moves.iter().map(|step| plain(&tree, inside, *step, |_, _| {})).sum()
            }),
        );
        ours.push((*number, per_s));
        others.push((*number, other_per_s));
        crossings.push((*number, crossed));
        differences += differ(&walks, Crossings::new(rules(), args.entities, SHAPES_MIB), &tree);
    }
    ensure!(differences == 0, "{differences} positions were judged otherwise than by the R-tree");
    let of = |wanted: usize| ours.iter().find(|(number, _)| *number == wanted).map(|(_, per_s)| *per_s);
    let growth = of(1_000).zip(of(50_000)).map(|(few, many)| few / many);
    Ok(json!({"fences": ours, "growth_50k_over_1k": growth, "rstar_positions_per_s": others,
            "crossings_per_position": crossings, "differences": differences}))
}

/// A position on the ground.
fn somewhere(random: &mut impl Rng) -> [f64; 2] {
    let [per_lon, per_lat] = metres_per_degree(CORNER[1]);
    let [east_m, north_m] = [(); 2].map(|()| random.random_range(0.0..SIDE_M));
    [CORNER[0] + east_m / per_lon, CORNER[1] + north_m / per_lat]
}

/// Where every entity is in turn: first each once, then at random, some metres on.
fn walks(args: &RulesArgs, random: &mut impl Rng) -> [Vec<Move>; 2] {
    let mut at: Vec<[f64; 2]> = (0..args.entities).map(|_| somewhere(random)).collect();
    let first = (0u32..).zip(at.iter().copied()).collect();
    let moved = (0..args.positions).filter_map(|_| {
        let entity = random.random_range(0..args.entities.max(1));
        let position = at.get_mut(entity)?;
        *position = offset_m(*position, random.random_range(0.0..360.0), random.random_range(5.0..60.0));
        Some((entity as u32, *position))
    });
    let moved = moved.collect();
    [first, moved]
}

/// The outline of a fence: eight to sixteen corners, some hundred metres wide.
fn outline(random: &mut impl Rng) -> Vec<[f64; 2]> {
    let centre = somewhere(random);
    let corners = random.random_range(8..=16);
    let radius = random.random_range(60.0..200.0);
    (0..corners)
        .map(|corner| {
            let bearing = 360.0 * f64::from(corner) / f64::from(corners);
            offset_m(centre, bearing, radius * random.random_range(0.6..1.0))
        })
        .collect()
}

fn fence(number: usize, rings: &[Vec<[f64; 2]>]) -> Rule {
    let fence = Fence { first_counts: true, ..Fence::new(Shape::Polygon(rings.to_vec()), Crossing::Enter) };
    let title = Text { en: "fence".to_owned(), zh: String::new() };
    Rule::new(number.to_string(), title, Severity::Minor, Condition::Fence(fence))
}

/// Positions a second, once everybody has been seen, and how many fences each of them enters and leaves.
fn speed<S>(
    walks: &[Vec<Move>; 2],
    fresh: impl Fn() -> S,
    mut take: impl FnMut(&mut S, i64, &[Move]) -> u64,
) -> (f64, f64) {
    let [first, moved] = walks;
    let (mut runs, mut changes) = (Vec::new(), 0);
    for _ in 0..REPETITIONS {
        let mut state = fresh();
        take(&mut state, 0, first);
        let begun = Instant::now();
        changes = take(&mut state, first.len() as i64, moved);
        runs.push(moved.len() as f64 / begun.elapsed().as_secs_f64());
    }
    (median(runs).unwrap_or_default(), changes as f64 / moved.len() as f64)
}

/// Who is inside of what.
type Inside = HashMap<u32, Vec<u32>>;

/// The obvious way; `said` is told which fences are entered (true) and left.
fn plain(tree: &Tree, inside: &mut Inside, (entity, position): Move, mut said: impl FnMut(u32, bool)) -> u64 {
    let mut now: Vec<u32> = containing(tree, position).collect();
    now.sort_unstable();
    let before = inside.get(&entity).map_or(&[][..], Vec::as_slice);
    let left = before.iter().filter(|fence| now.binary_search(fence).is_err()).map(|fence| (*fence, false));
    let come = now.iter().filter(|fence| before.binary_search(fence).is_err()).map(|fence| (*fence, true));
    let changes = left.chain(come).map(|(fence, entered)| said(fence, entered)).count();
    if now.is_empty() {
        inside.remove(&entity);
    } else {
        inside.insert(entity, now);
    }
    changes as u64
}

/// Positions of which the two say different things.
fn differ(walks: &[Vec<Move>; 2], mut crossings: Crossings, tree: &Tree) -> usize {
    let mut inside = Inside::new();
    let mut differences = 0;
    for (time, step) in (0..).zip(walks.iter().flatten()) {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        crossings.look(step.0, time, step.1, |rule, raised| one.push((rule.parse().unwrap_or(u32::MAX), raised)));
        plain(tree, &mut inside, *step, |fence, entered| other.push((fence, entered)));
        one.sort_unstable();
        other.sort_unstable();
        differences += usize::from(one != other);
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_say_the_same_and_every_figure_is_one() {
        let args = RulesArgs { fences: vec![0, 1_000, 50_000], entities: 500, positions: 5_000, seed: 3, json: true };
        let figures = measure(&args).expect("measured");
        assert_eq!(figures["differences"], 0);
        assert!(figures["growth_50k_over_1k"].as_f64().is_some_and(|growth| growth > 0.0), "{figures}");
        let crossings = figures["crossings_per_position"][2][1].as_f64();
        assert!(crossings.is_some_and(|of_each| of_each > 0.01 && of_each < 1.0), "{figures}");
        assert!(figures["fences"][2][1].as_f64().is_some_and(|per_s| per_s > 0.0), "{figures}");
    }
}
