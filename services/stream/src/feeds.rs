//! Feeds and watermark domains: who publishes, and whose clock a record goes by.

use crate::{
    checkpoint::DomainForm,
    cluster::{Ask, Authority, Tail},
    windows::LIVE,
};
use gridwarden_domain::{
    city::CityFile,
    crs::Crs,
    reject::{Code, Reason},
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A feed as the city knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Feed {
    /// Its name; empty for the live feed without one.
    pub(crate) name: String,
    /// Reference system where a record names none.
    pub(crate) crs: Crs,
    /// Plays the past.
    pub(crate) historical: bool,
}

/// The city's feeds.
#[derive(Debug)]
pub(crate) struct Feeds(Vec<Feed>);

impl Feeds {
    /// Number 0 is the live feed without a name; a name the city does not know is read as that one.
    pub(crate) fn of(city: &CityFile) -> Self {
        let nameless = Feed { name: String::new(), crs: Crs::default(), historical: false };
        let named =
            city.feeds.iter().map(|feed| Feed { name: feed.name.clone(), crs: feed.crs, historical: feed.historical });
        Self(std::iter::once(nameless).chain(named).take(usize::from(u16::MAX)).collect())
    }

    /// The number of the feed a header names. One that nobody can read is a reason not to take the record.
    #[inline]
    pub(crate) fn find(&self, header: Option<&[u8]>) -> Result<u16, Reason> {
        let Some(name) = header else { return Ok(0) };
        match self.0.iter().position(|feed| feed.name.as_bytes() == name) {
            Some(number) => Ok(number as u16),
            None if std::str::from_utf8(name).is_ok() => Ok(0),
            None => Err(Reason::new(Code::NotUtf8, "header feed", "the header is not UTF-8")),
        }
    }

    /// All names, by number.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|feed| feed.name.clone()).collect()
    }

    /// Names of those that play the past.
    pub(crate) fn historical(&self) -> Vec<String> {
        self.0.iter().filter(|feed| feed.historical).map(|feed| feed.name.clone()).collect()
    }

    /// A feed by number.
    #[inline]
    pub(crate) fn get(&self, number: u16) -> Option<&Feed> {
        self.0.get(usize::from(number))
    }

    /// A feed's name by number.
    pub(crate) fn name(&self, number: u16) -> &str {
        self.get(number).map_or("", |feed| feed.name.as_str())
    }
}

/// Watermark domains: the live one, and one per historical feed and topic.
pub(crate) struct Domains {
    /// Partitions of all topics, then of each topic.
    live_parts: usize,
    topic_parts: Vec<usize>,
    made: Mutex<BTreeMap<(u16, u16), u8>>,
    /// Who gives out numbers, when this process does not.
    authority: Option<Authority>,
}

/// Domains fit into one machine word; the feeds beyond share the last.
const LAST: u8 = 63;

impl Domains {
    /// `topic_parts`: number of partitions of each topic read.
    pub(crate) fn new(topic_parts: Vec<usize>) -> Self {
        Self { live_parts: topic_parts.iter().sum(), topic_parts, made: Mutex::default(), authority: None }
    }

    /// From now on another process gives out numbers.
    pub(crate) fn set_authority(&mut self, authority: Authority) {
        self.authority = Some(authority);
    }

    /// The domain of a historical feed in a topic.
    pub(crate) fn historical(&self, feed: u16, topic: u16) -> u8 {
        let mut made = self.made();
        if let Some(authority) = self.authority.as_ref().filter(|_| !made.contains_key(&(feed, topic))) {
            learn(&mut made, authority, Some((feed, topic)));
        }
        let next = u8::try_from(made.len() + 1).unwrap_or(LAST).min(LAST);
        *made.entry((feed, topic)).or_insert(next)
    }

    /// For saving: historical domains.
    pub(crate) fn saved(&self) -> Vec<DomainForm> {
        let made = self.made();
        made.iter().map(|((feed, topic), domain)| DomainForm { feed: *feed, topic: *topic, domain: *domain }).collect()
    }

    /// How many partitions must have spoken before the domain has a watermark.
    pub(crate) fn expected(&self, domain: u8) -> usize {
        if domain == LIVE {
            return self.live_parts;
        }
        let mut made = self.made();
        if let Some(authority) = self.authority.as_ref().filter(|_| !made.values().any(|known| *known == domain)) {
            // Another process has met it: a watermark without all who must speak would come too early.
            learn(&mut made, authority, None);
        }
        // The last domain is shared: its feeds may share topics as well.
        let topics = made.iter().filter(|(_, known)| **known == domain).map(|((_, topic), _)| usize::from(*topic));
        let topics: BTreeSet<usize> = topics.collect();
        topics.into_iter().map(|topic| self.topic_parts.get(topic).copied().unwrap_or(0)).sum()
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<(u16, u16), u8>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cold]
fn learn(made: &mut BTreeMap<(u16, u16), u8>, authority: &Authority, wanted: Option<(u16, u16)>) {
    if let Tail::Domains(all) = authority.ask(Ask::Domains { wanted }) {
        made.extend(all.iter().map(|form| ((form.feed, form.topic), form.domain)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_found_by_its_header() {
        let feeds =
            Feeds(["", "past"].map(|name| Feed { name: name.into(), crs: Crs::default(), historical: false }).into());
        assert_eq!(feeds.find(None).unwrap(), 0);
        assert_eq!(feeds.find(Some(b"past")).unwrap(), 1);
        assert_eq!(feeds.find(Some(b"nobody's")).unwrap(), 0);
        assert_eq!(feeds.find(Some(b"\xff")).unwrap_err().code, Code::NotUtf8);
    }

    #[test]
    fn a_domain_is_feed_and_topic() {
        let domains = Domains::new(vec![12, 3]);
        assert_eq!(domains.expected(LIVE), 15);
        assert_eq!(domains.historical(4, 1), 1);
        assert_eq!(domains.historical(4, 0), 2);
        assert_eq!(domains.historical(4, 1), 1);
        assert_eq!((domains.expected(1), domains.expected(2)), (3, 12));
        for feed in 10..100 {
            assert!(domains.historical(feed, 0) <= LAST);
        }
        assert_eq!(domains.expected(LAST), 12, "a partition can speak once, however many feeds share the domain");
    }
}
