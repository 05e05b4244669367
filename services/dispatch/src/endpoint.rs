//! Endpoints of `city.toml`, checked and ready to use. Pure but for secrets kept in files or the environment.

use crate::decide::Wants;
use crate::signature::{BadSecret, SigningSecret};
use gridwarden_domain::city::Endpoint;
use gridwarden_runtime::secrets::{self, SecretError};
use std::path::Path;
use url::Url;

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum BadEndpoint {
    /// The same id twice.
    #[error("endpoint {0} is there twice")]
    Twice(String),
    /// Not a URL.
    #[error("endpoint {id}: the url is not one: {why}")]
    Url {
        /// Endpoint id.
        id: String,
        /// What is wrong.
        why: url::ParseError,
    },
    /// Neither https nor allowed http.
    #[error("endpoint {0}: the url must begin with https:// (http:// only together with allow_private = true)")]
    Scheme(String),
    /// A password in the URL would end up in logs.
    #[error("endpoint {0}: the url must not hold a user or a password")]
    Credentials(String),
    /// The secret cannot be had.
    #[error("endpoint {id}: the secret: {why}")]
    NoSecret {
        /// Endpoint id.
        id: String,
        /// What is wrong.
        why: SecretError,
    },
    /// The secret is none.
    #[error("endpoint {id}: {why}")]
    Secret {
        /// Endpoint id.
        id: String,
        /// What is wrong.
        why: BadSecret,
    },
}

/// An endpoint ready to be sent to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Id of `city.toml`.
    pub id: String,
    /// Where to.
    pub url: Url,
    /// Signs.
    pub secret: SigningSecret,
    /// Which alerts it wants.
    pub wants: Wants,
    /// Whether the address may be private.
    pub allow_private: bool,
}

impl Target {
    /// Checks an endpoint; `file:` secrets are looked for below `folder`.
    pub fn of(endpoint: &Endpoint, folder: &Path) -> Result<Self, BadEndpoint> {
        let id = endpoint.id.clone();
        let url = Url::parse(&endpoint.url).map_err(|why| BadEndpoint::Url { id: id.clone(), why })?;
        match url.scheme() {
            "https" => {}
            "http" if endpoint.allow_private => {}
            _ => return Err(BadEndpoint::Scheme(id)),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadEndpoint::Credentials(id));
        }
        let text = match endpoint.secret.strip_prefix("file:") {
            Some(path) => format!("file:{}", folder.join(path).display()),
            None => endpoint.secret.clone(),
        };
        let secret = secrets::resolve(&text).map_err(|why| BadEndpoint::NoSecret { id: id.clone(), why })?;
        let secret =
            SigningSecret::parse(secret.reveal()).map_err(|why| BadEndpoint::Secret { id: id.clone(), why })?;
        let wants =
            Wants { min_severity: endpoint.min_severity, rules: endpoint.rules.clone(), no_updates: !endpoint.updates };
        Ok(Self { id, url, secret, wants, allow_private: endpoint.allow_private })
    }

    /// Checks all endpoints of a city.
    pub fn all(endpoints: &[Endpoint], folder: &Path) -> Result<Vec<Self>, BadEndpoint> {
        let mut targets = Vec::<Self>::new();
        for endpoint in endpoints {
            if targets.iter().any(|other| other.id == endpoint.id) {
                return Err(BadEndpoint::Twice(endpoint.id.clone()));
            }
            targets.push(Self::of(endpoint, folder)?);
        }
        Ok(targets)
    }

    /// Scheme, host and port: what may be shown. Path and query may hold a token.
    pub fn shown(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn checked(url: &str, secret: &str, allow_private: bool) -> Result<Target, BadEndpoint> {
        let endpoint = Endpoint {
            id: "desk".into(),
            url: url.into(),
            secret: secret.into(),
            min_severity: None,
            rules: Vec::new(),
            updates: true,
            allow_private,
        };
        Target::of(&endpoint, Path::new("/nowhere"))
    }

    #[test]
    fn what_is_taken() {
        let target = checked("https://desk.example/hook?token=x", SECRET, false).expect("endpoint");
        assert_eq!(target.shown(), "https://desk.example");
        assert!(checked("http://127.0.0.1:9000/", SECRET, true).is_ok());
    }

    #[test]
    fn what_is_not() {
        let scheme = Some(BadEndpoint::Scheme("desk".into()));
        for url in ["http://desk.example/", "ftp://desk.example/", "file:///etc/passwd"] {
            assert_eq!(checked(url, SECRET, false).err(), scheme, "{url}");
        }
        assert_eq!(checked("file:///etc/passwd", SECRET, true).err(), scheme);
        assert!(matches!(checked("desk", SECRET, false), Err(BadEndpoint::Url { .. })));
        assert!(matches!(checked("https://a:b@desk.example/", SECRET, false), Err(BadEndpoint::Credentials(_))));
        assert!(matches!(checked("https://desk.example/", "abc", false), Err(BadEndpoint::Secret { .. })));
        assert!(matches!(checked("https://desk.example/", "file:no", false), Err(BadEndpoint::NoSecret { .. })));
    }
}
