//! Signatures after Standard Webhooks 1.0.0: `v1,base64(HMAC-SHA256(secret, "{id}.{timestamp}.{body}"))`.
//!
//! Pure: the time is a parameter. `dispatch` signs with it, `gridwarden receive` verifies with it, both against the
//! specification's own example. A secret is never printed (`DSP-7`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// Header with the id of the message: the same over all attempts.
pub const ID: &str = "webhook-id";
/// Header with the second of the attempt.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Header with one or more signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// How far a timestamp may be from the receiver's clock, in seconds.
pub const TOLERANCE_S: i64 = 300;

const PREFIX: &str = "whsec_";
/// The specification asks for 24 to 64 bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// A text that is no signing secret. Does not repeat the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadSecret {
    /// The prefix is missing.
    #[error("a signing secret begins with whsec_")]
    Prefix,
    /// Not base64.
    #[error("what follows whsec_ must be base64")]
    Base64,
    /// Too short or too long.
    #[error("a signing secret holds 24 to 64 bytes, this one {0}")]
    Length(usize),
}

/// A secret that signs, or several while one takes the place of another: each signs, and each is believed. `Debug` does not
/// print them.
#[derive(Clone)]
pub struct SigningSecret(Vec<Vec<u8>>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(***)")
    }
}

impl SigningSecret {
    /// Reads `whsec_<base64>`; several, separated by blanks, while a secret is changed: the new one first.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let keys: Vec<Vec<u8>> = text.split_whitespace().map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(BadSecret::Prefix) } else { Ok(Self(keys)) }
    }

    /// One code per secret. HMAC takes keys of any length, so none is ever left out.
    fn macs(&self, id: &str, timestamp_s: &str, body: &[u8]) -> Vec<Hmac<Sha256>> {
        let mac = |key: &Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            for part in [id.as_bytes(), b".", timestamp_s.as_bytes(), b".", body] {
                mac.update(part);
            }
            Some(mac)
        };
        self.0.iter().filter_map(mac).collect()
    }

    /// The value of the header `webhook-signature`: one signature per secret, separated by blanks.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let macs = self.macs(id, &timestamp_s.to_string(), body).into_iter();
        let signatures: Vec<_> =
            macs.map(|mac| format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))).collect();
        signatures.join(" ")
    }

    /// Whether a message is ours and of now. `signatures` may hold several (rotation) and versions we do not know.
    pub fn verify(&self, message: &Signed<'_>, now_s: i64, tolerance_s: i64) -> Result<(), Unverified> {
        let sent = message.timestamp.parse::<i64>().map_err(|_| Unverified::Timestamp)?;
        match now_s.saturating_sub(sent) {
            age if age > tolerance_s => return Err(Unverified::TooOld),
            age if age < -tolerance_s => return Err(Unverified::TooNew),
            _ => {}
        }
        let macs = self.macs(message.id, message.timestamp, message.body);
        let ours = |text: &str| -> bool {
            let code = text.strip_prefix("v1,").and_then(|code| STANDARD.decode(code).ok());
            code.is_some_and(|code| macs.iter().any(|mac| mac.clone().verify_slice(&code).is_ok()))
        };
        if message.signatures.split(' ').any(ours) { Ok(()) } else { Err(Unverified::Signature) }
    }
}

fn key(text: &str) -> Result<Vec<u8>, BadSecret> {
    let encoded = text.strip_prefix(PREFIX).ok_or(BadSecret::Prefix)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| BadSecret::Base64)?;
    if LENGTHS.contains(&bytes.len()) { Ok(bytes) } else { Err(BadSecret::Length(bytes.len())) }
}

/// A message as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Header `webhook-id`.
    pub id: &'a str,
    /// Header `webhook-timestamp`, as sent.
    pub timestamp: &'a str,
    /// Header `webhook-signature`.
    pub signatures: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Why a message is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unverified {
    /// The timestamp is not a number.
    #[error("webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// Sent too long ago; perhaps a replay.
    #[error("webhook-timestamp is too old")]
    TooOld,
    /// From the future.
    #[error("webhook-timestamp lies in the future")]
    TooNew,
    /// No signature fits.
    #[error("no signature fits")]
    Signature,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The example of the Standard Webhooks specification, used by the tests of its reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const EXPECTED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> SigningSecret {
        SigningSecret::parse(SECRET).expect("secret")
    }

    fn verify(signatures: &str, timestamp: &str, body: &[u8], now: i64) -> Result<(), Unverified> {
        secret().verify(&Signed { id: ID, timestamp, signatures, body }, now, TOLERANCE_S)
    }

    #[test]
    fn the_published_example() {
        assert_eq!(secret().sign(ID, AT, BODY), EXPECTED);
        assert_eq!(verify(EXPECTED, "1614265330", BODY, AT), Ok(()));
    }

    #[test]
    fn a_signature_among_others_is_found() {
        assert_eq!(verify(&format!("v1a,xyz v1,AAAA {EXPECTED}"), "1614265330", BODY, AT), Ok(()));
    }

    #[test]
    fn what_is_not_believed() {
        let stamp = "1614265330";
        assert_eq!(verify(EXPECTED, stamp, b"{}", AT), Err(Unverified::Signature));
        assert_eq!(verify("", stamp, BODY, AT), Err(Unverified::Signature));
        assert_eq!(verify(&EXPECTED.replace("v1,", "v2,"), stamp, BODY, AT), Err(Unverified::Signature));
        assert_eq!(verify(EXPECTED, "1614265331", BODY, AT), Err(Unverified::Signature));
        assert_eq!(verify(EXPECTED, "01614265330", BODY, AT), Err(Unverified::Signature));
        assert_eq!(verify(EXPECTED, stamp, BODY, AT + 301), Err(Unverified::TooOld));
        assert_eq!(verify(EXPECTED, stamp, BODY, AT - 301), Err(Unverified::TooNew));
        assert_eq!(verify(EXPECTED, "soon", BODY, AT), Err(Unverified::Timestamp));
    }

    #[test]
    fn while_a_secret_is_changed_both_sign_and_both_are_believed() {
        const NEW: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let parse = |text: &str| SigningSecret::parse(text).expect("secret");
        let (old, new, both) = (parse(SECRET), parse(NEW), parse(&format!("{NEW} {SECRET}")));
        let signatures = both.sign(ID, AT, BODY);
        assert_eq!(signatures, format!("{} {EXPECTED}", new.sign(ID, AT, BODY)));
        let believed = |secret: &SigningSecret, signatures: &str| {
            let message = Signed { id: ID, timestamp: "1614265330", signatures, body: BODY };
            secret.verify(&message, AT, TOLERANCE_S)
        };
        for receiver in [&old, &new, &both] {
            assert_eq!(believed(receiver, &signatures), Ok(()));
        }
        for sender in [&old, &new] {
            assert_eq!(believed(&both, &sender.sign(ID, AT, BODY)), Ok(()));
        }
        assert_eq!(believed(&new, EXPECTED), Err(Unverified::Signature));
    }

    #[test]
    fn bad_secrets_are_named_and_good_ones_not_printed() {
        for text in ["abc", "", " "] {
            assert_eq!(SigningSecret::parse(text).err(), Some(BadSecret::Prefix), "{text:?}");
        }
        assert_eq!(SigningSecret::parse(&format!("{SECRET} whsec_AAAA")).err(), Some(BadSecret::Length(3)));
        assert_eq!(SigningSecret::parse("whsec_*").err(), Some(BadSecret::Base64));
        assert_eq!(SigningSecret::parse("whsec_AAAA").err(), Some(BadSecret::Length(3)));
        assert_eq!(format!("{:?}", secret()), "SigningSecret(***)");
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_a_flipped_bit_does_not(
            key in prop::collection::vec(any::<u8>(), 24..=64), body in prop::collection::vec(any::<u8>(), 0..200),
            at in 0..4_000_000_000i64, bit in 0usize..8,
        ) {
            let secret = SigningSecret(vec![key]);
            let signatures = secret.sign("a.1", at, &body);
            let timestamp = at.to_string();
            let message = Signed { id: "a.1", timestamp: &timestamp, signatures: &signatures, body: &body };
            prop_assert_eq!(secret.verify(&message, at, TOLERANCE_S), Ok(()));
            let mut changed = body.clone();
            if let Some(first) = changed.first_mut() {
                *first ^= 1 << bit;
                let message = Signed { body: &changed, ..message };
                prop_assert_eq!(secret.verify(&message, at, TOLERANCE_S), Err(Unverified::Signature));
            }
        }
    }
}
