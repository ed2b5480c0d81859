//! Error logs of Apache, as version 2.2 and version 2.4 write them.

use super::cursor::{Cursor, integer, trim_end};
use super::members::Members;
use super::{Mismatch, Parsed};
use crate::time::{Calendar, CivilTime, Timestamp};

/// Reads lines of Apache's error log.
///
/// | version | line |
/// | --- | --- |
/// | 2.2 | `[time] [level] [client address] message` |
/// | 2.4 | `[time] [module:level] [pid N:tid N] file(line): (errno)text: [client address:port] AHnnnnn: message, referer: URL` |
///
/// Everything between the level and the message may be missing.
///
/// # Members
///
/// `timestamp`, `level`, `message`, `ip_address`, `error_code` (`AH01618`),
/// then `module`, `pid`, `tid`, `client_port` (integers but for the module),
/// `source_file`, `source_line`, `errno`, `errno_text` and `referer`. What has
/// a member of its own is not in the message.
///
/// Source: Apache's `ErrorLogFormat` and its default in `server/log.c`.
#[derive(Clone, Debug, Default)]
pub struct ApacheErrorParser {}

const LEVELS: [&[u8]; 16] = [
    b"emerg", b"alert", b"crit", b"error", b"warn", b"notice", b"info", b"debug", b"trace1",
    b"trace2", b"trace3", b"trace4", b"trace5", b"trace6", b"trace7", b"trace8",
];

impl ApacheErrorParser {
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
        let entry = Entry::read(&mut cursor, calendar)?;
        entry.write(out);
        Ok(Parsed::Timed)
    }
}

struct Entry<'a> {
    time: Timestamp,
    module: Option<&'a [u8]>,
    level: &'a [u8],
    pid: Option<&'a [u8]>,
    tid: Option<&'a [u8]>,
    /// File and line of the server's source.
    source: Option<(&'a [u8], &'a [u8])>,
    /// The system's error, number and text.
    errno: Option<(&'a [u8], &'a [u8])>,
    client: Option<(&'a [u8], Option<&'a [u8]>)>,
    code: Option<&'a [u8]>,
    message: &'a [u8],
    referer: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    fn read(cursor: &mut Cursor<'a>, calendar: &mut Calendar) -> Result<Self, Mismatch> {
        let time = time(cursor, calendar)?;
        let (module, level) = level(cursor)?;
        cursor.blanks();
        let (pid, tid) = process(cursor)?;
        cursor.blanks();
        if cursor.rest().is_empty() {
            return Err(Mismatch::no_match(cursor.at, "message", "a message"));
        }
        let source = source(cursor);
        let before_client = errno(cursor);
        let client = client(cursor, module.is_some())?;
        let errno = before_client.or_else(|| errno(cursor));
        let code = code(cursor);
        let (message, referer) = split_referer(cursor.rest());
        Ok(Self { time, module, level, pid, tid, source, errno, client, code, message, referer })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut members = Members::new(out);
        members.timestamp(Some(self.time));
        members.text("level", self.level);
        members.text("message", self.message);
        members.optional("ip_address", self.client.map(|(address, _)| address));
        members.optional("error_code", self.code);
        members.optional("module", self.module.filter(|module| !module.is_empty()));
        members.verbatim("pid", self.pid);
        members.verbatim("tid", self.tid);
        members.verbatim("client_port", self.client.and_then(|(_, port)| port));
        members.optional("source_file", self.source.map(|(file, _)| file));
        members.verbatim("source_line", self.source.map(|(_, line)| line));
        members.verbatim("errno", self.errno.map(|(number, _)| number));
        members.optional("errno_text", self.errno.map(|(_, text)| text));
        members.optional("referer", self.referer);
    }
}

/// Reads `[` and what stands up to the next `]`, and that.
fn bracketed<'a>(
    cursor: &mut Cursor<'a>,
    token: &'static str,
    expected: &'static str,
) -> Result<&'a [u8], Mismatch> {
    if !cursor.take(b"[") {
        return Err(Mismatch::no_match(cursor.at, token, expected));
    }
    let rest = cursor.rest();
    let Some(end) = memchr::memchr(b']', rest) else {
        return Err(Mismatch::no_match(cursor.text.len(), token, "a closing bracket"));
    };
    cursor.at += end + 1;
    Ok(&rest[..end])
}

fn time(cursor: &mut Cursor<'_>, calendar: &mut Calendar) -> Result<Timestamp, Mismatch> {
    const EXPECTED: &str = "an existing time such as Tue Oct 10 13:55:36.123456 2000";
    let text = bracketed(cursor, "time", "a time in brackets")?;
    let time = CivilTime::read(text);
    let time = time.and_then(|time| calendar.instant(time));
    time.ok_or(Mismatch::bad_time(1, EXPECTED))
}

/// Reads `[level]` or `[module:level]`.
fn level<'a>(cursor: &mut Cursor<'a>) -> Result<(Option<&'a [u8]>, &'a [u8]), Mismatch> {
    cursor.blanks();
    let at = cursor.at;
    let word = bracketed(cursor, "level", "a level in brackets")?;
    let (module, level) = match memchr::memchr(b':', word) {
        Some(colon) => (Some(&word[..colon]), &word[colon + 1..]),
        None => (None, word),
    };
    if LEVELS.contains(&level) {
        return Ok((module, level));
    }
    Err(Mismatch::no_match(at + 1, "level", "a level such as error or core:error"))
}

type Process<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Reads `[pid N]` or `[pid N:tid N]`, if it comes next.
fn process<'a>(cursor: &mut Cursor<'a>) -> Result<Process<'a>, Mismatch> {
    if !cursor.rest().starts_with(b"[pid ") {
        return Ok((None, None));
    }
    let at = cursor.at;
    let word = bracketed(cursor, "process", "a process in brackets")?;
    let word = &word[b"pid ".len()..];
    let read = || match memchr::memmem::find(word, b":tid ") {
        Some(colon) => Some((Some(integer(&word[..colon])?), Some(integer(&word[colon + 5..])?))),
        None => Some((Some(integer(word)?), None)),
    };
    read().ok_or(Mismatch::no_match(at + 5, "process", "numbers as in pid 7:tid 9"))
}

/// Reads `file(line): `, if it comes next.
fn source<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let rest = cursor.rest();
    let end = memchr::memchr(b' ', rest)?;
    let word = rest[..end].strip_suffix(b"):")?;
    let open = memchr::memchr(b'(', word).filter(|open| *open > 0)?;
    let line = integer(&word[open + 1..])?;
    cursor.at += end + 1;
    Some((&word[..open], line))
}

/// Reads `(errno)text: `, if it comes next.
fn errno<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let rest = cursor.rest().strip_prefix(b"(")?;
    let close = memchr::memchr(b')', rest)?;
    let number = integer(&rest[..close])?;
    let text = &rest[close + 1..];
    let end = memchr::memmem::find(text, b": ")?;
    cursor.at += 1 + close + 1 + end + 2;
    Some((number, &text[..end]))
}

type Client<'a> = (&'a [u8], Option<&'a [u8]>);

/// Reads `[client address:port] `, if it comes next.
fn client<'a>(cursor: &mut Cursor<'a>, with_port: bool) -> Result<Option<Client<'a>>, Mismatch> {
    if !cursor.rest().starts_with(b"[client ") {
        return Ok(None);
    }
    let word = bracketed(cursor, "client", "a client in brackets")?;
    cursor.blanks();
    Ok(Some(split_port(&word[b"client ".len()..], with_port)))
}

/// The address and port of a client.
///
/// The port is behind the last colon. Apache puts IPv6 addresses in no
/// brackets, so that only version 2.4, which always writes a port, tells
/// `2001:db8::1:80` from an address without one.
fn split_port(client: &[u8], with_port: bool) -> Client<'_> {
    let Some(colon) = memchr::memrchr(b':', client) else { return (client, None) };
    let (address, port) = (&client[..colon], integer(&client[colon + 1..]));
    let is_address = !address.contains(&b':') || with_port && is_ipv6(address);
    if port.is_some() && is_address { (address, port) } else { (client, None) }
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Reads `AHnnnnn: `, if it comes next.
fn code<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let rest = cursor.rest();
    let end = 2 + rest.strip_prefix(b"AH")?.iter().take_while(|b| b.is_ascii_digit()).count();
    if end < 6 || !rest[end..].starts_with(b": ") {
        return None;
    }
    cursor.at += end + 2;
    Some(&rest[..end])
}

/// The message, and the referer that Apache puts behind it.
fn split_referer(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    const MARK: &[u8] = b", referer: ";
    match memchr::memmem::rfind(text, MARK) {
        Some(at) => (&text[..at], Some(&text[at + MARK.len()..])),
        None => (text, None),
    }
}
