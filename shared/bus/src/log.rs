//! librdkafka's log lines as tracing events. The last failure is kept: an error code says that nobody answers, the log says
//! why (a certificate, a password, a port).

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::{ClientContext, config::RDKafkaLogLevel, error::KafkaError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The context of every client the bus makes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs {
    failure: Arc<Mutex<Option<String>>>,
}

impl Logs {
    /// Why the last connection failed, if one did.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Without the thread's name and how often the same was not said.
fn plain(message: &str) -> &str {
    let said = message.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(message, |(_, said)| said);
    said.rsplit_once(" (after ").map_or(said, |(said, _)| said)
}

/// syslog's numbers: the smaller the worse.
const ERROR: i32 = 3;
const NOTICE: i32 = 5;

/// A line of librdkafka's log. Its errors are connections that fail: it tries again by itself, so they are warnings here.
pub(crate) fn line(level: i32, facility: &str, message: &str) {
    if level <= ERROR {
        tracing::warn!(target: "librdkafka", facility, "{message}");
    } else if level <= NOTICE {
        tracing::info!(target: "librdkafka", facility, "{message}");
    } else {
        tracing::debug!(target: "librdkafka", facility, "{message}");
    }
}

/// Most lines and errors taken from a client at once.
const AT_ONCE: usize = 64;

/// Takes what a client has to say. Clients that only ask are never polled otherwise, and would keep it for ever.
pub(crate) fn listen(client: &BaseConsumer<Logs>) {
    for _ in 0..AT_ONCE {
        // Each call takes one; there are no messages, because nothing is assigned.
        drop(client.poll(Duration::ZERO));
    }
}

impl ClientContext for Logs {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let level = level as i32;
        if level <= ERROR {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(plain(message).to_owned());
        }
        line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Connections come and go; librdkafka retries by itself, so this is news, not failure.
        tracing::info!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for Logs {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failure_is_told_plainly() {
        let logs = Logs::default();
        assert_eq!(logs.failure(), None);
        let line = "[thrd:ssl://h:9092/bootstrap]: ssl://h:9092/bootstrap: SSL handshake failed: no peer certificate \
                    (after 3ms in state SSL_HANDSHAKE, 4 identical error(s) suppressed)";
        logs.log(RDKafkaLogLevel::Error, "FAIL", line);
        logs.log(RDKafkaLogLevel::Notice, "FAIL", "not this");
        let expected = "ssl://h:9092/bootstrap: SSL handshake failed: no peer certificate";
        assert_eq!(logs.clone().failure().as_deref(), Some(expected));
        assert_eq!(plain("something else"), "something else");
    }
}
