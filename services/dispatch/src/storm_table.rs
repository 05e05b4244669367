//! Storms to ClickHouse: what is new of each, as soon as ClickHouse takes it.
//!
//! `DSP-9` holds here too: the router notes how a storm stands and waits for nobody. While ClickHouse is away a newer stand takes an older
//! one's place, so what waits is bounded by the number of storms. What a crash loses is noted again: history is read again at each start,
//! and a row is a function of it (`DSP-10`, `DSP-11`).

use crate::metrics::Metrics;
use crate::storm::Stand;
use anyhow::Result;
use gridwarden_runtime::shutdown::Shutdown;
use gridwarden_store::rows::{StormRow, Storms};
use gridwarden_store::{Block, BlockWriter};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often new stands are written: those who look at a storm's numbers do not see a second.
const EVERY: Duration = Duration::from_secs(1);
/// Pause after an error that trying again at once cannot mend (a table that is not there yet).
const PAUSE: Duration = Duration::from_secs(5);

/// Storms on their way, by id.
#[derive(Debug, Default)]
pub struct Pending {
    stands: Mutex<BTreeMap<String, Stand>>,
}

impl Pending {
    /// Notes how storms stand now.
    pub fn note(&self, stands: Vec<Stand>) {
        let mut pending = self.stands.lock().unwrap_or_else(PoisonError::into_inner);
        pending.extend(stands.into_iter().map(|stand| (stand.alert.id.clone(), stand)));
    }

    fn take(&self) -> BTreeMap<String, Stand> {
        std::mem::take(&mut *self.stands.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what was not written; what was noted since is newer.
    fn give_back(&self, stands: BTreeMap<String, Stand>) {
        let mut pending = self.stands.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, stand) in stands {
            pending.entry(id).or_insert(stand);
        }
    }
}

/// Writes until the shutdown.
pub async fn run(pending: Arc<Pending>, writer: BlockWriter, metrics: Metrics, shutdown: Shutdown) -> Result<()> {
    while shutdown.sleep(EVERY).await {
        let stands = pending.take();
        let mut block: Block<Storms> = Block::new();
        stands.values().for_each(|stand| block.push(&row(stand)));
        let token = block.digest();
        let inserted = tokio::select! {
            inserted = writer.insert(&block, &token) => inserted,
            () = shutdown.wait() => return Ok(()),
        };
        match inserted {
            Ok(_) => metrics.table_rows.with_label_values(&["storms"]).inc_by(block.rows() as u64),
            Err(error) => {
                metrics.table_failures.inc();
                tracing::error!(table = "storms", %error, "clickhouse does not take rows, will try again");
                pending.give_back(stands);
                shutdown.sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}

fn row(stand: &Stand) -> StormRow<'_> {
    let alert = &stand.alert;
    StormRow {
        id: &alert.id,
        rule: &alert.rule,
        severity: alert.severity,
        title: &alert.title,
        per_minute: alert.level.map_or(0, |limit| limit as u32),
        since_ms: alert.raised_at,
        until_ms: stand.until_ms,
        held_back: stand.held_back,
        simulated: alert.simulated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn stand(held_back: u64) -> Stand {
        Stand { alert: sample::alert(1), until_ms: None, held_back }
    }

    #[test]
    fn the_newest_stand_is_written_whatever_was_given_back() {
        let pending = Pending::default();
        pending.note(vec![stand(1)]);
        let taken = pending.take();
        pending.note(vec![stand(7)]);
        pending.give_back(taken);
        assert_eq!(pending.take().into_values().collect::<Vec<_>>(), [stand(7)]);
        assert!(pending.take().is_empty());
    }
}
