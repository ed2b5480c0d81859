//! The formats of lines that come in.
#![allow(clippy::doc_markdown, reason = "the docs of arguments are help texts")]

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::stage::Format;

/// What `--format` takes where lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LineFormat {
    /// JSON where a line begins with {, else an access log, error log, syslog or logfmt line
    Auto,
    /// JSON records; the time may be called timestamp, @timestamp, time, ts, t or date
    Json,
    /// Apache access logs: common, combined, `vhost_combined`
    Apache,
    /// Apache error logs, of 2.2 and 2.4
    ApacheError,
    /// nginx access logs: combined, and what is often added behind it
    Nginx,
    /// nginx error logs
    NginxError,
    /// key=value pairs; names as in json
    Logfmt,
    /// Syslog as in RFC 3164 (also without priority) and RFC 5424
    Syslog,
    /// Comma-separated values, a record a line; names as in json
    Csv,
    /// Lines that --pattern describes; names as in json
    Regex,
    /// Any text: a record {"word":…} for each word, without a time
    Words,
}

impl LineFormat {
    /// The format, if its name says all of it and its records have times.
    pub fn by_name(self) -> Option<Format> {
        Some(match self {
            Self::Auto => Format::Auto,
            Self::Json => Format::Json,
            Self::Apache => Format::Apache,
            Self::ApacheError => Format::ApacheError,
            Self::Nginx => Format::Nginx,
            Self::NginxError => Format::NginxError,
            Self::Logfmt => Format::Logfmt,
            Self::Syslog => Format::Syslog,
            Self::Csv | Self::Regex | Self::Words => return None,
        })
    }

    /// Reads the name of a format that [has all in its name](Self::by_name).
    pub fn named() -> impl TypedValueParser<Value = Self> {
        let all = Self::value_variants().iter();
        let named = all.filter(|format| format.by_name().is_some());
        PossibleValuesParser::new(named.filter_map(Self::to_possible_value))
            .try_map(|name| Self::from_str(&name, false))
    }
}
