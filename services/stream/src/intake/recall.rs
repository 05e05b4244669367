//! What an archived record said: the archive's row is another encoding of the message, already checked and rounded.

use super::reading::Said;
use gridwarden_domain::{
    class::{ClassKind, ClassRef},
    observation::ObservationRef,
    reject::{Code, Reason},
    report::{Channel, Report},
    value::Fixed,
};
use gridwarden_store::read::{LogObservation, LogReport, LogSaid};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Reads a row over an observation that has had its turn.
pub(super) fn recall<'a>(row: &'a [u8], observation: &mut ObservationRef<'a>) -> Result<Said<'a>, Reason> {
    let damaged = || Reason::new(Code::Malformed, "", "its row in the archive cannot be read");
    match LogSaid::read(row).ok_or_else(damaged)? {
        LogSaid::Observation(said) => {
            fill(said, observation)?;
            Ok(Said::Observation)
        }
        LogSaid::Report(said) => Ok(Said::Report(Box::new(report(&said)))),
        LogSaid::Reject(code) => {
            let code = Code::ALL.into_iter().find(|known| known.as_str() == code).unwrap_or(Code::Malformed);
            Err(Reason::new(code, "", "it was rejected when it was archived"))
        }
        LogSaid::Marker(feed) => Ok(Said::End(feed)),
        LogSaid::Repeat => Ok(Said::Repeat),
    }
}

fn fill<'a>(said: LogObservation<'a>, observation: &mut ObservationRef<'a>) -> Result<(), Reason> {
    observation.id = said.id.map(Cow::Borrowed);
    observation.source = Cow::Borrowed(said.source);
    observation.kind = Cow::Borrowed(said.kind);
    observation.time_ms = said.time_ms;
    observation.position = said.position;
    observation.values.clear();
    observation.attributes.clear();
    for (name, number) in said.values {
        let beyond = || Reason::new(Code::InvalidValue, "values", "a number in the archive is none a message can have");
        observation.values.push((Cow::Borrowed(name), Fixed::from_f64(number).ok_or_else(beyond)?));
    }
    Ok(())
}

/// What is decided by; the rest of a report stays in the archive.
fn report(said: &LogReport<'_>) -> Report {
    Report {
        id: said.id.to_owned(),
        channel: Channel::Hotline,
        class: ClassRef { catalogue: String::new(), kind: ClassKind::Event, code: said.class.to_owned() },
        time: said.time_ms,
        position: said.position,
        crs: None,
        area: said.area.map(str::to_owned),
        description: String::new(),
        attributes: BTreeMap::new(),
        component_id: None,
        media: Vec::new(),
        reporter_ref: None,
        external_id: None,
        video: None,
    }
}
