//! Why a line cannot be used.

use std::fmt;

/// Why a line was rejected: the word that statistics, messages and reject files
/// use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Not JSON by RFC 8259.
    InvalidJson,
    /// JSON, but no object.
    NotObject,
    /// A record that uses a key which belongs to the stream itself.
    ReservedKey,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// The record has no event time.
    NoTimestamp,
    /// The record's event time cannot be read.
    BadTimestamp,
    /// The line is not in the format asked for.
    NoMatch,
    /// Longer than `--max-line`.
    TooLong,
    /// Nested deeper than 128 levels.
    TooDeep,
    /// Further ahead of time than the guards allow.
    Ahead,
}

impl Reason {
    /// All reasons, in the order of [`index`](Self::index).
    pub const ALL: [Self; 10] = [
        Self::InvalidJson,
        Self::NotObject,
        Self::ReservedKey,
        Self::InvalidUtf8,
        Self::NoTimestamp,
        Self::BadTimestamp,
        Self::NoMatch,
        Self::TooLong,
        Self::TooDeep,
        Self::Ahead,
    ];

    /// Position in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word for it, such as `no_timestamp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::NotObject => "not_object",
            Self::ReservedKey => "reserved_key",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NoTimestamp => "no_timestamp",
            Self::BadTimestamp => "bad_timestamp",
            Self::NoMatch => "no_match",
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::Ahead => "ahead",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
