//! The formats that `parse` is told of, and which of their lines are JSON.

use crate::format::{
    AccessParser, ApacheErrorParser, CsvParser, LogFormatParser, LogfmtParser, NginxErrorParser,
    PatternParser, SyslogParser, TextParser,
};

/// The formats of the lines that come in.
#[derive(Debug, Default)]
pub enum Format {
    /// Decided line by line: what begins with `{` is JSON, the rest an access
    /// log, an error log, syslog or logfmt.
    #[default]
    Auto,
    /// JSON records.
    Json,
    /// Apache's common, combined and `vhost_combined`.
    Apache,
    /// Apache's error log.
    ApacheError,
    /// nginx's combined, and what is often added behind it.
    Nginx,
    /// nginx's error log.
    NginxError,
    /// `key=value` pairs.
    Logfmt,
    /// Syslog.
    Syslog,
    /// Comma-separated values.
    Csv(CsvParser),
    /// Lines of any shape, by a regular expression.
    Regex(PatternParser),
    /// Access logs in a format of the server's administrator.
    LogFormat(LogFormatParser),
    /// Any text: a record for each word, without a time.
    Words,
}

/// Which lines are JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Json {
    /// All.
    Always,
    /// Those that begin with a brace.
    Sometimes,
    /// None: those that begin with a brace are not in the format.
    Never,
    /// None: a brace is text like any other.
    IsText,
}

impl Format {
    /// Which lines are JSON, and what parses the others: `None` for words.
    pub(super) fn parts(self) -> (Json, Option<TextParser>) {
        match self {
            Self::Auto => (Json::Sometimes, Some(TextParser::auto())),
            Self::Json => (Json::Always, None),
            Self::Apache => (Json::Never, Some(TextParser::Access(AccessParser::apache()))),
            Self::Nginx => (Json::Never, Some(TextParser::Access(AccessParser::nginx()))),
            Self::ApacheError => {
                (Json::Never, Some(TextParser::ApacheError(ApacheErrorParser::default())))
            }
            Self::NginxError => {
                (Json::Never, Some(TextParser::NginxError(NginxErrorParser::default())))
            }
            Self::Logfmt => (Json::Never, Some(TextParser::Logfmt(LogfmtParser::default()))),
            Self::Syslog => (Json::Never, Some(TextParser::Syslog(SyslogParser::default()))),
            Self::Csv(parser) => (Json::IsText, Some(TextParser::Csv(Box::new(parser)))),
            Self::Regex(parser) => (Json::IsText, Some(TextParser::Pattern(Box::new(parser)))),
            Self::LogFormat(parser) => (Json::Never, Some(TextParser::LogFormat(Box::new(parser)))),
            Self::Words => (Json::IsText, None),
        }
    }
}
