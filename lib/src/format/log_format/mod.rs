//! Access logs in a format of the administrator's own, read by the line of the
//! server's configuration that says how they are written.

mod apache;
mod compile;
mod config;
mod nginx;
mod split;
mod variable;
mod write;

use std::ops::Range;

use super::access::time::ClockReader;
use super::{Mismatch, Parsed};
use crate::query::QueryError;
use crate::time::{Calendar, TimeFormat};
use config::Config;
use split::Step;
use variable::{Kind, Variable};

/// Whose language a log format is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx's `log_format`: `$remote_addr - $remote_user [$time_local] "$request"`.
    Nginx,
    /// Apache's `LogFormat`: `%h %l %u %t \"%r\" %>s %b`.
    Apache,
}

/// Reads lines of an access log by the format that its server was given.
///
/// A variable ends at the text that stands behind it in the format. In quotes
/// that is the first quote that is not escaped; a time goes on as long as it is
/// one; a list of nginx's upstreams ends at a blank that is not behind a comma. Blanks at the end of a line are ignored.
///
/// # Members
///
/// Those of every record come first, in their order; then the others, in the
/// order of the format. Names and types are those of
/// [`AccessParser`](super::AccessParser), as are `-` (`null`), text, and
/// requests that are none.
///
/// | member | nginx | Apache |
/// | --- | --- | --- |
/// | `timestamp` | `$time_local` `$time_iso8601` `$msec` `$timestamp` | `%t` `%{…}t` |
/// | `ip_address` | `$remote_addr` | `%a` `%h` |
/// | `user_id`, `identity` | `$remote_user` | `%u`, `%l` |
/// | `request_id` | `$request_id` `$req_id` `$http_x_request_id` | `%{UNIQUE_ID}e` `%{X-Request-Id}i` |
/// | `response_time` | `$request_time` | `%D` `%{us}T` `%{ms}T` `%T` `%{s}T` |
/// | `status_code` | `$status` | `%>s` `%s` |
/// | `method`, `url`, `protocol` | `$request`, or `$request_method` `$request_uri` `$uri` `$server_protocol` | `%r`, or `%m` `%U` `%U%q` `%H` |
/// | `bytes` | `$body_bytes_sent` `$bytes_sent` | `%b` `%B` `%O` |
/// | `referer`, `user_agent`, `x_forwarded_for` | `$http_…` | `%{…}i` |
/// | `vhost`, `vhost_port` | `$host` `$server_name` `$http_host`, `$server_port` | `%v` `%V`, `%p` |
/// | `pid`, `tid`, `client_port` | `$pid`, `$remote_port` | `%P` `%{tid}P` `%{remote}p` |
///
/// Where a format has several of a row the first of the row is taken (of times
/// the first of the format), and the others keep their own names, as do all
/// other variables. Apache's are called as nginx calls the like: `http_accept`,
/// `sent_http_etag`, `cookie_id`, `time_local`.
///
/// Source: the manuals of `ngx_http_log_module` and `mod_log_config`.
#[derive(Debug)]
pub struct LogFormatParser {
    variables: Vec<Variable>,
    /// What every line begins with.
    prefix: Vec<u8>,
    steps: Vec<Step>,
    /// Whether the server writes values as they are.
    raw: bool,
    /// What is written of a line, in this order.
    members: Vec<Member>,
    /// The step that reads the time.
    time: Option<usize>,
    clock: ClockReader,
    /// The values of one line, by step.
    values: Vec<Value>,
}

/// A member of the record.
#[derive(Debug)]
struct Member {
    /// With what stands around it: `,"status_code":`; empty for a request,
    /// which is several members.
    key: Vec<u8>,
    step: usize,
    kind: Kind,
}

/// A value in a line.
#[derive(Clone, Debug)]
struct Value {
    range: Range<usize>,
    /// Whether it has backslashes or quotes.
    escaped: bool,
}

impl LogFormatParser {
    /// A parser of lines in this format, as the server's configuration has it:
    /// in quotes or not, with `log_format NAME`, `escape=…` and the semicolon,
    /// or with `LogFormat` and the nickname, or without. `origin` is what
    /// errors call it; without a dialect `$` and `%` decide.
    ///
    /// # Errors
    ///
    /// Fails where the format says too little to read a line by it, and shows
    /// the place: two variables with nothing between them, for example.
    pub fn new(text: &str, origin: &str, dialect: Option<Dialect>) -> Result<Self, QueryError> {
        let config = Config::read(text, origin)?;
        let tokens = match dialect.or_else(|| config.dialect()) {
            Some(Dialect::Nginx) => nginx::tokens(&config)?,
            Some(Dialect::Apache) => apache::tokens(&config)?,
            None => Vec::new(),
        };
        let program = compile::compile(tokens, &config)?;
        let mut parser = Self {
            variables: program.variables,
            prefix: program.prefix,
            steps: program.steps,
            raw: config.raw,
            members: Vec::new(),
            time: None,
            clock: ClockReader::new(),
            values: Vec::new(),
        };
        parser.arrange(None);
        Ok(parser)
    }

    /// Looks for the time in this variable alone, by its own name or that of
    /// its member.
    #[must_use]
    pub fn with_time_field(mut self, field: Option<&str>) -> Self {
        self.arrange(field);
        self
    }

    /// Whether [`with_time_field`](Self::with_time_field) can find the variable.
    pub fn has_field(&self, field: &str) -> bool {
        self.variables.iter().any(|variable| variable.is_called(field))
    }

    fn arrange(&mut self, time_field: Option<&str>) {
        (self.time, self.members) = compile::members(&self.variables, time_field);
    }

    /// Appends the members of the line's record, without braces.
    ///
    /// # Errors
    ///
    /// Returns the first mistake, read from left to right, and leaves `out` as
    /// it was.
    #[inline]
    pub fn parse(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let time = self.split(text, calendar)?;
        let start = out.len();
        let result = self.write(text, time.as_ref(), out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }
}

/// How the time of a line is spelled; `None` for any way that a server has.
type TimeSpelling = Option<Box<TimeFormat>>;

#[cfg(test)]
mod tests;
