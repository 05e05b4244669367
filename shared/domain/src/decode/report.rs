//! Reports: read field by field, then held to the contract's limits. Not a hot path; a report is rare beside observations.

use super::{check, tree, tree::Fields};
use crate::{
    class::{ClassKind, ClassRef},
    crs::Crs,
    json::Node,
    observation::Position,
    reject::Reason,
    report::{Channel, Report, VideoEvidence},
};
use std::{borrow::Cow, collections::BTreeMap};

/// Reads a report, or says why not.
pub(super) fn read(text: &str, default_crs: Crs) -> Result<Report, Reason> {
    let mut fields = Fields::of_message(text)?;
    let crs = fields.crs(default_crs)?;
    let text_of = |found: Option<Cow<'_, str>>| found.map(Cow::into_owned);
    let report = Report {
        id: fields.required("id", check::MAX_ID)?.into_owned(),
        channel: channel(&mut fields)?,
        class: class(&mut fields)?,
        time: fields.time()?,
        position: fields.position("position", "position", crs)?,
        crs: None,
        area: text_of(fields.text("area")?),
        description: text_of(fields.text("description")?).unwrap_or_default(),
        attributes: owned(fields.attributes()?),
        component_id: text_of(fields.text("component_id")?),
        media: media(&mut fields)?,
        reporter_ref: text_of(fields.text("reporter_ref")?),
        external_id: text_of(fields.text("external_id")?),
        video: video(&mut fields, crs)?,
    };
    report_of(report, Crs::Wgs84)
}

/// Holds a report to the limits, whoever built it; afterwards its positions are WGS-84 and its `crs` is `None`.
pub fn report_of(mut report: Report, default_crs: Crs) -> Result<Report, Reason> {
    let crs = report.crs.take().unwrap_or(default_crs);
    check::line("id", &report.id, check::MAX_ID)?;
    check::line("class.catalogue", &report.class.catalogue, check::MAX_NAME)?;
    check::line("class.code", &report.class.code, check::MAX_NAME)?;
    check::time(report.time)?;
    if let Some(position) = report.position {
        report.position = Some(check::position("position", position, crs)?);
    }
    let references = [
        ("area", &report.area),
        ("component_id", &report.component_id),
        ("reporter_ref", &report.reporter_ref),
        ("external_id", &report.external_id),
    ];
    for (field, text) in references {
        text.as_ref().map_or(Ok(()), |text| check::line(field, text, check::MAX_ID))?;
    }
    check::longest("description", &report.description, check::MAX_DESCRIPTION)?;
    check::count("attributes", report.attributes.len(), check::MAX_ENTRIES)?;
    for (name, text) in &report.attributes {
        let path = format!("attributes.{name}");
        check::name(&path, name)?;
        check::longest(&path, text, check::MAX_ATTRIBUTE)?;
    }
    check::count("media", report.media.len(), check::MAX_MEDIA)?;
    for (at, hash) in report.media.iter().enumerate() {
        if hash.len() != 64 || !hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(check::invalid(&format!("media[{at}]"), "is not a SHA-256 in lower-case hex"));
        }
    }
    if let Some(video) = &mut report.video {
        check_video(video, crs)?;
    }
    Ok(report)
}

fn check_video(video: &mut VideoEvidence, crs: Crs) -> Result<(), Reason> {
    check::line("video.camera", &video.camera, check::MAX_ID)?;
    check::line("video.algorithm", &video.algorithm, check::MAX_ID)?;
    video.track.as_ref().map_or(Ok(()), |track| check::line("video.track", track, check::MAX_ID))?;
    if !(0.0..=1.0).contains(&video.confidence) {
        return Err(check::invalid("video.confidence", "must lie between 0 and 1"));
    }
    if let Some(target) = video.target {
        video.target = Some(check::position("video.target", target, crs)?);
    }
    Ok(())
}

/// A channel by name.
pub(crate) fn channel_of(name: &str) -> Option<Channel> {
    Some(match name {
        "officer" => Channel::Officer,
        "hotline" => Channel::Hotline,
        "citizen" => Channel::Citizen,
        "video" => Channel::Video,
        "patrol" => Channel::Patrol,
        "sensor" => Channel::Sensor,
        _ => return None,
    })
}

/// A class kind by name.
pub(crate) fn class_kind_of(name: &str) -> Option<ClassKind> {
    match name {
        "component" => Some(ClassKind::Component),
        "event" => Some(ClassKind::Event),
        _ => None,
    }
}

fn channel(fields: &mut Fields<'_>) -> Result<Channel, Reason> {
    let name = fields.required("channel", check::MAX_NAME)?;
    channel_of(&name).ok_or_else(|| {
        check::invalid("channel", format!("`{name}` is none of officer, hotline, citizen, video, patrol, sensor"))
    })
}

fn class(fields: &mut Fields<'_>) -> Result<ClassRef, Reason> {
    let mut class = fields.object("class")?.ok_or_else(|| check::missing("class"))?;
    let catalogue = class.required("catalogue", check::MAX_NAME)?.into_owned();
    let kind = class.required("kind", check::MAX_NAME)?;
    let kind = class_kind_of(&kind)
        .ok_or_else(|| check::invalid("class.kind", format!("`{kind}` is neither component nor event")))?;
    Ok(ClassRef { catalogue, kind, code: class.required("code", check::MAX_NAME)?.into_owned() })
}

fn owned(texts: tree::Texts<'_>) -> BTreeMap<String, String> {
    texts.into_iter().map(|(name, text)| (name.into_owned(), text.into_owned())).collect()
}

fn media(fields: &mut Fields<'_>) -> Result<Vec<String>, Reason> {
    let items = match fields.take("media")? {
        None => return Ok(Vec::new()),
        Some(Node::List(items)) => items,
        Some(other) => return Err(tree::wrong("media", &other, "a list")),
    };
    let text = |(at, node): (usize, Node<'_>)| match node {
        Node::Text(hash) => Ok(hash.into_owned()),
        other => Err(tree::wrong(&format!("media[{at}]"), &other, "a text")),
    };
    items.into_iter().enumerate().map(text).collect()
}

fn video(fields: &mut Fields<'_>, crs: Crs) -> Result<Option<VideoEvidence>, Reason> {
    let Some(mut video) = fields.object("video")? else { return Ok(None) };
    let confidence = video.number("confidence")?.ok_or_else(|| check::missing("video.confidence"))?;
    Ok(Some(VideoEvidence {
        camera: video.required("camera", check::MAX_ID)?.into_owned(),
        target: target(&mut video, crs)?,
        confidence,
        algorithm: video.required("algorithm", check::MAX_ID)?.into_owned(),
        track: video.line("track", check::MAX_ID)?.map(Cow::into_owned),
    }))
}

fn target(video: &mut Fields<'_>, crs: Crs) -> Result<Option<Position>, Reason> {
    video.position("target", "video.target", crs)
}
