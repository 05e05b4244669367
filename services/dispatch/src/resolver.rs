//! Names to addresses for webhooks: those no webhook may go to are taken out between DNS and connect, so a name that
//! changes its answer between two questions gains nothing (`DSP-6`).

use crate::address::{Refused, refused};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;

/// Every address of a name is one no webhook may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("webhooks may not go to this address ({0})")]
pub struct AddressRefused(pub Refused);

/// Resolves by the system and keeps what is public.
#[derive(Clone, Copy, Debug)]
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public = keep_public(found)?;
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be connected to; an error when there are some and none may.
fn keep_public(found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, AddressRefused> {
    let (mut public, mut why) = (Vec::new(), None);
    for address in found {
        match refused(address.ip()) {
            None => public.push(address),
            Some(reason) => why = Some(reason),
        }
    }
    match why {
        Some(reason) if public.is_empty() => Err(AddressRefused(reason)),
        _ => Ok(public),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(addresses: &[&str]) -> Result<usize, AddressRefused> {
        keep_public(addresses.iter().map(|text| text.parse().expect("address"))).map(|kept| kept.len())
    }

    #[test]
    fn only_public_ones_are_left() {
        assert_eq!(kept(&["8.8.8.8:0", "127.0.0.1:0"]), Ok(1));
        assert_eq!(kept(&["127.0.0.1:0", "[::1]:0"]), Err(AddressRefused(Refused::Loopback)));
        assert_eq!(kept(&[]), Ok(0));
    }

    #[tokio::test]
    async fn localhost_is_refused() {
        let Err(error) = PublicOnly.resolve("localhost".parse().expect("name")).await else {
            panic!("localhost was resolved");
        };
        assert_eq!(error.downcast_ref::<AddressRefused>(), Some(&AddressRefused(Refused::Loopback)));
    }
}
