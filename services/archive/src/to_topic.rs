//! Rejects into their topic, until Kafka has acknowledged every one of them.

use crate::collect::ForTopic;
use anyhow::{Context, Result};
use gridwarden_bus::{BusError, Producer, rejects};
use gridwarden_domain::reject::Reject;
use gridwarden_runtime::health::Health;
use gridwarden_runtime::seeded::seeded;
use std::borrow::Cow;
use std::time::Duration;

/// Pause between attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// A topic that does not take a reject with this many bytes of its message is one to be told about.
const SHORTEST: usize = 1000;

/// Where rejects go.
pub(crate) struct ToTopic {
    pub(crate) producer: Producer,
}

/// A reject that is not acknowledged yet.
struct Waiting<'r> {
    of: &'r ForTopic,
    /// Bytes of its message it is sent with.
    kept: usize,
}

impl<'r> Waiting<'r> {
    fn new(of: &'r ForTopic) -> Self {
        Self { of, kept: of.length.min(rejects::MAX_KEPT) }
    }

    fn message(&self) -> Cow<'r, Reject> {
        if self.kept == self.of.length.min(rejects::MAX_KEPT) {
            Cow::Borrowed(&self.of.reject)
        } else {
            Cow::Owned(rejects::cut(self.of.reject.clone(), self.kept, self.of.length))
        }
    }

    /// With half of its message: the topic takes less than the table says.
    fn shorter(self) -> Self {
        Self { kept: self.kept / 2, ..self }
    }
}

impl ToTopic {
    /// Sends all of them; only what was not acknowledged is sent again.
    pub(crate) async fn send(&self, all: &[ForTopic], health: &Health) -> Result<()> {
        if seeded("unacknowledged-reject") {
            self.without_waiting(all);
            return Ok(());
        }
        let mut waiting: Vec<Waiting<'_>> = all.iter().map(Waiting::new).collect();
        while !waiting.is_empty() {
            let (left, trouble) = self.attempt(waiting).await?;
            waiting = left;
            if let Some(error) = trouble {
                tracing::warn!(%error, rejects = waiting.len(), "rejects were not acknowledged, will try again");
                health.set_part("rejects", false, "Kafka does not take rejects; reading waits");
                tokio::time::sleep(PAUSE).await;
            }
        }
        health.set_part("rejects", true, "");
        Ok(())
    }

    /// A bug on purpose: handed over, and whether they arrive is nobody's business.
    fn without_waiting(&self, all: &[ForTopic]) {
        let (producer, rejects) = (self.producer.clone(), all.iter().map(|of| of.reject.clone()).collect::<Vec<_>>());
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            for reject in rejects {
                rejects::submit(&producer, &reject).await.map(drop).ok();
            }
        });
    }

    /// What is still to be sent, and what stood in the way.
    async fn attempt<'r>(&self, waiting: Vec<Waiting<'r>>) -> Result<(Vec<Waiting<'r>>, Option<BusError>)> {
        let mut sent = Vec::with_capacity(waiting.len());
        for reject in waiting {
            let delivery = rejects::submit(&self.producer, &reject.message()).await;
            sent.push((reject, delivery));
        }
        let (mut left, mut trouble) = (Vec::new(), None);
        for (reject, delivery) in sent {
            let outcome = match delivery {
                Ok(delivery) => delivery.await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(_) => {}
                Err(BusError::TooLarge { .. }) if reject.kept > SHORTEST => left.push(reject.shorter()),
                Err(error) if error.is_transient() => {
                    left.push(reject);
                    trouble = Some(error);
                }
                Err(error) => return Err(error).context("rejects cannot be written to their topic"),
            }
        }
        Ok((left, trouble))
    }
}
