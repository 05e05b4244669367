//! What the wire format is, byte for byte: a checkpoint that was written must be read for as long as its version is.
//! A test that fails here means a new [`FORMAT`](crate::checkpoint::FORMAT), not a new golden file.

use super::*;
use crate::{
    intake::SeenId,
    rules::together::{Saved, SavedState, Spot},
    together::{Sighting, Waiting, What},
    windows::{Aggregate, At, sketch::Cell},
};
use gridwarden_domain::value::Fixed;
use serde::{Deserialize, Serialize};
use smallvec::smallvec;
use std::fmt::Debug;

fn names() -> Names {
    Names {
        topics: vec!["observations.v1".to_owned(), "reports.v1".to_owned()],
        parts: vec![(0, 0), (0, 1), (1, 0)],
        feeds: vec![String::new(), "past".to_owned()],
        domains: vec![DomainForm { feed: 1, topic: 0, domain: 1 }],
        kinds: vec![KindForm { name: "air".to_owned(), count: 0, next: Some(2), values: vec![("pm25".to_owned(), 1)] }],
        areas: vec![AreaForm { layer: "grid".to_owned(), level: "cell".to_owned(), code: "310115".to_owned() }],
        rules: vec!["hot".to_owned()],
    }
}

fn partition() -> PartForm {
    PartForm {
        next: Some(1_234_567),
        appended: 1_780_000_000_123,
        feeds: vec![(1, -5, true)],
        reports: vec![(u64::MAX, 1_780_000_000_000)],
        reloads: Some(3),
        since: vec![1, 3],
        timers: vec![TimerForm { domain: 0, due: 1_780_000_020_000, entity: 7, slot: 1 }],
        entities: 2,
    }
}

fn entity() -> EntityForm {
    EntityForm {
        source: smallvec![b's', b'-', b'1'],
        kind: 2,
        home: 1,
        owed: true,
        feed: 0,
        time: 1_780_000_000_000,
        at: 281_474_976_710_661,
        appended: 1_780_000_000_050,
        position: Some((121.5, 31.25, Some(4.5))),
        areas: smallvec![3, 900],
        values: smallvec![(5, -12_500_000)],
        ids: vec![SeenId::from((0x0123_4567_89ab_cdef, 1_779_999_999_000))],
        next_id: 1,
        seen: 3,
        inside: smallvec![1],
        held: vec![
            HeldForm { slot: 0, phase: PhaseForm::Pending(1_780_000_000_000, 281_474_976_710_661) },
            HeldForm { slot: 1, phase: PhaseForm::Open(u128::MAX, 1, 1_780_000_000_000) },
        ],
    }
}

impl EntityForm {
    fn view<'e>(&'e self, values: &'e [(u32, Fixed)]) -> EntityView<'e> {
        EntityView {
            source: &self.source,
            kind: self.kind,
            home: self.home,
            owed: self.owed,
            feed: self.feed,
            time: self.time,
            at: self.at,
            appended: self.appended,
            position: self.position,
            areas: &self.areas,
            values,
            ids: &self.ids,
            next_id: self.next_id,
            seen: self.seen,
            inside: &self.inside,
            held: self.held.clone(),
        }
    }
}

fn windows() -> ShardForm {
    let mut sum = Aggregate::EMPTY;
    sum.add(-12_500_000, 1_780_000_000_000, At::new(1, 5));
    ShardForm {
        head: ShardHead { domains: 3, closed: 0b11, owed: 0b10, owed_minute: false },
        entries: vec![EntryForm {
            key: 0x0003_0001,
            dirty: 0b100,
            widths: [1, 0, 1, 0, 0, 0],
            cells: smallvec![sum, sum],
        }],
        sketches: vec![SketchForm {
            key: 0x0003_0000_0005,
            pane: 2,
            events: 300,
            cells: vec![Cell { place: 7, amount: 3 }, Cell { place: 8_875, amount: 300 }],
        }],
    }
}

fn spot(offset: i64, accuracy_m: Option<f32>) -> Spot {
    let (time, at) = (1_780_000_000_000, At::new(2, offset));
    Spot { time, at, appended: time + 50, position: [121.5, 31.25], accuracy_m, simulated: offset == 7 }
}

fn together() -> Vec<Saved> {
    let of =
        |slot, state| Saved { domain: 0, slot, sense: u64::MAX, since: 1_780_000_000_000, last: spot(7, None), state };
    vec![
        of(
            1,
            SavedState::Density(
                vec![("bike-1".to_owned(), spot(5, Some(4.5)), smallvec![3])],
                vec![(3, PhaseForm::Open(u128::MAX, 1, 1_780_000_000_000))],
            ),
        ),
        of(
            2,
            SavedState::Proximity(
                vec![("crew-7".to_owned(), spot(6, None), 2)],
                vec![("crew-7".to_owned(), "tanker-2".to_owned(), PhaseForm::Pending(-5, 281_474_976_710_661))],
            ),
        ),
        of(
            3,
            SavedState::Cluster(
                vec![("r1".to_owned(), spot(7, None), Some(0))],
                vec![(0, (1, 1, 1_780_000_000_000), vec!["r1".to_owned()], spot(7, None))],
            ),
        ),
    ]
}

fn waiting() -> Vec<Waiting> {
    let sighting = |what| Sighting { spot: spot(5, None), known: -1, domain: 1, to: 3, source: "s-1".into(), what };
    let sightings =
        vec![sighting(What::Observation(2, smallvec![(5, -12_500_000)])), sighting(What::Report("0301".into()))];
    vec![Waiting { domain: 1, reached: 1_780_000_000_000, sightings }]
}

fn check<T>(name: &'static str, form: &T, golden: &str)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug,
{
    let written = hex::encode(write(name, form));
    assert_eq!(written, golden.trim(), "{name} is written otherwise");
    let bytes = hex::decode(golden.trim()).expect("hex");
    assert_eq!(&read::<T>(name, &bytes).expect("read"), form, "{name} is read otherwise");
}

fn in_order() -> OrderedForm {
    let lane = LaneForm {
        reorder_s: 30,
        reloads: 2,
        since: vec![0, 2],
        timers: vec![TimerForm { domain: 0, due: 1_780_000_020_000, entity: 7, slot: 1 }],
        reached: vec![(0, 1_780_000_000_000)],
    };
    let kept = KeptForm {
        domain: 0,
        time: 1_780_000_000_001,
        at: 281_474_976_710_661,
        entity: 7,
        position: Some((121.5, 31.25, None)),
        values: smallvec![(5, -12_500_000)],
        simulated: true,
    };
    OrderedForm { lanes: vec![lane], kept: vec![kept] }
}

fn held_in_order() -> HeldForm {
    let held = vec![
        HeldForm { slot: 1, phase: PhaseForm::Way(5, [1, 2], Some(3)) },
        HeldForm { slot: 2, phase: PhaseForm::Told(u128::MAX, 3, 1_780_000_000_000, 90) },
    ];
    let state = StateForm { seen: 2, inside: smallvec![1], held };
    HeldForm { slot: u32::MAX - 1, phase: PhaseForm::Ordered(vec![(30, state)]) }
}

#[test]
fn version_4_is_read_and_written_as_it_was() {
    assert_eq!(crate::checkpoint::FORMAT, 4, "keep these, and add those of the new version");
    check("order", &in_order(), include_str!("golden/v4/order.hex"));
    check("held", &held_in_order(), include_str!("golden/v4/held.hex"));
    // As in version 3.
    check("rules", &together(), include_str!("golden/v3/rules.hex"));
    check("sightings", &waiting(), include_str!("golden/v3/sightings.hex"));
    // These are as they were in version 1.
    check("names", &names(), include_str!("golden/v1/names.hex"));
    check("partition", &partition(), include_str!("golden/v1/partition.hex"));
    let (form, golden) = (entity(), include_str!("golden/v1/entities.hex").trim());
    let values: Vec<(u32, Fixed)> = form.values.iter().map(|(metric, value)| (*metric, Fixed(*value))).collect();
    let written = write_items([Item::New(form.view(&values))].into_iter(), 0);
    assert_eq!(hex::encode(&written), golden, "entities are written otherwise");
    assert_eq!(read::<Vec<EntityForm>>("entities", &written).expect("read"), [form], "entities are read otherwise");
    // As in version 2.
    let (form, golden) = (windows(), include_str!("golden/v2/windows.hex").trim());
    assert_eq!(hex::encode(form.written()), golden, "windows are written otherwise");
    assert_eq!(ShardForm::read(&hex::decode(golden).expect("hex")).expect("read"), form, "windows are read otherwise");
}

#[test]
fn version_1_is_read_as_it_was() {
    let bytes = hex::decode(include_str!("golden/v1/windows.hex").trim()).expect("hex");
    assert_eq!(ShardForm::read(&bytes).expect("read"), ShardForm { sketches: Vec::new(), ..windows() });
}

#[test]
fn what_was_cut_off_is_refused() {
    let bytes = write("partition", &partition());
    for length in 0..bytes.len() {
        let cut = bytes.get(..length).expect("within");
        assert!(read::<PartForm>("partition", cut).is_err(), "cut at {length}");
    }
}
