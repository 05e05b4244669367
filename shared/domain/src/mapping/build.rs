//! From found texts to an observation or a report.

use super::{Mapped, Mapping, Target, path::Input};
use crate::{
    class::{ClassKind, ClassRef},
    crs::Crs,
    decode::{channel_of, check, class_kind_of},
    observation::{Observation, Position},
    reject::Reason,
    report::{Channel, Report, VideoEvidence},
};
use std::collections::BTreeMap;

impl Mapping {
    /// Maps one message or row. Limits are checked by the caller.
    pub(super) fn build(&self, input: Input<'_>) -> Result<Mapped, Reason> {
        match self.target {
            Target::Observations => self.observation(input).map(Mapped::Observation),
            Target::Reports => self.report(input).map(Box::new).map(Mapped::Report),
        }
    }

    fn observation(&self, input: Input<'_>) -> Result<Observation, Reason> {
        Ok(Observation {
            id: self.text("id", input)?,
            source: self.required("source", input)?,
            kind: self.required("kind", input)?,
            time: self.time(input)?,
            position: self.position("position", input)?,
            crs: self.crs_of(input)?,
            values: self.values(input)?,
            attributes: self.attributes(input)?,
        })
    }

    fn report(&self, input: Input<'_>) -> Result<Report, Reason> {
        Ok(Report {
            id: self.required("id", input)?,
            channel: self.channel(input)?,
            class: ClassRef {
                catalogue: self.required("class.catalogue", input)?,
                kind: self.class_kind(input)?,
                code: self.required("class.code", input)?,
            },
            time: self.time(input)?,
            position: self.position("position", input)?,
            crs: self.crs_of(input)?,
            area: self.text("area", input)?,
            description: self.text("description", input)?.unwrap_or_default(),
            attributes: self.attributes(input)?,
            component_id: self.text("component_id", input)?,
            media: Vec::new(),
            reporter_ref: self.text("reporter_ref", input)?,
            external_id: self.text("external_id", input)?,
            video: self.video(input)?,
        })
    }

    fn text(&self, name: &str, input: Input<'_>) -> Result<Option<String>, Reason> {
        let found = self.fields.get(name).map(|field| field.text(name, input)).transpose()?;
        Ok(found.flatten().map(std::borrow::Cow::into_owned))
    }

    fn required(&self, name: &str, input: Input<'_>) -> Result<String, Reason> {
        self.text(name, input)?.ok_or_else(|| self.naming(check::missing(name)))
    }

    fn number(&self, name: &str, input: Input<'_>) -> Result<Option<f64>, Reason> {
        Ok(self.fields.get(name).map(|field| field.number(name, input)).transpose()?.flatten())
    }

    fn time(&self, input: Input<'_>) -> Result<i64, Reason> {
        let time = self.fields.get("time").map(|field| field.time("time", input)).transpose()?;
        time.flatten().ok_or_else(|| self.naming(check::missing("time")))
    }

    fn crs_of(&self, input: Input<'_>) -> Result<Option<Crs>, Reason> {
        match self.text("crs", input)? {
            Some(name) => check::crs(&name).map(Some).map_err(|reason| self.naming(reason)),
            None => Ok(self.crs),
        }
    }

    /// A position when both coordinates are there, none when both are missing.
    fn position(&self, place: &str, input: Input<'_>) -> Result<Option<Position>, Reason> {
        let [lon, lat, accuracy_m] = ["lon", "lat", "accuracy_m"].map(|name| format!("{place}.{name}"));
        match (self.number(&lon, input)?, self.number(&lat, input)?) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.naming(check::missing(&lat))),
            (None, Some(_)) => Err(self.naming(check::missing(&lon))),
            (Some(lon), Some(lat)) => {
                let accuracy_m = self.number(&accuracy_m, input)?.map(|metres| metres as f32);
                Ok(Some(Position { lon, lat, accuracy_m }))
            }
        }
    }

    fn values(&self, input: Input<'_>) -> Result<BTreeMap<String, f64>, Reason> {
        let mut values = BTreeMap::new();
        for (path, field) in &self.fields {
            let Some(name) = path.strip_prefix("values.") else { continue };
            if let Some(number) = field.number(path, input)? {
                values.insert(name.to_owned(), number);
            }
        }
        Ok(values)
    }

    fn attributes(&self, input: Input<'_>) -> Result<BTreeMap<String, String>, Reason> {
        let mut attributes = BTreeMap::new();
        for (path, field) in &self.fields {
            let Some(name) = path.strip_prefix("attributes.") else { continue };
            if let Some(text) = field.text(path, input)? {
                attributes.insert(name.to_owned(), text.into_owned());
            }
        }
        Ok(attributes)
    }

    fn channel(&self, input: Input<'_>) -> Result<Channel, Reason> {
        let name = self.required("channel", input)?;
        let unknown = || self.naming(check::invalid("channel", format!("`{name}` is not a channel")));
        channel_of(&name).ok_or_else(unknown)
    }

    fn class_kind(&self, input: Input<'_>) -> Result<ClassKind, Reason> {
        let name = self.required("class.kind", input)?;
        let unknown = || self.naming(check::invalid("class.kind", format!("`{name}` is neither component nor event")));
        class_kind_of(&name).ok_or_else(unknown)
    }

    fn video(&self, input: Input<'_>) -> Result<Option<VideoEvidence>, Reason> {
        let Some(camera) = self.text("video.camera", input)? else { return Ok(None) };
        let confidence = self.number("video.confidence", input)?;
        Ok(Some(VideoEvidence {
            camera,
            target: self.position("video.target", input)?,
            confidence: confidence.ok_or_else(|| self.naming(check::missing("video.confidence")))?,
            algorithm: self.required("video.algorithm", input)?,
            track: self.text("video.track", input)?,
        }))
    }
}
