//! Writing `rejects.v1`: original bytes, origin and reason. Used by `archive` alone.

use crate::{BusError, Delivery, Message, Producer, headers, topics};
use gridwarden_domain::reject::{Reason, Reject};

/// Most bytes of a message that are kept in its reject: what `rejects.v1` takes, less what base64 and JSON add.
pub const MAX_KEPT: usize = 12_000_000;
/// Most bytes of a message's key, and of each of its headers, that are kept in its reject in the topic.
pub const MAX_KEPT_BESIDE: usize = 4096;
/// The headers that say how a message is read; they are kept, and sent along when it is sent again.
pub const KEPT_HEADERS: [&str; 3] = [headers::FEED, headers::CONTENT_TYPE, headers::SIMULATED];
/// Longest sentence of a reason.
const MAX_DETAIL: usize = 300;

/// Key of a reject: its origin as `topic id/partition/offset`, so that a repeat lands beside the first.
pub fn key(reject: &Reject) -> String {
    reject.origin.to_string()
}

/// Queues a reject, waiting while the queue is full; the acknowledgement is awaited on its own.
pub async fn submit(producer: &Producer, reject: &Reject) -> Result<Delivery, BusError> {
    let payload = serde_json::to_vec(reject)
        .map_err(|error| BusError::Settings(format!("a reject cannot be written as JSON: {error}")))?;
    let key = key(reject);
    let message =
        Message { topic: topics::REJECTS, key: Some(key.as_bytes()), payload: Some(&payload), ..Message::default() };
    producer.submit(&message).await
}

/// Writes a reject and waits until Kafka has it.
pub async fn send(producer: &Producer, reject: &Reject) -> Result<(i32, i64), BusError> {
    submit(producer, reject).await?.await
}

/// The same reject with `kept` bytes of its message at most, and a reason that says so. `length` is the message's.
pub fn cut(mut reject: Reject, kept: usize, length: usize) -> Reject {
    if kept < length {
        // Four digits hold three bytes.
        reject.payload_base64.truncate(kept / 3 * 4);
        let note = format!(" (the first {} of {length} bytes are kept here)", kept / 3 * 3);
        let said = Reason::new(reject.reason.code, "", whole(&reject.reason.detail, MAX_DETAIL - note.len()));
        reject.reason.detail = said.detail + &note;
    }
    reject
}

/// `text` up to a character that ends within `longest` bytes, without a note of an earlier cut.
fn whole(text: &str, longest: usize) -> &str {
    let text = text.split(" (the first ").next().unwrap_or_default();
    let end = (0..=longest.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::identity::{RecordId, TopicId};
    use gridwarden_domain::reject::Code;

    fn reject(detail: &str, digits: usize) -> Reject {
        Reject {
            origin: RecordId { topic_id: TopicId(u128::MAX), partition: i32::MAX, offset: i64::MAX },
            again: Some(RecordId { topic_id: TopicId(u128::MAX), partition: i32::MAX, offset: i64::MAX }),
            topic: "t".repeat(249),
            reason: Reason::new(Code::UnsupportedEncoding, "f".repeat(200), detail),
            appended_at: i64::MIN,
            first_seen: i64::MIN,
            key_base64: Some("A".repeat(MAX_KEPT_BESIDE.div_ceil(3) * 4)),
            headers_base64: KEPT_HEADERS
                .map(|name| (name.to_owned(), "A".repeat(MAX_KEPT_BESIDE.div_ceil(3) * 4)))
                .into(),
            payload_base64: "A".repeat(digits),
        }
    }

    #[test]
    fn the_longest_reject_fits_into_its_topic() {
        let spec = topics::table().into_iter().find(|spec| spec.name == topics::REJECTS).expect("the topic");
        let cut = cut(reject(&"\"".repeat(300), 40_000_000), MAX_KEPT, 30_000_000);
        let length = serde_json::to_vec(&cut).expect("JSON").len();
        // Kafka's own frame of a record and its batch is below 200 bytes, and the key below 100.
        assert!(length + 300 < spec.max_message_bytes.expect("a limit") as usize, "{length}");
    }

    #[test]
    fn a_cut_is_told_and_what_fits_is_left_alone() {
        let short = reject("no JSON", 400);
        assert_eq!(cut(short.clone(), 300, 300), short);
        let once = cut(short.clone(), 100, 300);
        assert_eq!(once.payload_base64.len(), 132);
        assert_eq!(once.reason.detail, "no JSON (the first 99 of 300 bytes are kept here)");
        assert!(cut(reject("x", 400), 300, 301).reason.detail.ends_with("300 of 301 bytes are kept here)"));
        let twice = cut(once, 50, 300);
        assert_eq!(twice.reason.detail, "no JSON (the first 48 of 300 bytes are kept here)");
        let long = cut(reject(&"数".repeat(100), 400), 100, 300);
        assert!(
            long.reason.detail.len() <= 300 && long.reason.detail.ends_with("kept here)"),
            "{}",
            long.reason.detail
        );
    }
}
