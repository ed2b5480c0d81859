//! The formats that lines can have.

use super::catalogue::Catalogue;
use super::config::Stream;
use super::record::Record;
use super::{access, encode, logfmt, syslog};

/// How the lines of a stream are spelled.
///
/// What `parse` makes of a line agrees with the record in JSON in all that the
/// format can carry:
///
/// | format | carries |
/// | --- | --- |
/// | `json` | everything |
/// | `apache` (`vhost_combined`) | time to the second, address, user, status, method and url of the message; the service as `vhost` |
/// | `nginx` (combined, then `rt=` and the response time) | the same without the service, and the response time |
/// | `logfmt` | everything; an `error_code` of null is left out |
/// | `syslog` (RFC 5424) | everything; the level as severity, what syslog has no field for in structured data |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineFormat {
    /// JSON in normal form.
    #[default]
    Json,
    /// Apache's `vhost_combined`.
    Apache,
    /// nginx's combined, with the response time behind it.
    Nginx,
    /// Pairs of key and value.
    Logfmt,
    /// Syslog of RFC 5424.
    Syslog,
}

impl LineFormat {
    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Apache => "apache",
            Self::Nginx => "nginx",
            Self::Logfmt => "logfmt",
            Self::Syslog => "syslog",
        }
    }

    /// Whether the format has a place for what the stream's records say.
    pub(super) fn suits(self, stream: Stream) -> bool {
        stream == Stream::Logs || !matches!(self, Self::Apache | Self::Nginx)
    }

    /// Appends a record as one line, without a newline.
    #[inline]
    pub(super) fn write(self, record: &Record, catalogue: &Catalogue, out: &mut Vec<u8>) {
        match (self, record) {
            (Self::Apache, Record::Log(log)) => access::write_apache(log, catalogue, out),
            (Self::Nginx, Record::Log(log)) => access::write_nginx(log, catalogue, out),
            (Self::Logfmt, record) => logfmt::write(record, catalogue, out),
            (Self::Syslog, record) => syslog::write(record, catalogue, out),
            // A configuration of access logs with events is refused.
            (Self::Json, _) | (Self::Apache | Self::Nginx, Record::Event(_)) => {
                encode::write_line(record, catalogue, out);
            }
        }
    }
}
