//! Sessions of the pages: a cookie that says who, from when and until when, and proves that we said so. Pure but for the
//! secrets it is given.
//!
//! `CON-2` the cookie never holds the token, and cannot be made without it; it outlives a restart of console, because it is
//! derived from the token of its role alone. It is HttpOnly and SameSite=Strict, so no other site can use it. A page that is watched
//! stays signed in: its cookie is renewed from half its life on, up to a last day that renewing cannot move.

use crate::access::{Person, Role};
use gridwarden_runtime::secrets::{Secret, same};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Name of the cookie.
pub const COOKIE: &str = "gridwarden_session";

/// What is signed besides; a change ends all sessions.
const PURPOSE: &[u8] = b"gridwarden console session v3 ";

/// Longest name somebody may sign in with, in bytes: a cookie, and the history of rules, hold it.
pub const LONGEST_NAME: usize = 128;

/// How long sessions last, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// Without being used.
    pub idle_s: i64,
    /// In all.
    pub most_s: i64,
}

/// A session, epoch seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub person: Person,
    /// When the token was shown.
    pub since_s: i64,
    /// Good before this.
    pub until_s: i64,
}

impl Session {
    /// Begins a session.
    pub fn begin(person: Person, now_s: i64, lasting: Lasting) -> Self {
        Self { person, since_s: now_s, until_s: now_s + lasting.idle_s.min(lasting.most_s) }
    }

    /// The session that takes this one's place; `None` while more than half of its life is left, or nothing would be won.
    pub fn renewed(&self, now_s: i64, lasting: Lasting) -> Option<Self> {
        let until_s = (now_s + lasting.idle_s).min(self.since_s + lasting.most_s);
        let is_due = self.until_s - now_s < lasting.idle_s / 2;
        (is_due && until_s > self.until_s).then(|| Self { until_s, ..self.clone() })
    }

    /// What is signed. The name is in hexadecimal digits: a cookie holds no other letters than ours.
    fn text(&self) -> String {
        let name = hex::encode(self.person.name.as_deref().unwrap_or_default());
        format!("{}.{}.{}.{name}", self.since_s, self.until_s, self.person.role.as_str())
    }

    /// The cookie's value, proved by the token of the role.
    pub fn sign(&self, secret: &Secret) -> Option<String> {
        let text = self.text();
        let signature = signature(secret, &text)?;
        Some(format!("{text}.{signature}"))
    }

    /// The session a value proves, if it is still good; `secret` gives the token of a role, if it has one.
    pub fn read<'s>(secret: impl Fn(Role) -> Option<&'s Secret>, value: &str, now_s: i64) -> Option<Self> {
        let (text, given) = value.rsplit_once('.')?;
        let mut parts = text.splitn(4, '.');
        let (since, until, role, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let name = String::from_utf8(hex::decode(name).ok()?).ok()?;
        let person = Person { role: Role::named(role)?, name: Some(name).filter(|name| !name.is_empty()) };
        let session = Self { since_s: since.parse().ok()?, until_s: until.parse().ok()?, person };
        let wanted = signature(secret(session.person.role)?, text)?;
        (now_s < session.until_s && same(wanted.as_bytes(), given.as_bytes())).then_some(session)
    }
}

fn signature(secret: &Secret, text: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).ok()?;
    mac.update(PURPOSE);
    mac.update(text.as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}

/// A name as somebody typed it; an empty one is none. `Err` where it can be none.
pub fn name(typed: &str) -> Result<Option<String>, &'static str> {
    let name = typed.trim();
    if name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err("must have at most 128 bytes and no control characters");
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// The value of our cookie in a `Cookie` header.
pub fn of_header(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The `Set-Cookie` header; an empty value and no time ends the session. `secure` where the page came by HTTPS.
pub fn header(value: &str, seconds: i64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTING: Lasting = Lasting { idle_s: 100, most_s: 250 };

    fn of(role: Role, name: &str, now_s: i64) -> Session {
        Session::begin(Person { role, name: super::name(name).expect("a name") }, now_s, LASTING)
    }

    #[test]
    fn a_cookie_is_good_until_its_time_and_for_its_token() {
        let (secret, other) = (Secret::literal("token"), Secret::literal("other"));
        let session = of(Role::Administrator, "", 1000);
        let value = session.sign(&secret).expect("signed");
        let read = |secret, value: &str, now_s| Session::read(|_| Some(secret), value, now_s);
        assert_eq!(read(&secret, &value, 1099), Some(session));
        assert_eq!(read(&secret, &value, 1100), None);
        assert_eq!(read(&other, &value, 1000), None);
        for forged in [&value.replace("1100", "2000"), &value.replacen("1000", "900", 1), "1000.1100.", "1000", ""] {
            assert_eq!(read(&secret, forged, 1000), None, "{forged}");
        }
        assert!(!value.contains("token"));
    }

    #[test]
    fn a_cookie_says_who_and_proves_it() {
        let (admin, viewer) = (Secret::literal("admin"), Secret::literal("viewer"));
        let of_role = |role| match role {
            Role::Administrator => Some(&admin),
            Role::Viewer => Some(&viewer),
        };
        let session = of(Role::Viewer, " 王芳; path=/ ", 1000);
        let value = session.sign(&viewer).expect("signed");
        assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{value}");
        let read = Session::read(of_role, &value, 1000).expect("good");
        assert_eq!(read.person.name.as_deref(), Some("王芳; path=/"));
        let raised = value.replace("viewer", "administrator");
        assert_eq!(Session::read(of_role, &raised, 1000), None, "nobody makes himself an administrator");
        let nobody = |role: Role| of_role(role).filter(|_| role == Role::Administrator);
        assert_eq!(Session::read(nobody, &value, 1000), None, "without a viewer's token there are no viewers");
        assert!(name("a\nb").is_err() && name(&"x".repeat(129)).is_err());
    }

    #[test]
    fn a_session_in_use_goes_on_up_to_its_last_day() {
        let first = of(Role::Administrator, "Anna", 0);
        let until = |until_s| Some(Session { until_s, ..first.clone() });
        assert_eq!(first.renewed(50, LASTING), None);
        assert_eq!(first.renewed(51, LASTING), until(151));
        let last = until(151).and_then(|second| second.renewed(149, LASTING)).expect("due");
        assert_eq!(last.renewed(248, LASTING), until(250));
        assert_eq!(until(250).and_then(|last| last.renewed(249, LASTING)), None);
    }

    #[test]
    fn our_cookie_among_others() {
        assert_eq!(of_header("a=b; gridwarden_session=x.y; c=d"), Some("x.y"));
        assert_eq!(of_header("gridwarden_sessions=x"), None);
        assert!(header("v", 60, true).ends_with("; Secure"));
        assert!(header("v", 60, false).contains("HttpOnly; SameSite=Strict"));
    }
}
