//! Error logs of nginx.

use super::cursor::{Cursor, integer, trim_end};
use super::members::Members;
use super::{Mismatch, Parsed};
use crate::time::{Calendar, CivilTime, Timestamp};

/// Reads lines of nginx's error log.
///
/// `2024/03/05 07:08:09 [error] pid#tid: *connection message, client: address,
/// server: name, request: "…", subrequest: "…", upstream: "…", host: "…",
/// referrer: "…"`; everything from the connection on but the message may be
/// missing.
///
/// # Members
///
/// `timestamp`, `level`, `message`, `ip_address` (the client), then `pid`,
/// `tid`, `connection_id` (integers), `server`, `request`, `subrequest`,
/// `upstream`, `host`, `login`, `referrer`, and `extra` for what is behind the
/// client and is none of these.
///
/// nginx escapes no quotes in this log, so a quoted value ends at a quote with
/// a known name or the end of the line behind it. A message may hold text that
/// a client chose; it ends at the first `, client: ` behind which all is as
/// nginx writes it.
///
/// Source: `ngx_log_error_core` and `ngx_http_log_error_handler`.
#[derive(Clone, Debug, Default)]
pub struct NginxErrorParser {}

const LEVELS: [&[u8]; 8] =
    [b"debug", b"info", b"notice", b"warn", b"error", b"crit", b"alert", b"emerg"];

/// What may follow the server, each in quotes.
const QUOTED: [(&str, &[u8]); 6] = [
    ("request", b", request: \""),
    ("subrequest", b", subrequest: \""),
    ("upstream", b", upstream: \""),
    ("host", b", host: \""),
    ("login", b", login: \""),
    ("referrer", b", referrer: \""),
];

impl NginxErrorParser {
    /// Appends the members of the line's record, without braces.
    ///
    /// # Errors
    ///
    /// Returns the first mistake, read from left to right, and leaves `out` as
    /// it was.
    pub fn parse(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let mut cursor = Cursor::new(trim_end(text));
        let time = time(&mut cursor, calendar)?;
        let level = level(&mut cursor)?;
        let process = Process::read(&mut cursor)?;
        cursor.blanks();
        if cursor.rest().is_empty() {
            return Err(Mismatch::no_match(cursor.at, "message", "a message"));
        }
        let (message, context) = split_context(cursor.rest());
        let mut members = Members::new(out);
        members.timestamp(Some(time));
        members.text("level", level);
        members.text("message", message);
        members.optional("ip_address", context.as_ref().map(|context| context.client));
        members.verbatim("pid", Some(process.pid));
        members.verbatim("tid", Some(process.tid));
        members.verbatim("connection_id", process.connection);
        if let Some(context) = context {
            context.write(&mut members);
        }
        Ok(Parsed::Timed)
    }
}

fn time(cursor: &mut Cursor<'_>, calendar: &mut Calendar) -> Result<Timestamp, Mismatch> {
    const LENGTH: usize = "2024/03/05 07:08:09".len();
    const EXPECTED: &str = "an existing time such as 2024/03/05 07:08:09";
    let text = cursor.text.get(..LENGTH).unwrap_or_default();
    let [_, _, _, _, b'/', _, _, b'/', ..] = text else {
        return Err(Mismatch::no_match(0, "time", "a time such as 2024/03/05 07:08:09"));
    };
    cursor.at = LENGTH;
    let time = CivilTime::read(text).and_then(|time| calendar.instant(time));
    time.ok_or(Mismatch::bad_time(0, EXPECTED))
}

/// Reads ` [level] `.
fn level<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Mismatch> {
    let at = cursor.at;
    let level = cursor.rest().strip_prefix(b" [").and_then(|rest| {
        let end = memchr::memchr(b']', rest)?;
        rest[end + 1..].starts_with(b" ").then_some(&rest[..end])
    });
    match level {
        Some(level) if LEVELS.contains(&level) => {
            cursor.at += level.len() + 4;
            Ok(level)
        }
        _ => Err(Mismatch::no_match(at, "level", "a level in brackets, such as [error]")),
    }
}

struct Process<'a> {
    pid: &'a [u8],
    tid: &'a [u8],
    connection: Option<&'a [u8]>,
}

impl<'a> Process<'a> {
    /// Reads `pid#tid: `, and `*connection ` if that comes next.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Mismatch> {
        const PROCESS: &str = "process and thread, such as 7#9:";
        let at = cursor.at;
        let ids = cursor.word().strip_suffix(b":").and_then(|word| {
            let mark = memchr::memchr(b'#', word)?;
            Some((integer(&word[..mark])?, integer(&word[mark + 1..])?))
        });
        let (pid, tid) = ids.ok_or(Mismatch::no_match(at, "process", PROCESS))?;
        cursor.blanks();
        let mut ahead = *cursor;
        let connection = ahead.word().strip_prefix(b"*").and_then(integer);
        if connection.is_some() {
            *cursor = ahead;
        }
        Ok(Self { pid, tid, connection })
    }
}

/// What nginx says of the connection.
struct Context<'a> {
    client: &'a [u8],
    server: Option<&'a [u8]>,
    /// In the order of [`QUOTED`].
    quoted: [Option<&'a [u8]>; QUOTED.len()],
    extra: Option<&'a [u8]>,
}

/// The message, and what is behind it.
fn split_context(text: &[u8]) -> (&[u8], Option<Context<'_>>) {
    const MARK: &[u8] = b", client: ";
    for at in memchr::memmem::find_iter(text, MARK) {
        if let Some(context) = Context::read(&text[at + MARK.len()..]) {
            return (&text[..at], Some(context));
        }
    }
    (text, None)
}

impl<'a> Context<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (client, mut rest) = split_value(text);
        if client.is_empty() || client.iter().any(|byte| matches!(byte, b' ' | b'"')) {
            return None;
        }
        let server = rest.strip_prefix(b", server: ").map(|behind| {
            let (server, behind) = split_value(behind);
            rest = behind;
            server
        });
        let mut quoted = [None; QUOTED.len()];
        while let Some((index, value)) = named(rest) {
            let Some(end) = closing_quote(value) else { break };
            quoted[index] = Some(&value[..end]);
            rest = &value[end + 1..];
        }
        let extra = rest.strip_prefix(b", ").unwrap_or(rest);
        let extra = (!extra.is_empty()).then_some(extra);
        // A forged `, client: x` in a path has more of the path behind it.
        if extra.is_some() && server.is_none() {
            return None;
        }
        Some(Self { client, server, quoted, extra })
    }

    fn write(&self, members: &mut Members<'_>) {
        members.optional("server", self.server);
        for ((name, _), value) in QUOTED.iter().zip(self.quoted) {
            members.optional(name, value);
        }
        members.optional("extra", self.extra);
    }
}

/// A value without quotes, and what is behind it from the comma on.
fn split_value(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(memchr::memmem::find(text, b", ").unwrap_or(text.len()))
}

/// Which of [`QUOTED`] comes next, and the text behind its opening quote.
fn named(text: &[u8]) -> Option<(usize, &[u8])> {
    let find =
        |(index, (_, mark)): (usize, &(&str, &[u8]))| Some((index, text.strip_prefix(*mark)?));
    QUOTED.iter().enumerate().find_map(find)
}

/// The quote that ends a value.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let is_end = |at: &usize| {
        let behind = &text[at + 1..];
        behind.is_empty() || named(behind).is_some()
    };
    let last = || memchr::memrchr(b'"', text);
    memchr::memchr_iter(b'"', text).find(is_end).or_else(last)
}
