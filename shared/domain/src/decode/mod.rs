//! From a message's bytes to an observation or a report, or to one reason why not.
//!
//! Knows the contract's JSON and Protobuf and, for mapped topics, an integrator's own shape (see [`crate::mapping`]). Knows
//! nothing of Kafka but the name of a content type.
//!
//! * `DEC-1` the fast path and the slow path give the same answer: the fast one either reads a message exactly as the slow
//!   one would, or leaves it to the slow one. Every reason comes from the slow one.
//! * `DEC-2` a number is what `str::parse::<f64>` makes of its digits; a value is [`Fixed::from_f64`](crate::value::Fixed)
//!   of that.
//! * `DEC-3` a position that comes out is WGS-84.

mod admit;
#[cfg(test)]
mod agreement;
pub(crate) mod check;
mod content_type;
mod fast;
mod owned;
mod protobuf;
mod report;
mod scan;
pub(crate) mod tree;

pub use admit::{Admission, FUTURE_MS, admit};
pub use check::{MAX_ATTRIBUTE, MAX_DESCRIPTION, MAX_ENTRIES, MAX_ID, MAX_MEDIA, MAX_NAME};
pub use content_type::{Encoding, content_type};
pub use owned::observation_of;
pub use protobuf::protobuf_of;
pub use report::report_of;
pub(crate) use report::{channel_of, class_kind_of};

use crate::{
    crs::Crs,
    mapping::{Mapped, Mapping, Target},
    observation::ObservationRef,
    reject::{Code, Reason},
    report::Report,
};
use std::sync::Arc;

/// Longest message read, in bytes.
pub const MAX_MESSAGE: usize = 1024 * 1024;

/// Reads the messages of one topic. Cheap to clone; shared between threads.
#[derive(Clone, Debug)]
pub struct Decoder {
    default_crs: Crs,
    mapping: Option<Arc<Mapping>>,
    target: Target,
}

impl Decoder {
    /// For topics that hold the contract's observations.
    pub fn observations() -> Self {
        Self { default_crs: Crs::default(), mapping: None, target: Target::Observations }
    }

    /// For topics that hold the contract's reports.
    pub fn reports() -> Self {
        Self { default_crs: Crs::default(), mapping: None, target: Target::Reports }
    }

    /// For topics that hold an integrator's own messages.
    pub fn mapped(mapping: Mapping) -> Self {
        Self { default_crs: mapping.crs(), target: mapping.target(), mapping: Some(Arc::new(mapping)) }
    }

    /// The same decoder with another reference system for positions whose message names none.
    #[must_use]
    pub fn with_default_crs(mut self, crs: Crs) -> Self {
        self.default_crs = crs;
        self
    }

    /// The reference system of positions whose message names none, where the feed has none of its own.
    pub fn default_crs(&self) -> Crs {
        self.default_crs
    }

    /// Whether messages become observations or reports.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Reads an observation. A record without payload is read as an empty one. A decoder of reports refuses.
    pub fn observation<'a>(&self, payload: &'a [u8]) -> Result<ObservationRef<'a>, Reason> {
        self.observation_in(payload, self.default_crs)
    }

    /// Like [`Self::observation`], with the feed's own default reference system. A mapping's own system goes before both.
    #[inline]
    pub fn observation_in<'a>(&self, payload: &'a [u8], default_crs: Crs) -> Result<ObservationRef<'a>, Reason> {
        self.observation_as(Encoding::Json, payload, default_crs)
    }

    /// Like [`Self::observation_in`], for a message written in any way.
    #[inline]
    pub fn observation_as<'a>(
        &self,
        encoding: Encoding,
        payload: &'a [u8],
        default_crs: Crs,
    ) -> Result<ObservationRef<'a>, Reason> {
        let mut observation = ObservationRef::empty();
        self.observation_over((encoding, default_crs), payload, &mut observation).map(|()| observation)
    }

    /// Like [`Self::observation_as`], over an observation that is no longer needed: it is large, and moving it costs as much
    /// as reading it. After an error it means nothing.
    #[inline]
    pub fn observation_over<'a>(
        &self,
        (encoding, default_crs): (Encoding, Crs),
        payload: &'a [u8],
        out: &mut ObservationRef<'a>,
    ) -> Result<(), Reason> {
        if encoding == Encoding::Protobuf {
            self.takes_protobuf()?;
            let bytes = sized(payload)?;
            if protobuf::fill(bytes, default_crs, out).is_none() {
                *out = protobuf::observation(bytes, default_crs)?;
            }
            return Ok(());
        }
        let text = text_of(payload)?;
        if self.mapping.is_some() || self.target == Target::Reports {
            *out = self.mapped_observation(text, default_crs)?;
        } else if fast::fill(text, default_crs, out).is_none() {
            *out = tree::observation(text, default_crs)?;
        }
        Ok(())
    }

    #[inline]
    fn takes_protobuf(&self) -> Result<(), Reason> {
        if self.mapping.is_none() && self.target == Target::Observations {
            return Ok(());
        }
        Err(Reason::new(Code::UnsupportedEncoding, "", "Protobuf is read in observations of the contract only"))
    }

    #[cold]
    fn mapped_observation<'a>(&self, text: &str, default_crs: Crs) -> Result<ObservationRef<'a>, Reason> {
        let Some(mapping) = &self.mapping else { return Err(not_here("reports, not observations")) };
        match mapping.map_message(text)? {
            Mapped::Observation(observation) => {
                observation_of(observation, default_crs).map_err(|reason| mapping.naming(reason))
            }
            Mapped::Report(_) => Err(not_here("reports, not observations")),
        }
    }

    /// Reads a report; its position is WGS-84 and its `crs` is `None`. A decoder of observations refuses.
    pub fn report(&self, payload: &[u8]) -> Result<Report, Reason> {
        self.report_in(payload, self.default_crs)
    }

    /// Like [`Self::report`], with the feed's own default reference system.
    pub fn report_in(&self, payload: &[u8], default_crs: Crs) -> Result<Report, Reason> {
        self.report_as(Encoding::Json, payload, default_crs)
    }

    /// Like [`Self::report_in`], for a message written in any way; reports come in JSON only.
    pub fn report_as(&self, encoding: Encoding, payload: &[u8], default_crs: Crs) -> Result<Report, Reason> {
        if encoding == Encoding::Protobuf {
            self.takes_protobuf()?;
        }
        let text = text_of(payload)?;
        if let Some(mapping) = &self.mapping {
            return match mapping.map_message(text)? {
                Mapped::Report(report) => report_of(*report, default_crs).map_err(|reason| mapping.naming(reason)),
                Mapped::Observation(_) => Err(not_here("observations, not reports")),
            };
        }
        match self.target {
            Target::Reports => report::read(text, default_crs),
            Target::Observations => Err(not_here("observations, not reports")),
        }
    }
}

fn not_here(detail: &str) -> Reason {
    Reason::new(Code::WrongType, "", format!("this topic holds {detail}"))
}

/// The payload, when there is one and it is not too long.
#[inline]
fn sized(payload: &[u8]) -> Result<&[u8], Reason> {
    if payload.len() > MAX_MESSAGE {
        let detail = format!("the message is {} bytes long; at most {MAX_MESSAGE} are allowed", payload.len());
        return Err(Reason::new(Code::TooLarge, "", detail));
    }
    if payload.is_empty() {
        return Err(Reason::new(Code::EmptyPayload, "", "the record has no value"));
    }
    Ok(payload)
}

/// The payload as text, once and for all.
#[inline]
pub(crate) fn text_of(payload: &[u8]) -> Result<&str, Reason> {
    let bytes = sized(payload)?;
    // The fast one does not say where.
    simdutf8::basic::from_utf8(bytes)
        .or_else(|_| std::str::from_utf8(bytes))
        .map_err(|error| Reason::new(Code::NotUtf8, "", format!("not UTF-8 at byte {}", error.valid_up_to())))
}
