//! What several answers share: texts, areas by name, problems.

use gridwarden_domain::text::Text;
use serde::Serialize;
use utoipa::ToSchema;

/// A text for people; a language may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TextView {
    /// English.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub en: String,
    /// Chinese.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zh: String,
}

impl From<&Text> for TextView {
    fn from(text: &Text) -> Self {
        Self { en: text.en.clone(), zh: text.zh.clone() }
    }
}

impl From<Text> for TextView {
    fn from(text: Text) -> Self {
        Self { en: text.en, zh: text.zh }
    }
}

/// An area by layer and code, with its name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AreaRefView {
    /// Layer id.
    pub layer: String,
    /// Level id, when the area is known now.
    pub level: String,
    /// Code.
    pub code: String,
    /// Name.
    pub name: TextView,
}

/// A field that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldErrorView {
    /// Name of the parameter.
    pub field: String,
    /// What is wrong.
    pub detail: String,
}

/// A problem after RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemView {
    /// Kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Title.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: Option<String>,
    /// Parameters that are wrong.
    pub errors: Vec<FieldErrorView>,
}
