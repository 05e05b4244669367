//! From a message's bytes to an observation or a report, or to one reason why not.
//!
//! Knows the contract's JSON and, for mapped topics, an integrator's own shape (see [`crate::mapping`]). Knows nothing of
//! Kafka but the name of a content type.
//!
//! * `DEC-1` the fast path and the slow path give the same answer: the fast one either reads a message exactly as the slow
//!   one would, or leaves it to the slow one. Every reason comes from the slow one.
//! * `DEC-2` a number is what `str::parse::<f64>` makes of its digits; a value is [`Fixed::from_f64`](crate::value::Fixed)
//!   of that.
//! * `DEC-3` a position that comes out is WGS-84.

mod admit;
mod content_type;

pub use admit::{Admission, FUTURE_MS, admit};
pub use content_type::{Encoding, content_type};

use crate::{
    crs::Crs,
    mapping::{Mapping, Target},
    observation::ObservationRef,
    reject::{Code, Reason},
    report::Report,
};

/// Longest message read, in bytes.
pub const MAX_MESSAGE: usize = 1024 * 1024;

/// Reads the messages of one topic. Cheap to clone; shared between threads.
#[derive(Clone, Debug)]
pub struct Decoder {
    default_crs: Crs,
    mapping: Option<std::sync::Arc<Mapping>>,
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
        Self { default_crs: mapping.crs(), target: mapping.target(), mapping: Some(std::sync::Arc::new(mapping)) }
    }

    /// The same decoder with another reference system for positions whose message names none.
    #[must_use]
    pub fn with_default_crs(mut self, crs: Crs) -> Self {
        self.default_crs = crs;
        self
    }

    /// Whether messages become observations or reports.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Reads an observation. A missing payload is read as an empty one. Asked of a decoder of reports, it refuses.
    pub fn observation<'a>(&self, payload: &'a [u8]) -> Result<ObservationRef<'a>, Reason> {
        self.observation_in(payload, self.default_crs)
    }

    /// Like [`Self::observation`], with the feed's own default reference system.
    pub fn observation_in<'a>(&self, payload: &'a [u8], default_crs: Crs) -> Result<ObservationRef<'a>, Reason> {
        let _ = (payload, default_crs);
        Err(Reason::new(Code::Malformed, "", "not read yet"))
    }

    /// Reads a report; its position is WGS-84 and its `crs` is `None`. Asked of a decoder of observations, it refuses.
    pub fn report(&self, payload: &[u8]) -> Result<Report, Reason> {
        self.report_in(payload, self.default_crs)
    }

    /// Like [`Self::report`], with the feed's own default reference system.
    pub fn report_in(&self, payload: &[u8], default_crs: Crs) -> Result<Report, Reason> {
        let _ = (payload, default_crs);
        Err(Reason::new(Code::Malformed, "", "not read yet"))
    }
}
