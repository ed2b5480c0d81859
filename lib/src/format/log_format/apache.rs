//! Apache's `LogFormat`.

use std::ops::Range;

use super::config::Config;
use super::variable::{Kind, Token, Variable};
use crate::query::QueryError;
use crate::time::TimeFormat;

/// A `%` directive: `%400,501{User-agent}i`, `%>s`.
struct Directive<'a> {
    span: Range<usize>,
    /// What is in the braces.
    argument: Option<&'a str>,
    /// Whether it is of the first request, before an internal redirect.
    original: bool,
    /// `i`, or three characters with a `^`.
    name: &'a [u8],
}

/// The pieces of a format.
///
/// # Errors
///
/// Fails for a `%` without a directive, and for times that are no dates.
pub(super) fn tokens(config: &Config) -> Result<Vec<Token>, QueryError> {
    let format = &config.bytes;
    let mut tokens = Vec::new();
    let mut times: Vec<Clock> = Vec::new();
    let mut at = 0;
    while at < format.len() {
        let text = memchr::memchr(b'%', &format[at..]).map_or(format.len(), |length| at + length);
        push_text(&format[at..text], &mut tokens, &mut times);
        at = text;
        if at == format.len() {
            break;
        }
        let directive = directive(config, at)?;
        at = directive.span.end;
        if directive.name == b"t" && directive.argument.is_some() {
            times.push(Clock::Directive(directive.argument.unwrap_or_default(), directive.span));
            continue;
        }
        flush(config, &mut times, &mut tokens)?;
        variable(&directive, &mut tokens);
    }
    flush(config, &mut times, &mut tokens)?;
    Ok(tokens)
}

/// Reads the directive that begins at `at`.
fn directive(config: &Config, at: usize) -> Result<Directive<'_>, QueryError> {
    const EXPECTED: &str = "expected a directive, as in %h or %{Referer}i; %% is a percent sign";
    let format = &config.bytes;
    let unknown = |end: usize| config.error(at..end.min(format.len()), "no directive", EXPECTED);
    let mut directive = Directive { span: at..at, argument: None, original: false, name: b"" };
    let mut end = at + 1;
    loop {
        let length = match format.get(end).ok_or_else(|| unknown(end))? {
            b'!' | b',' | b'0'..=b'9' | b'>' => 1,
            b'<' => {
                directive.original = true;
                1
            }
            b'{' => {
                let length =
                    memchr::memchr(b'}', &format[end..]).ok_or_else(|| unknown(end + 1))?;
                let argument = std::str::from_utf8(&format[end + 1..end + length]);
                directive.argument = Some(argument.map_err(|_| unknown(end + length))?);
                length + 1
            }
            b'^' => {
                directive.name = format.get(end..end + 3).ok_or_else(|| unknown(end + 1))?;
                3
            }
            b'%' if end > at + 1 => return Err(unknown(end + 1)),
            byte if byte.is_ascii_alphabetic() || *byte == b'%' => {
                directive.name = &format[end..=end];
                1
            }
            _ => return Err(unknown(end + 1)),
        };
        end += length;
        if !directive.name.is_empty() {
            directive.span.end = end;
            return Ok(directive);
        }
    }
}

/// Adds what a directive writes.
fn variable(directive: &Directive<'_>, tokens: &mut Vec<Token>) {
    let span = directive.span.clone();
    let text = |text: &[u8]| Token::Text(text.to_vec());
    let known = |own: &str, name, rank, kind| {
        Token::Variable(Variable::known(span.clone(), own, (name, rank, kind)))
    };
    let own = |own: &str| Token::Variable(Variable::own(span.clone(), own));
    let argument = directive.argument.unwrap_or_default();
    let token = match (directive.name, argument) {
        (b"%", _) => text(b"%"),
        (b"t", _) => {
            tokens.push(text(b"["));
            tokens.push(known("time_local", "timestamp", 0, Kind::Time(None)));
            text(b"]")
        }
        (b"a", "c") => own("peer_address"),
        (b"a", _) => known("client_address", "ip_address", 0, Kind::Host),
        (b"h", _) => known("client_host", "ip_address", 1, Kind::Host),
        (b"l", _) => own("identity"),
        (b"u", _) => known("remote_user", "user_id", 0, Kind::Text),
        (b"r", _) => known("request", "request", 0, Kind::Request),
        (b"m", _) => known("request_method", "method", 1, Kind::Text),
        (b"U", _) => known("uri", "url", 1, Kind::Text),
        (b"q", _) => own("query"),
        (b"H", _) => known("server_protocol", "protocol", 1, Kind::Text),
        (b"s", _) if directive.original => known("original_status", "status_code", 1, Kind::Status),
        (b"s", _) => known("status", "status_code", 0, Kind::Status),
        (b"b" | b"B", _) => known("body_bytes_sent", "bytes", 0, Kind::Integer),
        (b"O", _) => known("bytes_sent", "bytes", 1, Kind::Integer),
        (b"I", _) => own("request_length"),
        (b"S", _) => own("bytes_transferred"),
        (b"T", "ms") => known("request_time", "response_time", 1, Kind::Seconds(3)),
        (b"T", "us") | (b"D", _) => known("request_time", "response_time", 0, Kind::Seconds(6)),
        (b"T", _) => known("request_time", "response_time", 2, Kind::Seconds(0)),
        (b"v" | b"V", _) => known("server_name", "vhost", 0, Kind::Text),
        (b"p", "remote") => known("remote_port", "client_port", 0, Kind::Integer),
        (b"p", _) => known("server_port", "vhost_port", 0, Kind::Text),
        (b"P", "" | "pid") => own("pid"),
        (b"P", "tid") => own("tid"),
        (b"i", name) => header(span.clone(), name, "http_"),
        (b"o", name) => header(span.clone(), name, "sent_http_"),
        (b"C", name) => own(&format!("cookie_{name}")),
        (b"e", "UNIQUE_ID") => known("UNIQUE_ID", "request_id", 0, Kind::Text),
        (b"A", _) => own("local_address"),
        (b"f", _) => own("filename"),
        (b"k", _) => own("keepalive_requests"),
        (b"L", _) => own("log_id"),
        (b"R", _) => own("handler"),
        (b"X", _) => own("connection_status"),
        (b"^FB", _) => own("time_to_first_byte"),
        (_, name) if !name.is_empty() => own(name),
        (name, _) => own(&String::from_utf8_lossy(name)),
    };
    tokens.push(token);
}

/// The variable of a header, called as nginx calls it.
fn header(span: Range<usize>, name: &str, prefix: &str) -> Token {
    let own = format!("{prefix}{}", name.to_ascii_lowercase().replace('-', "_"));
    let known = match own.as_str() {
        "http_referer" => Some(("referer", 0)),
        "http_user_agent" => Some(("user_agent", 0)),
        "http_x_forwarded_for" => Some(("x_forwarded_for", 0)),
        "http_x_request_id" => Some(("request_id", 1)),
        "sent_http_x_request_id" => Some(("request_id", 2)),
        "http_host" => Some(("vhost", 2)),
        _ => None,
    };
    Token::Variable(match known {
        Some((name, rank)) => Variable::known(span, &own, (name, rank, Kind::Text)),
        None => Variable::own(span, &own),
    })
}

/// A piece of a time that several directives write: `%{%T}t.%{msec_frac}t`.
enum Clock<'a> {
    Directive(&'a str, Range<usize>),
    Text(&'a [u8]),
}

/// Adds text, to the time that is being read if it may belong to one.
fn push_text<'a>(text: &'a [u8], tokens: &mut Vec<Token>, times: &mut Vec<Clock<'a>>) {
    if times.is_empty() {
        tokens.push(Token::Text(text.to_vec()));
    } else {
        times.push(Clock::Text(text));
    }
}

/// Ends the time that is being read. Directives between which nothing encloses
/// or quotes are one time.
fn flush(
    config: &Config,
    times: &mut Vec<Clock<'_>>,
    tokens: &mut Vec<Token>,
) -> Result<(), QueryError> {
    let mut run: Vec<(&str, Range<usize>)> = Vec::new();
    let mut between: &[u8] = b"";
    let mut format = String::new();
    for piece in std::mem::take(times) {
        match piece {
            Clock::Text(text) => between = text,
            Clock::Directive(argument, span) => {
                let is_end = |argument: &str| argument.starts_with("end:");
                let encloses = between.iter().any(|byte| b"[]\"'|".contains(byte));
                if run.last().is_some_and(|last| encloses || is_end(last.0) != is_end(argument)) {
                    tokens.push(time(config, &run, &format)?);
                    tokens.push(Token::Text(between.to_vec()));
                    run.clear();
                    format.clear();
                } else {
                    format.push_str(&String::from_utf8_lossy(between).replace('%', "%%"));
                }
                format.push_str(strftime(argument));
                run.push((argument, span));
                between = b"";
            }
        }
    }
    if !run.is_empty() {
        tokens.push(time(config, &run, &format)?);
    }
    tokens.push(Token::Text(between.to_vec()));
    Ok(())
}

/// The format of a time's piece, as `strftime` would have it.
fn strftime(argument: &str) -> &str {
    let format = argument.strip_prefix("begin:").or_else(|| argument.strip_prefix("end:"));
    match format.unwrap_or(argument) {
        "sec" => "%s",
        "msec_frac" | "usec_frac" => "%f",
        format => format,
    }
}

/// The variable of a time in this format, written by these directives.
fn time(config: &Config, run: &[(&str, Range<usize>)], format: &str) -> Result<Token, QueryError> {
    let span = run[0].1.start..run[run.len() - 1].1.end;
    let kind = if let ("msec" | "usec", [_]) = (format, run) {
        Kind::Time(None)
    } else {
        let read = format.parse::<TimeFormat>();
        let read = read.map_err(|error| {
            config.error(span.clone(), &error.to_string(), "expected a date and a time of day")
        })?;
        Kind::Time(Some(Box::new(read)))
    };
    let own = if run[0].0.starts_with("end:") { "end_time" } else { "time" };
    Ok(Token::Variable(Variable::known(span, own, ("timestamp", 0, kind))))
}
