//! What one viewer hears: server-sent events made from frames.

use super::{Frame, Hub, Share};
use crate::looks::Subject;
use axum::response::sse::Event;
use futures::stream::{self, Stream, StreamExt};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_stream::wrappers::BroadcastStream;
use utoipa::ToSchema;

type Said = Result<Event, Infallible>;

/// A sign of life, after everything else a tick had to tell: the live stream's event `tick`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tick {
    /// console's clock.
    pub now: i64,
    /// Since when ClickHouse does not answer: what is shown is as of then.
    pub away_since: Option<i64>,
}

fn event(name: &str, data: &str) -> Event {
    Event::default().event(name).data(data)
}

/// What a frame says to a viewer of `key`. The tick comes last: whoever hears it has heard the rest.
fn events(frame: &Frame, key: Option<&str>) -> Vec<Said> {
    let mut said = Vec::new();
    let mut say = |name: &str, data: Option<&str>| {
        if let Some(data) = data {
            said.push(Ok(event(name, data)));
        }
    };
    say("layers", frame.layers.then_some("{}"));
    say("entities", frame.entities.as_deref());
    say("values", key.and_then(|key| frame.values.get(key)).map(String::as_str));
    say("alerts", frame.alerts.as_deref());
    say("alerts_gap", frame.alerts_gap.then_some("{}"));
    say("kpi", frame.kpi.as_deref());
    say("freshness", frame.freshness.as_deref());
    say("storms", frame.storms.as_deref());
    let tick = Tick { now: frame.now, away_since: frame.away_since };
    say("tick", serde_json::to_string(&tick).ok().as_deref());
    said
}

/// The stream of one viewer; `None` when too many other subjects are watched. Listening begins before what is known is
/// taken, so nothing falls between.
pub fn of(hub: &Arc<Hub>, subject: Option<Subject>) -> Option<impl Stream<Item = Said> + Send + use<>> {
    let frames = BroadcastStream::new(hub.listen());
    let key = subject.as_ref().map(Subject::key);
    let (share, look): (Option<Share>, _) = match subject {
        Some(subject) => {
            let (share, look) = hub.watch(subject)?;
            (Some(share), look)
        }
        None => (None, None),
    };
    let mut first: Vec<Said> = Vec::new();
    let latest = hub.latest();
    for (name, data) in [("kpi", latest.kpi), ("freshness", latest.freshness), ("storms", latest.storms)] {
        first.extend(data.map(|data| Ok(event(name, &data))));
    }
    if let (Some(look), Some(key)) = (look, &key)
        && let Ok(data) = serde_json::to_string(&look.whole(key))
    {
        first.push(Ok(event("values", &data)));
    }
    let later = frames.flat_map(move |frame| {
        // The share lives as long as the stream.
        let _held = &share;
        stream::iter(match frame {
            Ok(frame) => events(&frame, key.as_deref()),
            // The viewer was too slow: what it missed is gone, it fetches anew.
            Err(_) => vec![Ok(event("gap", "{}"))],
        })
    });
    Some(stream::iter(first).chain(later))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_viewer_hears_its_own_values_and_the_tick_last() {
        let values = HashMap::from([("mine".to_owned(), "1".to_owned()), ("other".to_owned(), "2".to_owned())]);
        let frame = Frame { now: 5, values, alerts: Some("[]".into()), ..Frame::default() };
        assert_eq!(events(&frame, Some("mine")).len(), 3);
        assert_eq!(events(&frame, None).len(), 2);
        let frame = Frame { away_since: Some(4), ..frame };
        let last = format!("{:?}", events(&frame, None).pop());
        assert!(last.contains("tick") && last.contains("away_since"), "{last}");
    }

    #[tokio::test]
    async fn a_viewer_that_lags_is_told_so() {
        let hub = Arc::new(Hub::new(1, 8));
        let mut heard = Box::pin(of(&hub, None).expect("room"));
        for now in 0..3 {
            hub.tell(Frame { now, ..Frame::default() });
        }
        let first = format!("{:?}", heard.next().await);
        assert!(first.contains("gap"), "{first}");
    }
}
