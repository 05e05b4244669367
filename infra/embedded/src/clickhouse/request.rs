//! A request of ClickHouse's HTTP interface: what its URL, headers and form fields ask for.

use super::{
    connection::Settings,
    error::{Exception, code},
    session::Ask,
};
use axum::http::{HeaderMap, Method, request::Parts};
use std::time::Duration;

/// What a request asks for. The query may continue, or wholly stand, in the body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) query: Option<String>,
    pub(super) params: Vec<(String, String)>,
    pub(super) settings: Settings,
    pub(super) database: Option<String>,
    pub(super) format: Option<String>,
    pub(super) session: Option<Ask>,
    pub(super) query_id: Option<String>,
    /// The answer is held back until the query has ended, so that its status is right.
    pub(super) whole: bool,
    /// The body comes in compressed frames.
    pub(super) body_in_frames: bool,
    /// The answer goes out in compressed frames.
    pub(super) answer_in_frames: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl Asked {
    /// Reads URL and headers.
    pub(super) fn from_head(head: &Parts) -> Result<Self, Exception> {
        let mut asked = Self {
            database: text(&head.headers, "x-clickhouse-database"),
            format: text(&head.headers, "x-clickhouse-format"),
            user: text(&head.headers, "x-clickhouse-user"),
            password: text(&head.headers, "x-clickhouse-key"),
            ..Self::default()
        };
        let pairs = url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes());
        let mut session_timeout = None;
        let mut session_must_exist = false;
        for (name, value) in pairs {
            match name.as_ref() {
                "session_timeout" => session_timeout = value.parse().ok().map(Duration::from_secs),
                "session_check" => session_must_exist = yes(&value),
                _ => asked.take(&name, &value)?,
            }
        }
        if let Some(session) = &mut asked.session {
            session.timeout = session_timeout;
            session.must_exist = session_must_exist;
        }
        if head.method == Method::GET {
            // As a real server does: 2 lets settings through, and no writes.
            asked.settings.entry("readonly".to_owned()).or_insert_with(|| "2".to_owned());
        }
        Ok(asked)
    }

    /// Takes one parameter, of the URL or of a form.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<(), Exception> {
        let text = || Some(value.to_owned());
        match name {
            "query" => self.query = text(),
            "database" => self.database = text().filter(|name| !name.is_empty()),
            "default_format" => self.format = text().filter(|name| !name.is_empty()),
            "query_id" => self.query_id = text().filter(|id| !id.is_empty()),
            "session_id" => {
                self.session = text().map(|id| Ask { id, timeout: None, must_exist: false });
            }
            "wait_end_of_query" => self.whole = yes(value),
            "decompress" => self.body_in_frames = yes(value),
            "compress" => self.answer_in_frames = yes(value),
            "user" => self.user = text(),
            "password" => self.password = text(),
            // Known to a real server, without meaning here.
            "role"
            | "quota_key"
            | "stacktrace"
            | "buffer_size"
            | "client_protocol_version"
            | "close_session"
            | "enable_http_compression"
            | "http_zlib_compression_level"
            | "send_progress_in_http_headers" => {}
            _ => match name.strip_prefix("param_") {
                Some(param) if !param.is_empty() => self.params.push((param.to_owned(), value.to_owned())),
                _ => return self.set(name, value),
            },
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Exception> {
        // It becomes part of a SET statement.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(Exception::ours(code::BAD_ARGUMENTS, format!("'{name}' is not the name of a setting")));
        }
        self.settings.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}

fn yes(value: &str) -> bool {
    value == "1" || value.eq_ignore_ascii_case("true")
}

pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A browser page of another origin must not speak to the engine of the person who looks at it.
pub(super) fn refuse_strange_pages(headers: &HeaderMap) -> Result<(), Exception> {
    let Some(origin) = text(headers, "origin") else { return Ok(()) };
    let host = url::Url::parse(&origin).ok().and_then(|url| url.host_str().map(str::to_owned));
    match host.as_deref() {
        Some("localhost" | "127.0.0.1" | "[::1]") => Ok(()),
        _ => Err(Exception::ours(
            code::ACCESS_DENIED,
            "Refused by the embedded engine: pages of other origins are not served",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn asked(method: &str, uri: &str) -> Result<Asked, Exception> {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        Asked::from_head(&request.into_parts().0)
    }

    #[test]
    fn a_url_is_read() {
        let uri =
            "/?query=SELECT%201&param_x=a%27b&max_threads=2&session_id=s&session_timeout=5&database=g&decompress=1";
        let asked = asked("POST", uri).unwrap();
        assert_eq!(asked.query.as_deref(), Some("SELECT 1"));
        assert_eq!(asked.params, [("x".to_owned(), "a'b".to_owned())]);
        assert_eq!(asked.settings.get("max_threads").map(String::as_str), Some("2"));
        assert_eq!(asked.settings.len(), 1);
        assert_eq!(asked.session.unwrap().timeout, Some(Duration::from_secs(5)));
        assert_eq!(asked.database.as_deref(), Some("g"));
        assert!(asked.body_in_frames && !asked.answer_in_frames);
    }

    #[test]
    fn a_get_reads_only() {
        assert_eq!(asked("GET", "/?query=x").unwrap().settings.get("readonly").map(String::as_str), Some("2"));
        assert!(asked("POST", "/").unwrap().settings.is_empty());
    }

    #[test]
    fn a_setting_cannot_smuggle_sql() {
        assert_eq!(asked("POST", "/?a%3D1%2Cb=1").unwrap_err().code, code::BAD_ARGUMENTS);
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let check = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("origin", origin.parse().unwrap());
            refuse_strange_pages(&headers).is_ok()
        };
        assert!(check("http://localhost:3000") && check("http://127.0.0.1:1"));
        assert!(!check("http://evil.example") && !check("null"));
    }
}
