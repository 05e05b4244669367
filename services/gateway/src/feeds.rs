//! Who may publish what. Pure.
//!
//! `GTW-1` a token is compared by its SHA-256, with every feed's, in a time that does not depend on where they differ.

use gridwarden_domain::city::{Feed, Intake};
use gridwarden_domain::crs::Crs;
use gridwarden_runtime::secrets::Secret;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// A feed's place in the table; 0 is the administrator.
pub type Number = u16;

/// A party that publishes.
#[derive(Clone, Debug)]
pub struct Party {
    /// Feed name; empty for the administrator, who publishes as the live feed without a name.
    pub feed: String,
    /// What it may publish.
    pub may: Vec<Intake>,
    /// Reference system of its positions where a record names none.
    pub crs: Crs,
    hash: Option<[u8; 32]>,
}

/// A feed that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadFeed {
    /// `token_sha256` is not 64 hex digits.
    #[error("feed {0}: token_sha256 must be 64 hex digits")]
    Hash(String),
    /// The same name twice, or the same token.
    #[error("feed {0}: another feed has the same name or token")]
    Twice(String),
}

/// The table of parties.
#[derive(Clone, Debug)]
pub struct Feeds(Vec<Party>);

/// Why a request may not publish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No token, or one nobody has.
    Unknown,
    /// Known, but not for this kind of record.
    Forbidden,
}

impl Feeds {
    /// The administrator, if there is one, and the feeds of `city.toml`.
    pub fn new(admin: Option<&Secret>, feeds: &[Feed]) -> Result<Self, BadFeed> {
        let everything = vec![Intake::Observations, Intake::Reports];
        let hash = admin.map(|secret| hash_of(secret.reveal()));
        let mut parties = vec![Party { feed: String::new(), may: everything, crs: Crs::default(), hash }];
        for feed in feeds {
            let hash = feed.token_sha256.as_deref().map(|text| read_hash(text).ok_or(BadFeed::Hash(feed.name.clone())));
            let party =
                Party { feed: feed.name.clone(), may: feed.may.clone(), crs: feed.crs, hash: hash.transpose()? };
            let same = |other: &Party| other.feed == party.feed || (party.hash.is_some() && other.hash == party.hash);
            if parties.iter().any(same) {
                return Err(BadFeed::Twice(feed.name.clone()));
            }
            parties.push(party);
        }
        Ok(Self(parties))
    }

    /// The party whose token this is, if it may publish `what`.
    pub fn admit(&self, token: Option<&str>, what: Intake) -> Result<(Number, &Party), Refusal> {
        let hash = hash_of(token.ok_or(Refusal::Unknown)?);
        let (mut found, mut number) = (Choice::from(0), 0u16);
        for (index, party) in (0u16..).zip(&self.0) {
            let same = party.hash.map_or(Choice::from(0), |own| own.ct_eq(&hash));
            number = u16::conditional_select(&number, &index, same);
            found |= same;
        }
        let party = self.0.get(usize::from(number)).filter(|_| found.into()).ok_or(Refusal::Unknown)?;
        if party.may.contains(&what) { Ok((number, party)) } else { Err(Refusal::Forbidden) }
    }

    /// How many parties there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn read_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(name: &str, token: Option<&str>, may: &[Intake]) -> Feed {
        Feed {
            name: name.into(),
            token_sha256: token.map(|token| hex::encode(hash_of(token))),
            may: may.to_vec(),
            crs: Crs::Cgcs2000,
            historical: false,
        }
    }

    fn feeds() -> Feeds {
        let admin = Secret::literal("root");
        let feeds = [
            feed("air", Some("one"), &[Intake::Observations]),
            feed("app", Some("two"), &[Intake::Reports, Intake::Observations]),
            feed("file", None, &[Intake::Observations]),
        ];
        Feeds::new(Some(&admin), &feeds).expect("feeds")
    }

    fn admitted(token: Option<&str>, what: Intake) -> Result<String, Refusal> {
        feeds().admit(token, what).map(|(_, party)| party.feed.clone())
    }

    #[test]
    fn who_may_what() {
        assert_eq!(admitted(Some("one"), Intake::Observations), Ok("air".into()));
        assert_eq!(admitted(Some("one"), Intake::Reports), Err(Refusal::Forbidden));
        assert_eq!(admitted(Some("two"), Intake::Reports), Ok("app".into()));
        assert_eq!(admitted(Some("root"), Intake::Reports), Ok(String::new()));
    }

    #[test]
    fn nobody_else() {
        for token in [None, Some(""), Some("on"), Some("one "), Some("ONE"), Some("onetwo")] {
            assert_eq!(admitted(token, Intake::Observations), Err(Refusal::Unknown), "{token:?}");
        }
        let without_admin = Feeds::new(None, &[]).expect("feeds");
        assert_eq!(without_admin.admit(Some(""), Intake::Reports).err(), Some(Refusal::Unknown));
    }

    #[test]
    fn bad_feeds_are_named() {
        let bad = Feed { token_sha256: Some("abc".into()), ..feed("a", None, &[]) };
        assert_eq!(Feeds::new(None, &[bad]).err(), Some(BadFeed::Hash("a".into())));
        let twins = [feed("a", Some("x"), &[]), feed("b", Some("x"), &[])];
        assert_eq!(Feeds::new(None, &twins).err(), Some(BadFeed::Twice("b".into())));
        let twins = [feed("a", None, &[]), feed("a", None, &[])];
        assert_eq!(Feeds::new(None, &twins).err(), Some(BadFeed::Twice("a".into())));
    }
}
