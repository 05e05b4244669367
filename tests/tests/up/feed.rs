//! Observations through the gateway, noted once they are acknowledged.

use super::blocking;
use gridwarden_tests::http::Client;
use gridwarden_tests::up::Up;
use gridwarden_tests::wait;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two of them.
const PACE: Duration = Duration::from_millis(25);

/// Posts one and returns its place once Kafka has acknowledged it.
async fn post(client: &Client, id: &str) -> Option<(i64, i64)> {
    let now = jiff::Timestamp::now().as_millisecond();
    let body = format!(r#"{{"id":"{id}","source":"probe","kind":"air","time":{now},"values":{{"pm25":12}}}}"#);
    let (status, text) = client.post("/v1/observations", "application/json", body, &[]).await.ok()?;
    let answer: Value = serde_json::from_str(&text).ok()?;
    let record = answer["records"].get(0)?;
    (status == 202).then_some((record["partition"].as_i64()?, record["offset"].as_i64()?))
}

/// One observation with this id.
pub fn observe(up: &Up, id: &str) -> Option<(i64, i64)> {
    blocking(post(&up.client("gateway"), id))
}

/// Whether the archive holds every one of these ids, and none twice.
pub fn archived_once(up: &Up, ids: &[String]) -> Option<()> {
    let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let query = format!(
        "SELECT count(), uniqExact(id) FROM gridwarden.observations WHERE source = 'probe' AND id IN ({})",
        list.join(",")
    );
    let (status, text) = blocking(up.client("clickhouse").post("/", "text/plain", query, &[])).ok()?;
    (status == 200 && text.trim() == format!("{0}\t{0}", ids.len())).then_some(())
}

/// A sender that goes on whatever happens, from a thread of its own.
pub struct Feed {
    acknowledged: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    pub fn start(up: &Up) -> Self {
        let acknowledged = Arc::<Mutex<Vec<String>>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (client, notes, ending) = (up.client("gateway"), acknowledged.clone(), stop.clone());
        let work = async move {
            for number in 0.. {
                if ending.load(Ordering::Relaxed) {
                    return;
                }
                let id = format!("probe-{number}");
                if post(&client, &id).await.is_some() {
                    notes.lock().expect("notes").push(id);
                }
                tokio::time::sleep(PACE).await;
            }
        };
        Self { acknowledged, stop, thread: Some(std::thread::spawn(move || blocking(work))) }
    }

    /// How many are acknowledged so far.
    pub fn count(&self) -> usize {
        self.acknowledged.lock().expect("notes").len()
    }

    /// Waits until so many more are acknowledged.
    pub fn until_more(&self, more: usize) {
        let wanted = self.count() + more;
        wait::until("observations to be acknowledged", super::BACK, || (self.count() >= wanted).then_some(()));
    }

    /// Ends it; all that were acknowledged.
    pub fn stop(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("a thread").join().expect("no panic");
        std::mem::take(&mut self.acknowledged.lock().expect("notes"))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
