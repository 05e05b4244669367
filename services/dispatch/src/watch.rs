//! Whether Kafka is there, for `/readyz`. Readers and writers are patient by themselves; this only looks.

use anyhow::{Context, Result};
use gridwarden_bus::{KafkaConfig, topics};
use gridwarden_runtime::health::Health;
use gridwarden_runtime::shutdown::Shutdown;
use std::time::Duration;

/// How often Kafka is asked for while it is away, and while it is there.
const ASK_AWAY: Duration = Duration::from_secs(1);
const ASK_THERE: Duration = Duration::from_secs(10);

/// Looks until the shutdown.
pub async fn run(kafka: KafkaConfig, health: Health, shutdown: Shutdown) -> Result<()> {
    let mut pause = ASK_THERE;
    while shutdown.sleep(pause).await {
        let own = kafka.clone();
        let asked = tokio::task::spawn_blocking(move || gridwarden_bus::topic_meta(&own, topics::ALERTS));
        // Asking blocks for as long as Kafka is silent; the end of the process does not wait for it.
        let asked = tokio::select! {
            asked = asked => asked.context("asking Kafka was cut off")?,
            () = shutdown.wait() => return Ok(()),
        };
        pause = match asked {
            Ok(_) => {
                health.set_part("kafka", true, "");
                ASK_THERE
            }
            Err(error) => {
                health.set_part("kafka", false, &error.to_string());
                ASK_AWAY
            }
        };
    }
    Ok(())
}
