//! Sessions of the pages: a cookie that says until when, and proves that we said so. Pure but for the secret it is given.
//!
//! `CON-2` the cookie never holds the token, and cannot be made without it; it outlives a restart of console, because it is
//! derived from the token alone. It is HttpOnly and SameSite=Strict, so no other site can use it.

use gridwarden_runtime::secrets::{Secret, same};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Name of the cookie.
pub const COOKIE: &str = "gridwarden_session";

/// What is signed besides the time; a change ends all sessions.
const PURPOSE: &[u8] = b"gridwarden console session v1 ";

fn signature(secret: &Secret, until_s: i64) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).ok()?;
    mac.update(PURPOSE);
    mac.update(until_s.to_string().as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}

/// The value of a cookie that is good until then.
pub fn sign(secret: &Secret, until_s: i64) -> Option<String> {
    Some(format!("{until_s}.{}", signature(secret, until_s)?))
}

/// Whether a value was signed by us and is still good.
pub fn is_good(secret: &Secret, value: &str, now_s: i64) -> bool {
    let Some((until, given)) = value.split_once('.') else { return false };
    let Ok(until_s) = until.parse::<i64>() else { return false };
    let wanted = signature(secret, until_s).unwrap_or_default();
    now_s < until_s && !wanted.is_empty() && same(wanted.as_bytes(), given.as_bytes())
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

    #[test]
    fn a_cookie_is_good_until_its_time_and_for_its_token() {
        let secret = Secret::literal("token");
        let value = sign(&secret, 1000).expect("signed");
        assert!(is_good(&secret, &value, 999));
        assert!(!is_good(&secret, &value, 1000));
        assert!(!is_good(&Secret::literal("other"), &value, 0));
        assert!(!is_good(&secret, &value.replace("1000", "2000"), 0));
        assert!(!is_good(&secret, "1000.", 0));
        assert!(!is_good(&secret, "", 0));
        assert!(!value.contains("token"));
    }

    #[test]
    fn our_cookie_among_others() {
        assert_eq!(of_header("a=b; gridwarden_session=x.y; c=d"), Some("x.y"));
        assert_eq!(of_header("gridwarden_sessions=x"), None);
        assert!(header("v", 60, true).ends_with("; Secure"));
        assert!(header("v", 60, false).contains("HttpOnly; SameSite=Strict"));
    }
}
