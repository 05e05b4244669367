//! Looking ahead: an entity, a square of the raster and a sum lie anywhere in hundreds of megabytes. Waiting for each when its
//! record's turn has come took half of a worker's time; asked for together, memory brings them together.
//!
//! `AHD-1` looking ahead changes nothing: what it finds is only asked for, and found again when the turn has come.

use super::{Mind, PartState, Reading, reading::Said};
use crate::{
    intern::{Entity, View},
    rules::Book,
    windows::AHEAD,
};
use gridwarden_domain::locate::{Layer, Place};
use gridwarden_geo::{Ahead, fence::STEPS};
use smallvec::SmallVec;

/// What a record will ask for, as far as it is known.
struct Looking<'a> {
    entity: Option<&'a Entity>,
    /// In the first layer alone: the others are small beside it.
    ground: Option<(&'a View, &'a Layer)>,
    found: Found,
    shapes: Option<(&'a Book, Ahead)>,
}

/// Where on the ground.
#[derive(Clone, Copy)]
enum Found {
    /// In this square.
    Square(Ahead),
    /// In a square that an outline passes.
    Border(Ahead),
    /// In the area of this place.
    Area(u32),
}

impl<'a> Looking<'a> {
    /// Asks for what is found without a look at anything else.
    fn begin(part: &'a PartState, reading: &Reading<'_>) -> Self {
        let entity = reading.guess.and_then(|number| part.entities.ask(number));
        let position = reading.observation.position;
        let ground = part.view.as_deref().and_then(|view| Some((view, &**view.set.layers.first()?)));
        let ground = ground.filter(|_| position.is_some());
        let square = position.zip(ground).map(|(position, (_, layer))| layer.ask(position.lon, position.lat));
        let book = part.rules.as_ref().map(|rules| &**rules.book()).filter(|book| book.has_fences);
        let shapes = position.zip(book).map(|(at, book)| (book, book.ask_shapes([at.lon, at.lat])));
        Self { entity, ground, found: Found::Square(square.unwrap_or_default()), shapes }
    }

    /// Asks for what comes behind what was asked for before.
    fn next(&mut self, step: u8) {
        if let Some(entity) = self.entity.take() {
            entity.ask_apart();
        }
        if let Some((view, layer)) = self.ground {
            match self.found {
                Found::Square(asked) => match layer.likely(asked) {
                    Some(area) => self.found = Found::Area(view.ask(Place { layer: 0, area })),
                    None => self.found = Found::Border(layer.ask_border(asked)),
                },
                Found::Border(asked) => {
                    layer.ask_edges(asked);
                    self.ground = None;
                }
                Found::Area(place) => {
                    view.ask_above(place);
                    self.ground = None;
                }
            }
        }
        if let Some((book, asked)) = &mut self.shapes {
            *asked = book.ask_shapes_next(step, *asked);
        }
    }
}

impl Mind {
    /// Asks for what these records will look at, step by step: what comes later in the chain is found through what came before.
    pub(super) fn look_ahead(&self, parts: &[Option<Box<PartState>>], readings: &mut [Reading<'_>]) {
        let mut all: SmallVec<[Looking<'_>; AHEAD]> = SmallVec::new();
        for reading in readings.iter_mut().filter(|reading| matches!(reading.said, Ok(Said::Observation))) {
            let Some(Some(part)) = parts.get(usize::from(reading.record.part)) else { continue };
            reading.kind = self.kinds.known(&reading.observation.kind);
            let kind = reading.kind.and_then(|here| self.kinds.get(here)).map(|kind| kind.number);
            reading.guess = kind.and_then(|kind| part.entities.guess(&reading.observation.source, kind));
            all.push(Looking::begin(part, reading));
        }
        for step in 0..STEPS {
            all.iter_mut().for_each(|looking| looking.next(step));
        }
    }
}
