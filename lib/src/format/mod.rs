//! Log formats: a line of text or JSON in, a normalised record out.
//!
//! A parser here is a pure function of a line. Those of text append JSON
//! members without the braces around them, so that the caller can put others
//! before and behind them, and leave their output alone if the line is not in
//! their format.

mod access;
mod apache_error;
mod attempts;
mod container;
mod csv;
mod cursor;
mod fields;
mod json;
mod log_format;
mod logfmt;
mod members;
mod nginx_error;
mod pattern;
mod spelling;
mod structured_data;
mod syslog;
mod text;
mod time_options;

pub use access::AccessParser;
pub use apache_error::ApacheErrorParser;
pub(crate) use attempts::FieldSource;
pub use container::{Containers, Unwrapped};
pub use csv::CsvParser;
pub use json::{JsonError, JsonRecords, Normalized};
pub use log_format::{Dialect, LogFormatParser};
pub use logfmt::LogfmtParser;
pub use nginx_error::NginxErrorParser;
pub use pattern::{PatternError, PatternParser};
pub use syslog::SyslogParser;
pub use text::{AutoParser, TextParser};
pub use time_options::{TimeOptions, Untimed};

use json::NAMES;
pub(crate) use time_options::time_like;

use crate::line::Reason;

/// What a parser of text made of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A record that begins with its `timestamp`.
    Timed,
    /// A record without a time.
    Untimed,
    /// No record: a line that says how to read the others, such as the header
    /// of CSV.
    Header,
}

/// Why a line is not in the format: what was expected, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} in the {token} at column {}", .at + 1)]
pub struct Mismatch {
    /// [`Reason::BadTimestamp`] if there is a time, but none that can be read;
    /// else [`Reason::NoMatch`].
    pub reason: Reason,
    /// Where, in bytes from the start of the line.
    pub at: usize,
    /// The part of the line that was being read, such as `user agent`.
    pub token: &'static str,
    /// What would have been right there, such as `a closing quote`.
    pub expected: &'static str,
}

impl Mismatch {
    /// The line is not in the format.
    pub(crate) const fn no_match(at: usize, token: &'static str, expected: &'static str) -> Self {
        Self { reason: Reason::NoMatch, at, token, expected }
    }

    /// The line has a time that is none.
    pub(crate) const fn bad_time(at: usize, expected: &'static str) -> Self {
        Self { reason: Reason::BadTimestamp, at, token: "time", expected }
    }

    /// How far the format came: a time that is none is further than all else,
    /// since the line has all of the format's marks up to there.
    pub(crate) fn reach(&self) -> (bool, usize) {
        (self.reason == Reason::BadTimestamp, self.at)
    }
}
