//! Who is signed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What may be said when signing in.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// What the person is called: stands beside the changes they make.
    #[serde(default)]
    pub name: String,
}

/// Who asks, and what they may.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// `administrator` or `viewer`.
    pub role: String,
    /// What they said they are called.
    pub name: Option<String>,
    /// Whether a stream is configured that holds the rules.
    pub has_rules: bool,
    /// Whether they may write, activate, retire and take back rules.
    pub may_change_rules: bool,
}
