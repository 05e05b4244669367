//! The wire format of Protobuf: fields of a message, borrowed, in the order sent. <https://protobuf.dev/programming-guides/encoding>
//!
//! `PBF-1` any bytes give fields or a fault, never a panic and never more fields than bytes. Groups, which proto3 does not know, are
//! a fault.

/// Types of what follows a tag.
pub(super) const VARINT: u64 = 0;
pub(super) const FIXED64: u64 = 1;
pub(super) const BYTES: u64 = 2;
pub(super) const FIXED32: u64 = 5;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Value<'a> {
    /// A whole number.
    Varint(u64),
    /// Eight bytes.
    Fixed64([u8; 8]),
    /// Text, bytes, a message.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32([u8; 4]),
}

impl Value<'_> {
    /// Its sort, in words.
    pub(super) fn sort(self) -> &'static str {
        match self {
            Self::Varint(_) => "a varint",
            Self::Fixed64(_) => "a 64-bit number",
            Self::Bytes(_) => "length-delimited",
            Self::Fixed32(_) => "a 32-bit number",
        }
    }
}

/// The bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fault;

/// The fields that are still to come.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// Whether there are no more.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next field and its number; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Fault> {
        if self.is_empty() {
            return Ok(None);
        }
        let tag = self.tag()?;
        Ok(Some((tag >> 3, self.value(tag)?)))
    }

    /// What stands before a field: its number and, in the lowest three bits, the type of what follows.
    #[inline]
    pub(super) fn tag(&mut self) -> Result<u64, Fault> {
        let tag = self.varint()?;
        // Field numbers have 29 bits, and there is none with the number 0.
        if (1 << 3..1 << 32).contains(&tag) { Ok(tag) } else { Err(Fault) }
    }

    /// What follows a tag.
    pub(super) fn value(&mut self, tag: u64) -> Result<Value<'a>, Fault> {
        match tag & 7 {
            VARINT => Ok(Value::Varint(self.varint()?)),
            FIXED64 => Ok(Value::Fixed64(self.fixed()?)),
            BYTES => Ok(Value::Bytes(self.bytes()?)),
            FIXED32 => Ok(Value::Fixed32(self.fixed()?)),
            _ => Err(Fault),
        }
    }

    /// Text, bytes, a message.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.varint()?).map_err(|_| Fault)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Fault)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A number of `N` bytes.
    #[inline]
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Fault)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// Base 128, the lowest seven bits first. Tags and lengths are of one byte, mostly.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        match self.0.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    /// Ten bytes at most, the last of which carries one bit.
    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for (place, byte) in (0u32..10).zip(self.0) {
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                if place == 9 && *byte > 1 {
                    return Err(Fault);
                }
                self.0 = self.0.get(place as usize + 1..).unwrap_or_default();
                return Ok(number);
            }
        }
        Err(Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(message: &[u8]) -> Result<Vec<(u64, Value<'_>)>, Fault> {
        let (mut fields, mut found) = (Fields::of(message), Vec::new());
        while let Some(field) = fields.next()? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn every_wire_type_is_read() {
        let message = [0x08, 0x96, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, b'h', b'i', 0x25, 1, 2, 3, 4];
        let expected = vec![
            (1, Value::Varint(150)),
            (2, Value::Fixed64([1, 2, 3, 4, 5, 6, 7, 8])),
            (3, Value::Bytes(b"hi")),
            (4, Value::Fixed32([1, 2, 3, 4])),
        ];
        assert_eq!(all(&message), Ok(expected));
    }

    #[test]
    fn what_is_no_message_is_a_fault() {
        let most = [&[0x08][..], &[0xff; 9], &[1]].concat();
        assert_eq!(all(&most), Ok(vec![(1, Value::Varint(u64::MAX))]));
        let more = [&[0x08][..], &[0xff; 9], &[2]].concat();
        let endless = [&[0x08][..], &[0x80; 10], &[0]].concat();
        for wrong in [
            &more[..],
            &endless,
            &[0x08],
            &[0x08, 0x80],
            &[0x1a, 3, 1, 2],
            &[0x11, 1],
            &[0x25],
            &[0x00, 1],
            &[0x0b],
            &[0x0c],
        ] {
            assert_eq!(all(wrong), Err(Fault), "{wrong:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(fields) = all(&bytes) {
                prop_assert!(fields.len() * 2 <= bytes.len());
            }
        }
    }
}
