//! A request of ClickHouse's HTTP interface: what its URL, headers and form fields ask for.

use super::{
    connection::Settings,
    error::{Exception, code},
    policy,
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
    /// A GET: it must change nothing.
    pub(super) reads_only: bool,
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
            reads_only: head.method == Method::GET,
            ..Self::default()
        };
        let pairs = url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes());
        for (name, value) in pairs {
            asked.take(&name, &value)?;
        }
        Ok(asked)
    }

    /// All was read, of the form in the body as well.
    pub(super) fn settled(mut self) -> Self {
        self.session = self.session.filter(|session| !session.id.is_empty());
        // In a session the setting would stay: there the server looks at the statement instead.
        if self.reads_only && self.session.is_none() {
            // As a real server does: 2 lets settings through, and no writes; 1 neither. Nobody gets out of it by asking.
            let wanted = self.settings.entry("readonly".to_owned()).or_default();
            if wanted != "1" {
                "2".clone_into(wanted);
            }
        }
        self
    }

    /// Takes one parameter, of the URL or of a form.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<(), Exception> {
        let text = || Some(value.to_owned());
        match name {
            "query" => self.query = text(),
            "database" => self.database = text().filter(|name| !name.is_empty()),
            "default_format" => self.format = text().filter(|name| !name.is_empty()),
            "query_id" => self.query_id = text().filter(|id| !id.is_empty()),
            "session_id" => self.session().id = value.to_owned(),
            "session_timeout" => {
                let bad = || {
                    Exception::ours(code::BAD_ARGUMENTS, format!("session_timeout: '{value}' is no number of seconds"))
                };
                self.session().timeout = Some(Duration::from_secs(value.parse().map_err(|_| bad())?));
            }
            "session_check" => self.session().must_exist = yes(value),
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

    fn session(&mut self) -> &mut Ask {
        self.session.get_or_insert_with(|| Ask { id: String::new(), timeout: None, must_exist: false })
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Exception> {
        // It becomes part of a SET statement.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(Exception::ours(code::BAD_ARGUMENTS, format!("'{name}' is not the name of a setting")));
        }
        policy::check_setting(name)?;
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

/// A browser page of another origin must not speak to the engine of the person who looks at it; nor may one whose own name
/// was made to point at this machine, and which then sends no other origin.
pub(super) fn refuse_strange_pages(headers: &HeaderMap) -> Result<(), Exception> {
    let refused =
        |words: &str| Err(Exception::ours(code::ACCESS_DENIED, format!("Refused by the embedded engine: {words}")));
    if let Some(origin) = text(headers, "origin")
        && !is_this_machine(&origin)
    {
        return refused("pages of other origins are not served");
    }
    match text(headers, "host") {
        Some(host) if !is_this_machine(&format!("http://{host}")) => {
            refused(&format!("it is asked for as {host}; ask for 127.0.0.1 or localhost"))
        }
        _ => Ok(()),
    }
}

/// Whether the host of a URL is an address, or a name nobody else can own.
fn is_this_machine(url: &str) -> bool {
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn asked(method: &str, uri: &str) -> Result<Asked, Exception> {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        Asked::from_head(&request.into_parts().0).map(Asked::settled)
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
    fn a_get_reads_only_whatever_it_asks_for() {
        let readonly = |uri: &str| asked("GET", uri).unwrap().settings.get("readonly").cloned();
        for (uri, wanted) in [("/?query=x", "2"), ("/?readonly=0", "2"), ("/?readonly=1", "1"), ("/?readonly=2", "2")] {
            assert_eq!(readonly(uri).as_deref(), Some(wanted), "{uri}");
        }
        assert!(asked("POST", "/").unwrap().settings.is_empty());
        let in_session = asked("GET", "/?session_id=s").unwrap();
        assert!(in_session.reads_only && in_session.settings.is_empty(), "it would stay with the session");
    }

    #[test]
    fn a_session_without_a_name_is_none() {
        assert_eq!(asked("POST", "/?session_timeout=5").unwrap().session, None);
        assert_eq!(asked("POST", "/?session_id=a&session_timeout=soon").unwrap_err().code, code::BAD_ARGUMENTS);
    }

    #[test]
    fn a_setting_that_names_a_file_is_refused() {
        assert_eq!(asked("POST", "/?Format_Schema=/etc/x").unwrap_err().code, code::ACCESS_DENIED);
    }

    #[test]
    fn a_setting_cannot_smuggle_sql() {
        assert_eq!(asked("POST", "/?a%3D1%2Cb=1").unwrap_err().code, code::BAD_ARGUMENTS);
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let check = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            refuse_strange_pages(&headers).is_ok()
        };
        assert!(check("origin", "http://localhost:3000") && check("origin", "http://127.0.0.1:1"));
        assert!(!check("origin", "http://evil.example") && !check("origin", "null"));
        assert!(check("host", "127.0.0.1:8123") && check("host", "localhost") && check("host", "[::1]:8123"));
        assert!(!check("host", "evil.example:8123") && !check("host", "10.0.0.1"));
    }
}
