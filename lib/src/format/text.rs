//! One parser for whichever format lines are in.

use super::{
    AccessParser, ApacheErrorParser, CsvParser, LogFormatParser, LogfmtParser, Mismatch,
    NginxErrorParser, Parsed, PatternParser, SyslogParser,
};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::Calendar;

/// A parser of text lines.
#[derive(Debug)]
pub enum TextParser {
    /// Access logs.
    Access(AccessParser),
    /// Error logs of Apache.
    ApacheError(ApacheErrorParser),
    /// Error logs of nginx.
    NginxError(NginxErrorParser),
    /// Syslog.
    Syslog(SyslogParser),
    /// logfmt.
    Logfmt(LogfmtParser),
    /// Comma-separated values.
    Csv(Box<CsvParser>),
    /// A regular expression.
    Pattern(Box<PatternParser>),
    /// What a server was told to log.
    LogFormat(Box<LogFormatParser>),
    /// Whichever of the first five a line is in.
    Auto(Box<AutoParser>),
}

impl TextParser {
    /// A parser that decides line by line.
    pub fn auto() -> Self {
        Self::Auto(Box::default())
    }

    /// Looks for the time in the field of this name alone, where lines name
    /// their fields.
    #[must_use]
    pub fn with_time_field(self, field: Option<&str>) -> Self {
        match self {
            Self::Logfmt(parser) => Self::Logfmt(parser.with_time_field(field)),
            Self::Csv(parser) => Self::Csv(Box::new(parser.with_time_field(field))),
            Self::Pattern(parser) => Self::Pattern(Box::new(parser.with_time_field(field))),
            Self::LogFormat(parser) => Self::LogFormat(Box::new(parser.with_time_field(field))),
            Self::Auto(mut parser) => {
                parser.parsers = parser.parsers.map(|parser| parser.with_time_field(field));
                Self::Auto(parser)
            }
            other => other,
        }
    }

    /// Writes what is remembered from one line to the next.
    pub(crate) fn snapshot(&self, state: &mut SnapshotWriter) {
        if let Self::Csv(parser) = self {
            parser.snapshot(state);
        }
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote.
    ///
    /// # Errors
    ///
    /// Fails if it wrote something else.
    pub(crate) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        match self {
            Self::Csv(parser) => parser.restore(state),
            _ => Ok(()),
        }
    }

    /// Appends the members of the line's record, without braces.
    ///
    /// # Errors
    ///
    /// Returns the first mistake, and leaves `out` as it was.
    #[inline]
    pub fn parse(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        match self {
            Self::Access(parser) => parser.parse(text, calendar, out).map(|()| Parsed::Timed),
            Self::ApacheError(parser) => parser.parse(text, calendar, out),
            Self::NginxError(parser) => parser.parse(text, calendar, out),
            Self::Syslog(parser) => parser.parse(text, calendar, out),
            Self::Logfmt(parser) => parser.parse(text, calendar, out),
            Self::Csv(parser) => parser.parse(text, calendar, out),
            Self::Pattern(parser) => parser.parse(text, calendar, out),
            Self::LogFormat(parser) => parser.parse(text, calendar, out),
            Self::Auto(parser) => parser.parse(text, calendar, out),
        }
    }

    /// Whether the next line says what those behind it are.
    pub(crate) fn awaits_header(&self) -> bool {
        matches!(self, Self::Csv(parser) if parser.awaits_header())
    }

    /// Values that could not be cast, over all lines.
    pub fn casts_failed(&self) -> u64 {
        match self {
            Self::Logfmt(parser) => parser.casts_failed(),
            Self::Csv(parser) => parser.casts_failed(),
            Self::Pattern(parser) => parser.casts_failed(),
            Self::Auto(parser) => parser.parsers.iter().map(Self::casts_failed).sum(),
            _ => 0,
        }
    }
}

/// Decides line by line which format a line is in.
///
/// The formats differ in how a line begins, so that no line is in two of them
/// and the order of the tries is a matter of speed alone: the format of the
/// line before comes first. Where none takes a line, the mistake is that of the
/// one that came furthest, a time that is none before all others.
#[derive(Debug)]
pub struct AutoParser {
    parsers: [TextParser; 5],
    last: usize,
}

impl Default for AutoParser {
    fn default() -> Self {
        let parsers = [
            TextParser::Access(AccessParser::auto()),
            TextParser::Syslog(SyslogParser::default()),
            TextParser::Logfmt(LogfmtParser::default()),
            TextParser::ApacheError(ApacheErrorParser::default()),
            TextParser::NginxError(NginxErrorParser::default()),
        ];
        Self { parsers, last: 0 }
    }
}

impl AutoParser {
    /// Appends the members of the line's record, without braces.
    ///
    /// # Errors
    ///
    /// Returns the mistake of the format that came furthest, and leaves `out`
    /// as it was.
    #[inline]
    pub fn parse(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let last = &mut self.parsers[self.last];
        if may_be(last, text)
            && let Ok(parsed) = last.parse(text, calendar, out)
        {
            return Ok(parsed);
        }
        self.search(text, calendar, out)
    }

    /// The format of the last line that one took.
    pub(super) fn last(&self) -> &TextParser {
        &self.parsers[self.last]
    }

    /// The formats, in the order in which they are tried.
    pub(super) fn parsers(&mut self) -> &mut [TextParser] {
        &mut self.parsers
    }

    #[cold]
    fn search(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let mut furthest = Mismatch::no_match(
            0,
            "line",
            "an access log, error log, syslog or logfmt line, or JSON",
        );
        for (index, parser) in self.parsers.iter_mut().enumerate() {
            if !may_be(parser, text) {
                continue;
            }
            match parser.parse(text, calendar, out) {
                Ok(parsed) => {
                    self.last = index;
                    return Ok(parsed);
                }
                Err(mismatch) if mismatch.reach() > furthest.reach() => furthest = mismatch,
                Err(_) => {}
            }
        }
        Err(furthest)
    }
}

/// Whether a line begins as one of the format would, where the parser alone
/// would take lines that are something else, or look at all of it to refuse it.
#[inline]
pub(super) fn may_be(parser: &TextParser, text: &[u8]) -> bool {
    match parser {
        TextParser::Access(_) => memchr::memchr(b'"', text).is_some(),
        TextParser::Logfmt(_) => {
            let end = text.iter().position(|byte| matches!(byte, b'=' | b'"' | b'[' | ..=b' '));
            end.is_some_and(|end| end > 0 && text[end] == b'=')
        }
        _ => true,
    }
}
