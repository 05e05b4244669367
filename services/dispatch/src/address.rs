//! Which addresses a webhook may not go to: everything that is not plainly on the public internet.
//!
//! Pure. Asked after DNS, for every address a name gave, and those are the only ones connected to; a literal address in the
//! URL is asked as well (`DSP-6`). An endpoint with `allow_private` is not asked.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// 0.0.0.0, ::, "this network".
    Unspecified,
    /// The machine itself.
    Loopback,
    /// RFC 1918, unique local, site local.
    Private,
    /// Shared address space of carriers (RFC 6598).
    Carrier,
    /// Link-local; among them the clouds' metadata services.
    LinkLocal,
    /// Multicast or broadcast.
    Multicast,
    /// Reserved, documentation, benchmarks, protocol assignments.
    Reserved,
    /// An IPv6 address that wraps an IPv4 address nobody needs to wrap (Teredo, 6to4, IPv4-compatible).
    Wrapped,
}

impl Refused {
    /// A bounded name for logs, metrics and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Carrier => "carrier-shared",
            Self::LinkLocal => "link-local",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::Wrapped => "wrapped",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// IANA's special-purpose IPv4 blocks: network, prefix length, why.
const V4: &[(Ipv4Addr, u32, Refused)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, Refused::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Refused::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Refused::Carrier),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Refused::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Refused::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Refused::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Refused::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Refused::Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Refused::Reserved),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Refused::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Refused::Reserved),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Refused::Reserved),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Refused::Reserved),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Refused::Multicast),
    (Ipv4Addr::new(255, 255, 255, 255), 32, Refused::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Refused::Reserved),
];

/// Blocks inside and outside 2000::/3 (global unicast), which is all that may pass.
const V6: &[(Ipv6Addr, u32, Refused)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, Refused::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Refused::Loopback),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96, Refused::Wrapped),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Refused::Private),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Refused::Wrapped),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Refused::Reserved),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Refused::Reserved),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Refused::Wrapped),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Refused::Reserved),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Refused::Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Refused::LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Refused::Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Refused::Multicast),
];

/// 64:ff9b::/96, the well-known NAT64 prefix: judged by the IPv4 address inside.
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

/// Why this address is refused; `None` when it may be connected to.
pub fn refused(address: IpAddr) -> Option<Refused> {
    match address {
        IpAddr::V4(v4) => refused_v4(v4),
        IpAddr::V6(v6) => refused_v6(v6),
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<Refused> {
    let inside = |network: Ipv4Addr, bits: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits;
    V4.iter().find(|(network, bits, _)| inside(*network, *bits)).map(|(_, _, why)| *why)
}

fn refused_v6(address: Ipv6Addr) -> Option<Refused> {
    let inside = |network: Ipv6Addr, bits: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits;
    if let Some(v4) = address.to_ipv4_mapped() {
        return refused_v4(v4);
    }
    if inside(NAT64, 96) {
        let [.., a, b, c, d] = address.octets();
        return refused_v4(Ipv4Addr::new(a, b, c, d));
    }
    let known = V6.iter().find(|(network, bits, _)| inside(*network, *bits)).map(|(_, _, why)| *why);
    known.or((!inside(GLOBAL, 3)).then_some(Refused::Reserved))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Addresses attackers use, and what must be said about each.
    const CASES: &[(&str, Refused)] = &[
        ("0.0.0.0", Refused::Unspecified),
        ("0.1.2.3", Refused::Unspecified),
        ("10.0.0.1", Refused::Private),
        ("10.255.255.255", Refused::Private),
        ("100.64.0.1", Refused::Carrier),
        ("100.127.255.254", Refused::Carrier),
        ("100.100.100.200", Refused::Carrier),
        ("127.0.0.1", Refused::Loopback),
        ("127.1.1.1", Refused::Loopback),
        ("127.255.255.254", Refused::Loopback),
        ("169.254.169.254", Refused::LinkLocal),
        ("169.254.170.2", Refused::LinkLocal),
        ("172.16.0.1", Refused::Private),
        ("172.31.255.255", Refused::Private),
        ("192.0.0.1", Refused::Reserved),
        ("192.0.0.192", Refused::Reserved),
        ("192.0.2.1", Refused::Reserved),
        ("192.88.99.1", Refused::Reserved),
        ("192.168.0.1", Refused::Private),
        ("192.168.255.255", Refused::Private),
        ("198.18.0.1", Refused::Reserved),
        ("198.19.255.255", Refused::Reserved),
        ("198.51.100.7", Refused::Reserved),
        ("203.0.113.7", Refused::Reserved),
        ("224.0.0.1", Refused::Multicast),
        ("239.255.255.250", Refused::Multicast),
        ("240.0.0.1", Refused::Reserved),
        ("255.255.255.255", Refused::Multicast),
        ("::", Refused::Unspecified),
        ("::1", Refused::Loopback),
        ("::127.0.0.1", Refused::Wrapped),
        ("::ffff:127.0.0.1", Refused::Loopback),
        ("::ffff:10.1.2.3", Refused::Private),
        ("::ffff:169.254.169.254", Refused::LinkLocal),
        ("::ffff:0.0.0.0", Refused::Unspecified),
        ("64:ff9b::127.0.0.1", Refused::Loopback),
        ("64:ff9b::a9fe:a9fe", Refused::LinkLocal),
        ("64:ff9b:1::1", Refused::Private),
        ("100::1", Refused::Reserved),
        ("2001::7f00:1", Refused::Wrapped),
        ("2001:db8::1", Refused::Reserved),
        ("2002:7f00:1::", Refused::Wrapped),
        ("3fff::1", Refused::Reserved),
        ("fc00::1", Refused::Private),
        ("fd00:ec2::254", Refused::Private),
        ("fe80::1", Refused::LinkLocal),
        ("fec0::1", Refused::Private),
        ("ff02::1", Refused::Multicast),
        ("4000::1", Refused::Reserved),
    ];

    #[test]
    fn every_case_is_refused_for_its_reason() {
        assert!(CASES.len() >= 40);
        for (text, why) in CASES {
            assert_eq!(refused(text.parse().expect("address")), Some(*why), "{text}");
        }
    }

    #[test]
    fn public_addresses_pass_and_so_do_the_neighbours_of_blocks() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ];
        for text in public {
            assert_eq!(refused(text.parse().expect("address")), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn wrapping_an_address_never_makes_it_pass(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(refused(IpAddr::V6(v4.to_ipv6_mapped())), refused(IpAddr::V4(v4)));
            prop_assert!(refused(IpAddr::V6(v4.to_ipv6_compatible())).is_some());
        }

        #[test]
        fn agrees_with_std_where_std_knows(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let known = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_unspecified();
            prop_assert!(!known || refused(IpAddr::V4(v4)).is_some());
        }
    }
}
