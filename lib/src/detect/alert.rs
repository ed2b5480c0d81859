//! Alert lines.

use std::fmt;

use super::rule::Severity;
use crate::line::json;

/// What was found out about a row: the parts of an alert that are not copied
/// from it. Used again for each alert.
#[derive(Clone, Debug, Default)]
pub(super) struct Finding {
    /// What was looked at: the name of a field, or an expression. Empty for
    /// nothing in particular.
    pub(super) field: String,
    /// Its value, as JSON; empty for null.
    pub(super) value: Vec<u8>,
    /// What it was compared with, as JSON; empty for null.
    pub(super) expected: Vec<u8>,
    /// How far it is off; see the module's table.
    pub(super) score: Option<f64>,
    /// How many values before it was judged by, if by any number of them.
    pub(super) count: Option<u64>,
    /// Why that is an alert, in words.
    pub(super) reason: String,
}

impl Finding {
    /// Forgets the last one.
    pub(super) fn clear(&mut self) {
        self.field.clear();
        self.value.clear();
        self.expected.clear();
        (self.score, self.count) = (None, None);
        self.reason.clear();
    }

    /// Adds what was found to an alert, and ends it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"field\":");
        if self.field.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            json::write_string(self.field.as_bytes(), out);
        }
        for (name, value) in [("value", &self.value), ("expected", &self.expected)] {
            member(name.as_bytes(), if value.is_empty() { b"null" } else { value }, out);
        }
        out.extend_from_slice(b",\"score\":");
        json::write_double(self.score.unwrap_or(f64::NAN), out);
        if let Some(count) = self.count {
            out.extend_from_slice(b",\"n\":");
            json::write_int(count.into(), out);
        }
        out.extend_from_slice(b",\"reason\":");
        json::write_string(self.reason.as_bytes(), out);
        out.push(b'}');
    }
}

/// Begins an alert.
pub(super) fn open(name: &str, severity: Severity, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"alert\":");
    json::write_string(name.as_bytes(), out);
    out.extend_from_slice(b",\"severity\":\"");
    out.extend_from_slice(severity.name().as_bytes());
    out.push(b'"');
}

/// Adds a member whose value is JSON already.
pub(super) fn member(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(b',');
    json::write_string(name, out);
    out.push(b':');
    out.extend_from_slice(value);
}

/// A number for people: six significant digits, no zeros that say nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short(pub(super) f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = *self;
        if number == 0.0 {
            return f.write_str("0");
        }
        let magnitude = number.abs().log10().floor();
        if !(-5.0..15.0).contains(&magnitude) {
            return write!(f, "{number:.5e}");
        }
        // Rounding to a power of ten and dividing gives the double nearest to
        // the rounded decimal, whose shortest spelling is that decimal.
        if magnitude >= 5.0 {
            return write!(f, "{}", number.round());
        }
        let scale = 10_f64.powi(5 - magnitude as i32);
        write!(f, "{}", (number * scale).round() / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (10.0, "10"),
            (31.2, "31.2"),
            (27.099_999_999_999_998, "27.1"),
            (-2.0 / 3.0, "-0.666667"),
            (0.000_123_456_78, "0.000123457"),
            (1_234_567.891, "1234568"),
            (99_999.96, "100000"),
            (1e15, "1.00000e15"),
            (1.5e-9, "1.50000e-9"),
        ] {
            assert_eq!(Short(number).to_string(), text);
        }
    }
}
