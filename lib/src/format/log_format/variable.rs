//! The variables of a log format, and what they are called in a record.

use std::ops::Range;

use super::TimeSpelling;

/// A piece of a log format.
#[derive(Debug)]
pub(super) enum Token {
    /// Text that the server writes as it stands.
    Text(Vec<u8>),
    Variable(Variable),
}

/// A variable of a log format.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// Where it stands in the format.
    pub(super) span: Range<usize>,
    /// What it is called in a record, where no other of a lower rank is.
    pub(super) name: String,
    pub(super) rank: u8,
    /// What it is called else.
    pub(super) own: String,
    pub(super) kind: Kind,
}

/// How a value is read and written.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Time(TimeSpelling),
    /// An address or a host name, which has no blanks.
    Host,
    /// `GET / HTTP/1.1`
    Request,
    Status,
    Integer,
    /// A time in units of which so many decimal places make a second.
    Seconds(usize),
    Text,
}

impl Variable {
    /// One that is called by its own name alone.
    pub(super) fn own(span: Range<usize>, own: &str) -> Self {
        let kind = match own {
            "status_code" => Kind::Status,
            "response_time" => Kind::Seconds(0),
            "bytes" | "pid" | "tid" | "client_port" => Kind::Integer,
            _ => Kind::Text,
        };
        Self { span, name: own.to_owned(), rank: 0, own: own.to_owned(), kind }
    }

    /// One that has a place in the record.
    pub(super) fn known(
        span: Range<usize>,
        own: &str,
        (name, rank, kind): (&str, u8, Kind),
    ) -> Self {
        Self { span, name: name.to_owned(), rank, own: own.to_owned(), kind }
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.own == name || self.name == name
    }

    /// Whether its values hold blanks as a rule, so that no blank can end them.
    pub(super) fn has_blanks(&self) -> bool {
        matches!(self.kind, Kind::Request) || self.name == "user_agent"
    }

    /// Whether it is a list with blanks behind its commas.
    pub(super) fn is_list(&self) -> bool {
        self.own.starts_with("upstream_") || self.own.ends_with("_x_forwarded_for")
    }

    /// Whether it could be the time of the record.
    pub(super) fn is_time(&self) -> bool {
        matches!(self.kind, Kind::Time(_))
    }
}
