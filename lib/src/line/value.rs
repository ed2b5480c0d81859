//! Values: what fields hold and expressions yield.

use std::borrow::Cow;
use std::cmp::Ordering;

use bumpalo::Bump;

use super::grammar::{Field, Kind};
use super::json;
use crate::time::Timestamp;

/// A value, borrowed from a record or computed.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// SQL's null; also a field that a record lacks.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer. Integers past 38 digits are doubles.
    Int(i128),
    /// A number with a point or an exponent; never NaN or infinite where it
    /// comes from a record.
    Double(f64),
    /// Text: UTF-8, escapes resolved.
    Str(&'a [u8]),
    /// An instant.
    Time(Timestamp),
    /// An object or array, as JSON text.
    Json(&'a [u8]),
    /// A list: its length and its JSON text.
    List(usize, &'a [u8]),
}

impl<'a> Value<'a> {
    /// The value of a field. A string with escapes is resolved into `scratch`.
    /// A number beyond the doubles, such as 1e400, is null: who reads one counts
    /// it among the failed casts.
    #[inline]
    pub fn read(field: Field, line: &'a [u8], scratch: &'a mut Vec<u8>) -> Self {
        if field.kind != Kind::EscapedStr {
            return Self::read_plain(field, line);
        }
        scratch.clear();
        json::unescape(field.inner(line), scratch);
        Self::Str(scratch)
    }

    /// As [`read`](Self::read), for several values at once: text with escapes
    /// is resolved into `arena`.
    #[inline]
    pub fn read_in(field: Field, line: &'a [u8], arena: &'a Bump) -> Self {
        if field.kind != Kind::EscapedStr {
            return Self::read_plain(field, line);
        }
        let inner = field.inner(line);
        let mut text = Vec::with_capacity(inner.len());
        json::unescape(inner, &mut text);
        Self::Str(arena.alloc_slice_copy(&text))
    }

    /// The value of a field; of a string with escapes, the text with them.
    #[inline]
    fn read_plain(field: Field, line: &'a [u8]) -> Self {
        match field.kind {
            Kind::Missing | Kind::Null => Self::Null,
            Kind::False => Self::Bool(false),
            Kind::True => Self::Bool(true),
            Kind::Int => match json::parse_int(field.text(line)) {
                Some(number) => Self::Int(number),
                None => Self::read_double(field.text(line)),
            },
            Kind::Float => Self::read_double(field.text(line)),
            Kind::Str | Kind::EscapedStr => Self::Str(field.inner(line)),
            Kind::Object | Kind::Array => Self::Json(field.text(line)),
        }
    }

    /// The value that a piece of valid JSON text without blanks around it is.
    /// A string with escapes is resolved into `arena`.
    pub fn from_json(text: &'a [u8], arena: &'a Bump) -> Self {
        let kind = match text.first() {
            Some(b'"') if memchr::memchr(b'\\', text).is_some() => Kind::EscapedStr,
            Some(b'"') => Kind::Str,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(b'n') | None => Kind::Null,
            Some(_) if text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => Kind::Float,
            Some(_) => Kind::Int,
        };
        let field = Field { kind, start: 0, end: text.len() as u32 };
        Self::read_in(field, text, arena)
    }

    #[inline]
    fn read_double(text: &[u8]) -> Self {
        json::parse_double(text).map_or(Self::Null, Self::Double)
    }

    /// Whether this is null.
    #[inline]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as a double, if it is a number.
    #[inline]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Int(number) => Some(number as f64),
            Self::Double(number) => Some(number),
            _ => None,
        }
    }

    /// Appends the value as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(number) => json::write_int(number, out),
            Self::Double(number) => json::write_double(number, out),
            Self::Str(text) => json::write_string(text, out),
            Self::Time(time) => {
                out.push(b'"');
                time.write(out);
                out.push(b'"');
            }
            Self::Json(text) | Self::List(_, text) => out.extend_from_slice(text),
        }
    }

    /// The value as text, the way a cast to string gives it; null stays null.
    pub fn to_text(&self) -> Option<Cow<'a, [u8]>> {
        match *self {
            Self::Null => None,
            Self::Str(text) => Some(Cow::Borrowed(text)),
            Self::Time(time) => {
                let mut text = Vec::with_capacity(30);
                time.write(&mut text);
                Some(Cow::Owned(text))
            }
            _ => {
                let mut text = Vec::new();
                self.write(&mut text);
                Some(Cow::Owned(text))
            }
        }
    }

    /// Position of the value's type in the order of types.
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) | Self::Double(_) => 2,
            Self::Time(_) => 3,
            Self::Str(_) => 4,
            Self::Json(_) | Self::List(..) => 5,
        }
    }

    /// The total order of values: null, false, true, numbers by size, times,
    /// strings by bytes, then everything else by its text. Equal exactly when
    /// the values are: 1 and 1.0 are, 1 and "1" are not.
    pub fn total_cmp(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Self::Int(a), Value::Int(b)) => a.cmp(b),
            (Self::Double(a), Value::Double(b)) => compare_doubles(*a, *b),
            (Self::Int(a), Value::Double(b)) => compare_mixed(*a, *b),
            (Self::Double(a), Value::Int(b)) => compare_mixed(*b, *a).reverse(),
            (Self::Time(a), Value::Time(b)) => a.cmp(b),
            (Self::Str(a), Value::Str(b))
            | (Self::Json(a) | Self::List(_, a), Value::Json(b) | Value::List(_, b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// Appends bytes that are equal for equal values and compare, byte by byte,
    /// in the order of [`total_cmp`](Self::total_cmp). No such key is the
    /// beginning of another.
    pub fn write_key(&self, out: &mut Vec<u8>) {
        out.push(self.rank());
        match *self {
            Self::Null => {}
            Self::Bool(truth) => out.push(truth.into()),
            Self::Int(number) => {
                let near = number as f64;
                write_number_key(near, number.saturating_sub(near as i128), out);
            }
            Self::Double(number) => write_number_key(number, 0, out),
            Self::Time(time) => {
                out.extend_from_slice(&(time.micros ^ i64::MIN).to_be_bytes());
                out.extend_from_slice(&time.nanos.to_be_bytes());
            }
            Self::Str(text) | Self::Json(text) | Self::List(_, text) => {
                // A zero byte becomes 00 ff, so that the end, 00 00, sorts
                // before every continuation.
                let mut rest = text;
                while let Some(at) = memchr::memchr(0, rest) {
                    out.extend_from_slice(&rest[..at]);
                    out.extend_from_slice(&[0, 0xff]);
                    rest = &rest[at + 1..];
                }
                out.extend_from_slice(rest);
                out.extend_from_slice(&[0, 0]);
            }
        }
    }
}

/// The nearest double, then how far the exact integer lies from it.
fn write_number_key(near: f64, rest: i128, out: &mut Vec<u8>) {
    // -0.0 and 0.0 are one value.
    let bits = (near + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.extend_from_slice(&ordered.to_be_bytes());
    out.extend_from_slice(&(rest ^ i128::MIN).to_be_bytes());
}

fn compare_doubles(a: f64, b: f64) -> Ordering {
    (a + 0.0).total_cmp(&(b + 0.0))
}

/// Compares an integer with a double exactly: through the nearest double, and
/// where that is a tie by what rounding took off.
fn compare_mixed(int: i128, double: f64) -> Ordering {
    let near = int as f64;
    compare_doubles(near, double).then_with(|| int.cmp(&(near as i128)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = (u8, i64, f64, Vec<u8>)> {
        (0_u8..7, any::<i64>(), any::<f64>(), proptest::collection::vec(0_u8..3, 0..4))
    }

    fn value((kind, int, double, text): &(u8, i64, f64, Vec<u8>)) -> Value<'_> {
        match kind {
            0 => Value::Null,
            1 => Value::Bool(int % 2 == 0),
            2 => Value::Int(i128::from(*int)),
            3 => Value::Int(i128::from(int % 4)),
            4 => Value::Double((int % 4) as f64 / 2.0),
            5 => Value::Double(if double.is_finite() { *double } else { 0.0 }),
            _ => Value::Str(text),
        }
    }

    fn key(value: Value<'_>) -> Vec<u8> {
        let mut key = Vec::new();
        value.write_key(&mut key);
        key
    }

    proptest! {
        #[test]
        fn keys_compare_as_values_do(a in any_value(), b in any_value()) {
            let (a, b) = (value(&a), value(&b));
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b), "{:?} {:?}", a, b);
        }
    }

    #[test]
    fn keys_are_values_not_spellings() {
        assert_eq!(key(Value::Int(1)), key(Value::Double(1.0)));
        assert_eq!(key(Value::Double(-0.0)), key(Value::Int(0)));
        assert_ne!(key(Value::Int(1)), key(Value::Str(b"1")));
        let big = 9_007_199_254_740_993;
        assert_ne!(key(Value::Int(big)), key(Value::Int(big - 1)));
        assert_eq!(key(Value::Int(big - 1)), key(Value::Double(9_007_199_254_740_992.0)));
    }
}
