//! Sessions of the pages: a cookie that says from when and until when, and proves that we said so. Pure but for the secret
//! it is given.
//!
//! `CON-2` the cookie never holds the token, and cannot be made without it; it outlives a restart of console, because it is
//! derived from the token alone. It is HttpOnly and SameSite=Strict, so no other site can use it. A page that is watched
//! stays signed in: its cookie is renewed from half its life on, up to a last day that renewing cannot move.

use gridwarden_runtime::secrets::{Secret, same};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Name of the cookie.
pub const COOKIE: &str = "gridwarden_session";

/// What is signed besides the times; a change ends all sessions.
const PURPOSE: &[u8] = b"gridwarden console session v2 ";

/// How long sessions last, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// Without being used.
    pub idle_s: i64,
    /// In all.
    pub most_s: i64,
}

/// A session, epoch seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// When the token was shown.
    pub since_s: i64,
    /// Good before this.
    pub until_s: i64,
}

impl Session {
    /// Begins a session.
    pub fn begin(now_s: i64, lasting: Lasting) -> Self {
        Self { since_s: now_s, until_s: now_s + lasting.idle_s.min(lasting.most_s) }
    }

    /// The session that takes this one's place; `None` while more than half of its life is left, or nothing would be won.
    pub fn renewed(self, now_s: i64, lasting: Lasting) -> Option<Self> {
        let until_s = (now_s + lasting.idle_s).min(self.since_s + lasting.most_s);
        let is_due = self.until_s - now_s < lasting.idle_s / 2;
        (is_due && until_s > self.until_s).then_some(Self { until_s, ..self })
    }

    /// The cookie's value.
    pub fn sign(self, secret: &Secret) -> Option<String> {
        Some(format!("{}.{}.{}", self.since_s, self.until_s, signature(secret, self)?))
    }

    /// The session a value proves, if it is still good.
    pub fn read(secret: &Secret, value: &str, now_s: i64) -> Option<Self> {
        let mut parts = value.splitn(3, '.');
        let (since, until, given) = (parts.next()?, parts.next()?, parts.next()?);
        let session = Self { since_s: since.parse().ok()?, until_s: until.parse().ok()? };
        let wanted = signature(secret, session)?;
        (now_s < session.until_s && same(wanted.as_bytes(), given.as_bytes())).then_some(session)
    }
}

fn signature(secret: &Secret, session: Session) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).ok()?;
    mac.update(PURPOSE);
    mac.update(format!("{} {}", session.since_s, session.until_s).as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
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

    #[test]
    fn a_cookie_is_good_until_its_time_and_for_its_token() {
        let secret = Secret::literal("token");
        let session = Session::begin(1000, LASTING);
        let value = session.sign(&secret).expect("signed");
        assert_eq!(Session::read(&secret, &value, 1099), Some(session));
        assert_eq!(Session::read(&secret, &value, 1100), None);
        assert_eq!(Session::read(&Secret::literal("other"), &value, 1000), None);
        for forged in [&value.replace("1100", "2000"), &value.replacen("1000", "900", 1), "1000.1100.", "1000", ""] {
            assert_eq!(Session::read(&secret, forged, 1000), None, "{forged}");
        }
        assert!(!value.contains("token"));
    }

    #[test]
    fn a_session_in_use_goes_on_up_to_its_last_day() {
        let first = Session::begin(0, LASTING);
        assert_eq!(first.renewed(50, LASTING), None);
        let second = first.renewed(51, LASTING).expect("due");
        assert_eq!(second, Session { since_s: 0, until_s: 151 });
        let last = second.renewed(149, LASTING).expect("due");
        assert_eq!(last.renewed(248, LASTING).expect("cut"), Session { since_s: 0, until_s: 250 });
        assert_eq!(Session { since_s: 0, until_s: 250 }.renewed(249, LASTING), None);
    }

    #[test]
    fn our_cookie_among_others() {
        assert_eq!(of_header("a=b; gridwarden_session=x.y; c=d"), Some("x.y"));
        assert_eq!(of_header("gridwarden_sessions=x"), None);
        assert!(header("v", 60, true).ends_with("; Secure"));
        assert!(header("v", 60, false).contains("HttpOnly; SameSite=Strict"));
    }
}
