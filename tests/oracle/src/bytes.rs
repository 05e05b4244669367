//! Kafka's numbers and texts, written and read. What is read is from outside: nothing is taken for granted.

use anyhow::{Context, Result};

/// What is sent.
#[derive(Default)]
pub(crate) struct Output(pub(crate) Vec<u8>);

impl Output {
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn i8(&mut self, value: i8) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i16(&mut self, value: i16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// A short text.
    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.i16(value.len() as i16).raw(value.as_bytes())
    }

    /// A text of the flexible form.
    pub(crate) fn compact(&mut self, value: &str) -> &mut Self {
        self.varint(value.len() as u64 + 1).raw(value.as_bytes())
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> Result<&mut Self> {
        Ok(self.i32(i32::try_from(value.len())?).raw(value))
    }

    /// Seven bits a byte.
    pub(crate) fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// The same with the sign in the lowest bit.
    pub(crate) fn zigzag(&mut self, value: i64) -> &mut Self {
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned())
    }
}

/// What is received.
pub(crate) struct Input {
    bytes: Vec<u8>,
    at: usize,
}

impl Input {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&[u8]> {
        let taken = self.bytes.get(self.at..self.at + length).context("the bytes end too early")?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    pub(crate) fn i8(&mut self) -> Result<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn text(&mut self) -> Result<()> {
        let length = self.i16()?.max(0);
        self.take(usize::try_from(length)?).map(drop)
    }

    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    pub(crate) fn zigzag(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The length of a list of the flexible form.
    pub(crate) fn length(&mut self) -> Result<u64> {
        Ok(self.varint()?.saturating_sub(1))
    }

    pub(crate) fn compact(&mut self) -> Result<()> {
        let length = self.length()?;
        self.take(usize::try_from(length)?).map(drop)
    }

    /// Tagged fields, which nobody here knows.
    pub(crate) fn tags(&mut self) -> Result<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(usize::try_from(length)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for value in [0, 1, -1, 63, -64, 64, 300, i64::MAX, i64::MIN] {
            let mut out = Output::default();
            out.zigzag(value).i64(value);
            let mut input = Input::new(out.0);
            assert_eq!((input.zigzag().unwrap(), input.i64().unwrap()), (value, value));
            assert!(input.i8().is_err(), "nothing is left");
        }
    }
}
