//! A cursor over JSON text for the fast path: plain strings, plain numbers, one look at each byte. `None` always means
//! "not the common shape", never "wrong".

use crate::value::{Fixed, SCALE};

/// Where a scan stands.
pub(super) struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The whole text holds no byte of [`is_special`]: then a string ends at the next quote.
    plain: bool,
}

/// How deep values nobody asked for may nest: a device's own report, not somebody's document.
const DEEPEST: usize = 8;

/// Bytes that a plain string may not hold (besides the quote).
#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'\\' || byte == 0x7f
}

/// Whether any byte is special; written so that it compiles to wide instructions. The end is looked at in a last chunk that
/// overlaps the one before.
#[inline]
fn any_special(bytes: &[u8]) -> bool {
    let any = |bytes: &[u8]| bytes.iter().fold(false, |found, &byte| found | is_special(byte));
    let (chunks, _) = bytes.as_chunks::<32>();
    let Some(last) = bytes.last_chunk::<32>() else { return any(bytes) };
    chunks.iter().fold(any(last), |found, chunk| found | any(chunk))
}

/// A decimal number: sign, digits without the point, digits behind the point.
#[derive(Clone, Copy)]
pub(super) struct Decimal {
    negative: bool,
    digits: u64,
    behind: usize,
}

/// Powers of ten that `f64` holds exactly and a number of at most 18 digits needs.
const TENS: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// Millionths per digit behind the point, for up to six of them.
const STEPS: [u64; 7] = [1_000_000, 100_000, 10_000, 1000, 100, 10, 1];

/// Below this, rounding to `f64` and multiplying by a million (each off by half a unit in the last place at most) cannot
/// reach the next millionth, so the integer is what [`Fixed::from_f64`] gives.
const EXACT_MILLIONTHS: u64 = 1 << 51;

impl Decimal {
    /// The nearest `f64`: both parts are exact, so the one division rounds as `str::parse` does (Clinger 1990).
    #[inline]
    pub(super) fn to_f64(self) -> Option<f64> {
        if self.digits > 1 << 53 {
            return None;
        }
        let size = self.digits as f64 / TENS.get(self.behind)?;
        Some(if self.negative { -size } else { size })
    }

    /// What [`Fixed::from_f64`] makes of [`Self::to_f64`].
    #[inline]
    pub(super) fn to_fixed(self) -> Option<Fixed> {
        if let Some(step) = STEPS.get(self.behind)
            && let Some(size) = self.digits.checked_mul(*step)
            && size < EXACT_MILLIONTHS
        {
            let size = size as i64;
            return Some(Fixed(if self.negative { -size } else { size }));
        }
        Fixed::from_f64(self.to_f64()?)
    }
}

/// Every byte of a word.
const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte that is `wanted`. Bytes above the first one may be marked wrongly, the first never is.
#[inline]
fn marks(word: u64, wanted: u8) -> u64 {
    let difference = word ^ all(wanted);
    difference.wrapping_sub(all(1)) & !difference & all(0x80)
}

/// Powers of ten up to a word of digits.
const WHOLE_TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// How many digits a word begins with, and their number: pairs, then fours, then all eight are summed within the word (as simdjson
/// does), after those that follow were pushed out and zeros in.
#[inline]
fn digits_of(word: u64) -> (usize, u64) {
    let values = word ^ all(b'0');
    // A byte of ten or more reaches its high bit; its carry spoils later bytes only.
    let others = (values.wrapping_add(all(0x80 - 10)) | values) & all(0x80);
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    let digits = values << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    (count, fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

/// A key that is looked for, with its quotes and its colon: at most 16 bytes.
#[derive(Clone, Copy)]
pub(super) struct Key {
    word: u128,
    mask: u128,
    length: usize,
}

impl Key {
    pub(super) const fn of(text: &[u8]) -> Self {
        let (mut word, mut mask, mut rest) = (0, 0, text);
        while let Some((last, before)) = rest.split_last() {
            word = word << 8 | *last as u128;
            mask = mask << 8 | 0xff;
            rest = before;
        }
        Self { word, mask, length: text.len() }
    }
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, plain: !any_special(text.as_bytes()) }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Past a key that comes next, written without space; the scan then stands at the value.
    #[inline]
    pub(super) fn follows(&mut self, key: Key) -> bool {
        let next = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<16>);
        let follows = next.is_some_and(|next| u128::from_le_bytes(*next) & key.mask == key.word);
        if follows {
            self.at += key.length;
            self.space();
        }
        follows
    }

    /// Past an opening bracket.
    #[inline]
    pub(super) fn open(&mut self, bracket: u8) -> Option<()> {
        self.space();
        self.take(bracket)
    }

    /// Past a closing bracket that follows at once.
    #[inline]
    pub(super) fn is_closed(&mut self, bracket: u8) -> bool {
        self.space();
        self.take(bracket).is_some()
    }

    /// A key and its colon; the scan then stands at the value.
    #[inline]
    pub(super) fn key(&mut self) -> Option<&'a str> {
        self.space();
        let key = self.string()?;
        self.space();
        self.take(b':')?;
        self.space();
        Some(key)
    }

    /// Past a comma (true) or the closing bracket (false).
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Option<bool> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            byte if byte == close => Some(false),
            _ => None,
        }
    }

    /// Nothing may follow but space.
    #[inline]
    pub(super) fn end(&mut self) -> Option<()> {
        self.space();
        (self.at == self.bytes.len()).then_some(())
    }

    /// A string without escapes and control characters (DEL included).
    #[inline]
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let mut at = start;
        while let Some(word) = self.bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let quotes = marks(u64::from_le_bytes(*word), b'"');
            if quotes != 0 {
                at += (quotes.trailing_zeros() / 8) as usize;
                return self.close(start, at);
            }
            at += 8;
        }
        while *self.bytes.get(at)? != b'"' {
            at += 1;
        }
        self.close(start, at)
    }

    #[inline]
    fn close(&mut self, start: usize, at: usize) -> Option<&'a str> {
        self.at = at + 1;
        let string = self.text.get(start..at)?;
        (self.plain || !string.bytes().any(is_special)).then_some(string)
    }

    /// A number without exponent, at most 18 digits.
    #[inline]
    pub(super) fn number(&mut self) -> Option<Decimal> {
        let negative = self.take(b'-').is_some();
        let start = self.at;
        let mut digits = self.run(0);
        let ahead = self.at - start;
        let leading_zero = ahead > 1 && self.bytes.get(start) == Some(&b'0');
        let mut behind = 0;
        if self.take(b'.').is_some() {
            let point = self.at;
            digits = self.run(digits);
            behind = self.at - point;
            if behind == 0 {
                return None;
            }
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        let common = ahead > 0 && !leading_zero && !exponent && ahead + behind <= 18;
        common.then_some(Decimal { negative, digits, behind })
    }

    /// Appends a run of digits to a number, eight at once; a run too long wraps, and is refused by its length.
    #[inline]
    fn run(&mut self, mut digits: u64) -> u64 {
        while let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let (count, number) = digits_of(u64::from_le_bytes(*word));
            digits = digits.wrapping_mul(WHOLE_TENS.get(count).copied().unwrap_or_default()).wrapping_add(number);
            self.at += count;
            if count < 8 {
                return digits;
            }
        }
        while let Some(digit) = self.peek().map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        digits
    }

    /// A whole number that is not negative.
    #[inline]
    pub(super) fn integer(&mut self) -> Option<i64> {
        let number = self.number()?;
        if number.negative || number.behind > 0 { None } else { i64::try_from(number.digits).ok() }
    }

    /// Past a value nobody asked for.
    #[inline]
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_nested(DEEPEST)
    }

    fn skip_nested(&mut self, levels: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'{' => self.skip_entries(b'}', levels.checked_sub(1)?),
            b'[' => self.skip_entries(b']', levels.checked_sub(1)?),
            _ => self.number().map(|_| ()),
        }
    }

    /// Past an object or a list whose opening bracket comes next.
    fn skip_entries(&mut self, close: u8, levels: usize) -> Option<()> {
        self.at += 1;
        if self.is_closed(close) {
            return Some(());
        }
        loop {
            if close == b'}' {
                self.key()?;
            } else {
                self.space();
            }
            self.skip_nested(levels)?;
            if !self.another(close)? {
                return Some(());
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let found = self.bytes.get(self.at..)?.starts_with(word);
        found.then(|| self.at += word.len())
    }
}

const _: () = assert!(SCALE == 1_000_000, "STEPS are millionths");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str) {
        let parsed: f64 = text.parse().expect("number");
        let decimal = Scan::new(text).number().expect("common");
        if let Some(ours) = decimal.to_f64() {
            assert_eq!(ours.to_bits(), parsed.to_bits(), "{text}");
        }
        if let Some(ours) = decimal.to_fixed() {
            assert_eq!(Some(ours), Fixed::from_f64(parsed), "{text}");
        }
    }

    #[test]
    fn halves_and_edges_round_as_the_definition_does() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "0.0000005",
            "0.0000015",
            "-2.0000025",
            "1.0000004999999",
            "2251799813.685247",
            "2251799813.685248",
            "2251799813.685249",
            "999999999999.9999",
            "1000000000000",
            "1000000000000.5",
            "9007199254740992",
            "9007199254740993",
            "0.00000000000000001",
            "999999999999999999",
        ] {
            check(text);
        }
    }

    #[test]
    fn the_first_mark_of_a_word_is_exact() {
        let plain = *b"abc!#\xc3\xa9\xff";
        assert_eq!(marks(u64::from_le_bytes(plain), b'"'), 0);
        for at in 0..8 {
            for byte in 0..=255u8 {
                let mut word = plain;
                if let Some(slot) = word.get_mut(at) {
                    *slot = byte;
                }
                let expected = if byte == b'"' { at as u32 } else { 8 };
                assert_eq!(marks(u64::from_le_bytes(word), b'"').trailing_zeros() / 8, expected, "{word:?}");
            }
        }
    }

    #[test]
    fn special_bytes_are_found_anywhere() {
        for at in 0..70 {
            for byte in 0..=255u8 {
                let mut bytes = [b'"'; 70];
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
                assert_eq!(any_special(&bytes), is_special(byte));
            }
        }
    }

    proptest! {
        #[test]
        fn digits_are_counted_and_read_at_once(word: [u8; 8], digits in "[0-9]{0,8}") {
            let mut text = word;
            text.iter_mut().zip(digits.bytes()).for_each(|(slot, digit)| *slot = digit);
            let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = text.iter().take(count).fold(0, |number, byte| number * 10 + u64::from(byte - b'0'));
            prop_assert_eq!(digits_of(u64::from_le_bytes(text)), (count, number));
        }

        #[test]
        fn decimals_are_what_parse_makes_of_them(ahead in 0u64..100_000_000_000, behind in "[0-9]{0,9}", negative: bool) {
            let sign = if negative { "-" } else { "" };
            let point = if behind.is_empty() { "" } else { "." };
            let text = format!("{sign}{ahead}{point}{behind}");
            if ahead.to_string().len() + behind.len() <= 18 {
                check(&text);
            }
        }

        #[test]
        fn millionths_are_exact(millionths in -(1i64 << 51)..(1i64 << 51)) {
            let text = format!("{}{}.{:06}", if millionths < 0 { "-" } else { "" }, millionths.abs() / SCALE, millionths.abs() % SCALE);
            prop_assert_eq!(Scan::new(&text).number().and_then(Decimal::to_fixed), Some(Fixed(millionths)));
            check(&text);
        }
    }
}
