//! Numbers of areas, and versions of the layers seen through them.

use crate::{
    checkpoint::AreaForm,
    cluster::{Ask, Authority, Tail},
    shard::shard_of,
    windows::{Above, Lane, Tree},
};
use gridwarden_domain::{
    alert::AreaRef,
    locate::{Layer, LayerSet, Place},
};
use gridwarden_geo::ahead::{ask_for, ask_for_item};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Names of an area.
#[derive(Clone, Debug)]
pub(crate) struct AreaName {
    /// Layer id.
    pub(crate) layer: Arc<str>,
    /// Level id.
    pub(crate) level: Arc<str>,
    /// Code.
    pub(crate) code: Arc<str>,
    /// Number of the area above, in the version seen last.
    pub(crate) parent: Option<u32>,
}

impl AreaName {
    /// As alerts name it.
    pub(crate) fn area_ref(&self) -> AreaRef {
        AreaRef { layer: self.layer.to_string(), code: self.code.to_string() }
    }
}

/// The areas with these numbers and all above them, each once, from each leaf up.
pub(crate) fn with_above<'n>(names: &'n [AreaName], leaves: &[u32]) -> Vec<&'n AreaName> {
    let name = |number: u32| names.get(number as usize);
    let mut seen: SmallVec<[u32; 16]> = SmallVec::new();
    for leaf in leaves {
        for number in std::iter::successors(Some(*leaf), |number| name(*number)?.parent) {
            if !seen.contains(&number) {
                seen.push(number);
            }
        }
    }
    seen.into_iter().filter_map(name).collect()
}

/// (level, number) of areas that share layer and code.
type SameCode = SmallVec<[(Arc<str>, u32); 1]>;

#[derive(Default)]
struct Inner {
    list: Vec<AreaName>,
    layers: HashMap<Arc<str>, HashMap<Arc<str>, SameCode>>,
}

/// All areas of the process. An area is layer, level and code: the same in every version.
#[derive(Default)]
pub(crate) struct AreaNames {
    inner: RwLock<Inner>,
    /// Who gives out numbers, when this process does not.
    authority: Option<Authority>,
}

impl AreaNames {
    /// Looks at many names under one lock.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&[AreaName]) -> R) -> R {
        look(&self.read().list)
    }

    /// For saving: areas by number.
    pub(crate) fn saved(&self) -> Vec<AreaForm> {
        self.with(|names| names.iter().map(form).collect())
    }

    /// As they were saved, with the numbers they had.
    pub(crate) fn restored(saved: &[AreaForm]) -> Self {
        let mut inner = Inner::default();
        saved.iter().for_each(|form| inner.number_form(form));
        Self { inner: RwLock::new(inner), authority: None }
    }

    /// Learns the names of all areas up to this number, which may come from another process.
    pub(crate) fn learn_up_to(&self, number: u32) {
        let Some(authority) = &self.authority else { return };
        if self.with(|names| names.len() <= number as usize) {
            self.ask(authority, Vec::new());
        }
    }

    /// For another process: the areas behind the first `from`, with those that are wanted.
    pub(crate) fn tail(&self, from: u32, wanted: &[AreaForm]) -> Vec<AreaForm> {
        if !wanted.is_empty() {
            let mut inner = self.write();
            wanted.iter().for_each(|form| inner.number_form(form));
        }
        self.with(|names| names.iter().skip(from as usize).map(form).collect())
    }

    #[cold]
    fn ask(&self, authority: &Authority, wanted: Vec<AreaForm>) {
        let from = self.with(|names| names.len() as u32);
        if let Tail::Areas { from, areas } = authority.ask(Ask::Areas { from, wanted }) {
            let mut inner = self.write();
            let known = inner.list.len().saturating_sub(from as usize);
            areas.iter().skip(known).for_each(|form| inner.number_form(form));
        }
    }

    /// Has all areas of a layer numbered: first by what the other process has met already, which is most often all.
    fn learn_layer(&self, authority: &Authority, layer: &Layer) {
        for wants in [false, true] {
            let missing = self.missing(layer);
            if !missing.is_empty() {
                self.ask(authority, if wants { missing } else { Vec::new() });
            }
        }
    }

    fn missing(&self, layer: &Layer) -> Vec<AreaForm> {
        let inner = self.read();
        let level = |level: u8| layer.head.levels.get(usize::from(level)).map_or("", |level| level.id.as_str());
        let new = |area: &&gridwarden_domain::layer::Area| {
            let same = inner.layers.get(layer.head.layer.as_str()).and_then(|codes| codes.get(area.code.as_str()));
            !same.is_some_and(|same| same.iter().any(|(known, _)| **known == *level(area.level)))
        };
        let form = |area: &gridwarden_domain::layer::Area| AreaForm {
            layer: layer.head.layer.clone(),
            level: level(area.level).to_owned(),
            code: area.code.clone(),
        };
        layer.areas.iter().filter(new).map(form).collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers of the areas with this layer and code.
    pub(crate) fn find(&self, layer: &str, code: &str) -> SmallVec<[u32; 1]> {
        let inner = self.read();
        let same = inner.layers.get(layer).and_then(|codes| codes.get(code));
        same.map_or_else(SmallVec::new, |same| same.iter().map(|(_, number)| *number).collect())
    }

    fn number_layer(&self, layer: &Layer) -> Vec<u32> {
        if let Some(authority) = &self.authority {
            self.learn_layer(authority, layer);
        }
        let mut inner = self.write();
        let name: Arc<str> = layer.head.layer.as_str().into();
        let levels: Vec<Arc<str>> = layer.head.levels.iter().map(|level| level.id.as_str().into()).collect();
        let number = |area: &gridwarden_domain::layer::Area| {
            let level = levels.get(usize::from(area.level)).cloned().unwrap_or_else(|| "".into());
            inner.number(&name, &level, &area.code)
        };
        let numbers: Vec<u32> = layer.areas.iter().map(number).collect();
        for (number, above) in numbers.iter().zip(&layer.parent) {
            let parent = above.and_then(|above| numbers.get(above as usize).copied());
            if let Some(area) = inner.list.get_mut(*number as usize) {
                area.parent = parent;
            }
        }
        numbers
    }
}

fn form(name: &AreaName) -> AreaForm {
    AreaForm { layer: name.layer.to_string(), level: name.level.to_string(), code: name.code.to_string() }
}

impl Inner {
    fn number_form(&mut self, form: &AreaForm) {
        self.number(&form.layer.as_str().into(), &form.level.as_str().into(), &form.code);
    }

    fn number(&mut self, layer: &Arc<str>, level: &Arc<str>, code: &str) -> u32 {
        let codes = self.layers.entry(Arc::clone(layer)).or_default();
        let known = codes.get(code).and_then(|same| same.iter().find(|(known, _)| known == level));
        if let Some((_, number)) = known {
            return *number;
        }
        let number = self.list.len() as u32;
        let code: Arc<str> = code.into();
        codes.entry(Arc::clone(&code)).or_default().push((Arc::clone(level), number));
        self.list.push(AreaName { layer: Arc::clone(layer), level: Arc::clone(level), code, parent: None });
        number
    }
}

/// No area above.
const ROOT: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Seen {
    above: Above,
    parent: u32,
    /// Where in [`View::chains`] its own number stands, followed by those above.
    chain: u32,
    length: u8,
}

/// One version of all layers, with numbers. A *place* is an area's position in it.
pub(crate) struct View {
    /// The layers.
    pub(crate) set: Arc<LayerSet>,
    /// Where each layer's areas begin.
    bases: Vec<u32>,
    areas: Vec<Seen>,
    /// Numbers from each area up.
    chains: Vec<u32>,
}

impl View {
    fn new(set: &Arc<LayerSet>, names: &AreaNames) -> Self {
        let (mut bases, mut areas) = (Vec::new(), Vec::new());
        for layer in &set.layers {
            let base = areas.len() as u32;
            bases.push(base);
            let numbers = names.number_layer(layer);
            let mut of_level: HashMap<u8, usize> = HashMap::new();
            layer.areas.iter().for_each(|area| *of_level.entry(area.level).or_default() += 1);
            for ((area, parent), number) in layer.areas.iter().zip(&layer.parent).zip(numbers) {
                let shard = shard_of(&layer.head.layer, &area.code);
                let lane = Lane::of(of_level.get(&area.level).copied().unwrap_or(0));
                let above = Above { area: number, shard, level: area.level, lane };
                let parent = parent.map_or(ROOT, |parent| base + parent);
                areas.push(Seen { above, parent, chain: 0, length: 0 });
            }
        }
        let mut view = Self { set: Arc::clone(set), bases, areas, chains: Vec::new() };
        view.link();
        view
    }

    /// Lays down the chain of every area.
    fn link(&mut self) {
        for place in 0..self.areas.len() as u32 {
            let start = self.chains.len();
            let chain = self.up(place).filter_map(|place| self.area(place)).map(|above| above.area);
            let chain: SmallVec<[u32; 16]> = chain.take(usize::from(u8::MAX)).collect();
            self.chains.extend_from_slice(&chain);
            if let Some(seen) = self.areas.get_mut(place as usize) {
                (seen.chain, seen.length) = (start as u32, chain.len() as u8);
            }
        }
    }

    /// The place of an area.
    #[inline]
    pub(crate) fn place(&self, place: Place) -> u32 {
        self.bases.get(usize::from(place.layer)).copied().unwrap_or(0) + place.area
    }

    /// Asks for what stands of an area; its place, for [`View::ask_above`].
    #[inline]
    pub(crate) fn ask(&self, place: Place) -> u32 {
        let place = self.place(place);
        ask_for_item(&self.areas, place as usize);
        place
    }

    /// Asks for what stands of those above, once what [`View::ask`] asked for is there.
    #[inline]
    pub(crate) fn ask_above(&self, place: u32) {
        ask_for(self.chain(place));
    }

    /// The places of an area and of all above it.
    #[inline]
    pub(crate) fn up(&self, place: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(place), |place| self.parent(*place))
    }

    /// The numbers of an area and of all above it.
    #[inline]
    pub(crate) fn chain(&self, place: u32) -> &[u32] {
        let Some(seen) = self.areas.get(place as usize) else { return &[] };
        let start = seen.chain as usize;
        self.chains.get(start..start + usize::from(seen.length)).unwrap_or_default()
    }
}

impl Tree for View {
    #[inline]
    fn area(&self, place: u32) -> Option<Above> {
        self.areas.get(place as usize).map(|seen| seen.above)
    }

    #[inline]
    fn parent(&self, place: u32) -> Option<u32> {
        self.areas.get(place as usize).map(|seen| seen.parent).filter(|parent| *parent != ROOT)
    }
}

/// Views made so far, shared between workers.
#[derive(Default)]
pub(crate) struct Views {
    /// Names of all areas.
    pub(crate) names: AreaNames,
    made: Mutex<Vec<Arc<View>>>,
}

impl Views {
    /// None made yet, areas with the numbers they had.
    pub(crate) fn restored(areas: &[AreaForm]) -> Self {
        Self { names: AreaNames::restored(areas), made: Mutex::default() }
    }

    /// The same, with numbers given out by another process.
    pub(crate) fn asking(mut self, authority: Option<Authority>) -> Self {
        self.names.authority = authority;
        self
    }

    /// The view of a layer set, made by the first who asks.
    pub(crate) fn of(&self, set: &Arc<LayerSet>) -> Arc<View> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = made.iter().find(|view| Arc::ptr_eq(&view.set, set)) {
            return Arc::clone(view);
        }
        // Those nobody uses any more go.
        made.retain(|view| Arc::strong_count(view) > 1);
        let view = Arc::new(View::new(set, &self.names));
        made.push(Arc::clone(&view));
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(codes: &[&str]) -> Layer {
        use gridwarden_domain::layer::{Area, LayerHead, Level};
        let level = |id: &str| Level { id: id.to_owned(), name: Default::default() };
        let head = LayerHead {
            layer: "grid".to_owned(),
            title: Default::default(),
            levels: vec![level("city"), level("cell")],
            main: true,
            partition: false,
        };
        let area = |(place, code): (usize, &&str)| Area {
            code: (*code).to_owned(),
            level: u8::from(place > 0),
            name: Default::default(),
            parent: (place > 0).then(|| "C".to_owned()),
            valid_from: None,
            valid_to: None,
            priority: None,
            polygons: None,
        };
        Layer::build(head, String::new(), codes.iter().enumerate().map(area).collect()).expect("a layer")
    }

    #[test]
    fn two_processes_number_areas_alike_whoever_sees_a_layer_first() {
        let leads = Arc::new(AreaNames::default());
        let asked = Arc::clone(&leads);
        let authority = Authority::new(move |ask| match ask {
            Ask::Areas { from, wanted } => Tail::Areas { from, areas: asked.tail(from, &wanted) },
            other => panic!("{other:?}"),
        });
        let follows = AreaNames { authority: Some(authority), ..AreaNames::default() };
        let seen = follows.number_layer(&layer(&["C", "b", "a"]));
        assert_eq!(leads.number_layer(&layer(&["C", "x", "a"])), [seen[0], 3, seen[2]]);
        assert_eq!(follows.number_layer(&layer(&["C", "y", "x"])), [seen[0], 4, 3]);
        assert_eq!(leads.number_layer(&layer(&["C", "b", "y"])), [seen[0], seen[1], 4]);
        let new = leads.number_layer(&layer(&["C", "z"]))[1];
        follows.learn_up_to(new);
        assert_eq!(follows.with(|names| names[new as usize].code.to_string()), "z");
        assert_eq!(follows.with(|names| names[3].parent), Some(seen[0]), "its own version says what is above");
    }

    #[test]
    fn what_overlapping_areas_share_above_stands_once() {
        let name = |code: &str, parent| AreaName { layer: "l".into(), level: "x".into(), code: code.into(), parent };
        let names =
            [name("root", None), name("d", Some(0)), name("a", Some(1)), name("b", Some(1)), name("lone", None)];
        let found: Vec<&str> = with_above(&names, &[2, 3, 4, 9]).into_iter().map(|area| &*area.code).collect();
        assert_eq!(found, ["a", "d", "root", "b", "lone"]);
    }
}
