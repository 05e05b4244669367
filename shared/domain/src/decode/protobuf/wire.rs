//! The wire format of Protobuf: fields of a message, borrowed, in the order sent. <https://protobuf.dev/programming-guides/encoding>
//!
//! `PBF-1` any bytes give fields or a fault, never a panic and never more fields than bytes. Groups, which proto3 does not know, are
//! a fault.

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

    /// The next field and its number; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Fault> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        // Field numbers have 29 bits, and there is none with the number 0.
        let number = tag >> 3;
        if number == 0 || number >= 1 << 29 {
            return Err(Fault);
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.fixed()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Fault)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Fault)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(self.fixed()?),
            _ => return Err(Fault),
        };
        Ok(Some((number, value)))
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Fault)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// Base 128, the lowest seven bits first; ten bytes at most, the last of which carries one bit.
    #[inline]
    fn varint(&mut self) -> Result<u64, Fault> {
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
