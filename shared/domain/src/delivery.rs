//! The delivery ledger: what became of each transition of an alert at each endpoint. Topic `deliveries.v1` (compacted),
//! key = `<alert>.<seq>/<endpoint>`; the newest record is the state. Written by `dispatch` alone.

use serde::{Deserialize, Serialize};

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not delivered yet; tried (again) at `next_at`.
    Waiting,
    /// The endpoint said yes.
    Delivered,
    /// Given up: every attempt failed, or the endpoint said it is gone.
    Failed,
    /// Never tried: the endpoint was disabled when its turn came.
    Skipped,
}

impl State {
    /// The state as it stands in topics and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One transition of an alert at one endpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Alert id.
    pub alert: String,
    /// `seq` of the transition.
    pub seq: u32,
    /// Endpoint id of `city.toml`.
    pub endpoint: String,
    /// Where it stands.
    pub state: State,
    /// Attempts made.
    pub attempts: u32,
    /// Last HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Why the last attempt failed, for people; empty when it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// When it was first taken up, epoch milliseconds.
    pub first_at: i64,
    /// When it last changed, epoch milliseconds.
    pub last_at: i64,
    /// When it is tried next, epoch milliseconds; only while waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<i64>,
}

impl Delivery {
    /// Key of its record in `deliveries.v1`.
    pub fn key(&self) -> String {
        format!("{}.{}/{}", self.alert, self.seq, self.endpoint)
    }

    /// Version of its row: number of attempts × 4 + state, so that the last word wins.
    pub fn version(&self) -> u64 {
        let state = match self.state {
            State::Waiting => 0,
            State::Skipped => 1,
            State::Failed => 2,
            State::Delivered => 3,
        };
        u64::from(self.attempts) * 4 + state
    }
}
