//! Syslog lines, as files and senders have them.

use super::cursor::{Cursor, integer, trim_end};
use super::members::Members;
use super::{Mismatch, Parsed, structured_data};
use crate::time::{Calendar, CivilTime, Timestamp};

/// Reads lines of syslog.
///
/// | source | line |
/// | --- | --- |
/// | RFC 5424 | `<PRI>1 time host app_name proc_id msg_id [structured data] message` |
/// | RFC 3164 | `<PRI>Mar  5 07:08:09 host tag[pid]: message`, `<PRI>` often missing |
/// | rsyslog's files | as RFC 3164, the time as in RFC 3339 |
///
/// # Members
///
/// `timestamp`, `level` (the severity's name), `service` (the same as
/// `app_name`), `message`, then `priority`, `facility_code`, `severity_code`,
/// `version`, `host`, `app_name`, `proc_id` (an integer if it is one, else a
/// string), `msg_id` and `structured_data`, an object of objects. What a line
/// does not have, or has as `-` in RFC 5424, is left out. Blanks at the end of
/// the line are no part of the message.
#[derive(Clone, Debug, Default)]
pub struct SyslogParser {
    /// Structured data as JSON, kept to use its memory again.
    data: Vec<u8>,
}

/// The names of the severities, by their codes. Source: RFC 5424, table 2, as
/// syslog.conf spells them.
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

impl SyslogParser {
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
        self.data.clear();
        let priority = priority(&mut cursor)?;
        let entry = if priority.is_some() && cursor.take(b"1 ") {
            Entry::modern(&mut cursor, calendar, &mut self.data)?
        } else {
            Entry::traditional(&mut cursor, calendar)?
        };
        entry.write(priority, &self.data, out);
        Ok(if entry.time.is_some() { Parsed::Timed } else { Parsed::Untimed })
    }
}

/// Reads `<PRI>`, if the line begins with `<`.
fn priority(cursor: &mut Cursor<'_>) -> Result<Option<u8>, Mismatch> {
    let Some(rest) = cursor.text.strip_prefix(b"<") else { return Ok(None) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = rest[..digits].iter().try_fold(0_u8, |number, digit| {
        number.checked_mul(10)?.checked_add(digit - b'0').filter(|number| *number < 192)
    });
    match (number, rest.get(digits)) {
        (Some(number), Some(b'>')) if (1..=3).contains(&digits) => {
            cursor.at = digits + 2;
            Ok(Some(number))
        }
        _ => Err(Mismatch::no_match(1, "priority", "a number from 0 to 191 and >")),
    }
}

/// What stands behind the priority.
struct Entry<'a> {
    time: Option<Timestamp>,
    is_modern: bool,
    host: Option<&'a [u8]>,
    app_name: Option<&'a [u8]>,
    proc_id: Option<&'a [u8]>,
    msg_id: Option<&'a [u8]>,
    message: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    /// Reads a line of RFC 5424 from behind its version.
    fn modern(
        cursor: &mut Cursor<'a>,
        calendar: &mut Calendar,
        data: &mut Vec<u8>,
    ) -> Result<Self, Mismatch> {
        const TIME: &str = "an existing time with a zone such as 2024-03-05T07:08:09.123Z, or -";
        let at = cursor.at;
        let time = match header(cursor, "time", TIME)? {
            None => None,
            Some(word) => {
                let time = CivilTime::read(word).filter(|time| time.offset.is_some());
                let time = time.and_then(|time| calendar.instant(time));
                Some(time.ok_or(Mismatch::bad_time(at, TIME))?)
            }
        };
        let host = header(cursor, "host", "a host or -")?;
        let app_name = header(cursor, "app name", "an app name or -")?;
        let proc_id = header(cursor, "process id", "a process id or -")?;
        let msg_id = header(cursor, "message id", "a message id or -")?;
        structured_data::read(cursor, data)?;
        let rest = cursor.rest();
        let message = rest.strip_prefix(b" ").map(|text| text.strip_prefix(BOM).unwrap_or(text));
        if message.is_none() && !rest.is_empty() {
            return Err(Mismatch::no_match(cursor.at, "structured data", "a blank behind it"));
        }
        Ok(Self { time, is_modern: true, host, app_name, proc_id, msg_id, message })
    }

    /// Reads a line of RFC 3164 from behind its priority.
    fn traditional(cursor: &mut Cursor<'a>, calendar: &mut Calendar) -> Result<Self, Mismatch> {
        let time = Some(traditional_time(cursor, calendar)?);
        if !cursor.take(b" ") {
            return Err(Mismatch::no_match(cursor.at, "time", "a blank behind it"));
        }
        // What the logger itself says has no host.
        if cursor.rest().starts_with(b"--- ") {
            let message = Some(cursor.rest());
            let (host, app_name, proc_id) = (None, None, None);
            let is_modern = false;
            return Ok(Self { time, is_modern, host, app_name, proc_id, msg_id: None, message });
        }
        let at = cursor.at;
        let host = cursor.word();
        if host.is_empty() || !cursor.take(b" ") {
            return Err(Mismatch::no_match(at, "host", "a host, a blank and a message"));
        }
        cursor.blanks();
        let (app_name, proc_id) = tag(cursor);
        cursor.blanks();
        let (host, message) = (Some(host), Some(cursor.rest()));
        Ok(Self { time, is_modern: false, host, app_name, proc_id, msg_id: None, message })
    }

    fn write(&self, priority: Option<u8>, data: &[u8], out: &mut Vec<u8>) {
        let mut digits = [itoa::Buffer::new(), itoa::Buffer::new(), itoa::Buffer::new()];
        let severity = priority.map(|priority| priority & 7);
        let mut members = Members::new(out);
        members.timestamp(self.time);
        if let Some(severity) = severity {
            members.text("level", LEVELS[usize::from(severity)].as_bytes());
        }
        members.optional("service", self.app_name);
        members.optional("message", self.message);
        if let (Some(priority), Some(severity)) = (priority, severity) {
            let [first, second, third] = &mut digits;
            members.verbatim("priority", Some(first.format(priority).as_bytes()));
            members.verbatim("facility_code", Some(second.format(priority >> 3).as_bytes()));
            members.verbatim("severity_code", Some(third.format(severity).as_bytes()));
        }
        members.verbatim("version", self.is_modern.then_some(b"1"));
        members.optional("host", self.host);
        members.optional("app_name", self.app_name);
        match self.proc_id.map(|id| (id, integer(id))) {
            Some((_, Some(number))) => members.verbatim("proc_id", Some(number)),
            Some((text, None)) => members.text("proc_id", text),
            None => {}
        }
        members.optional("msg_id", self.msg_id);
        members.verbatim("structured_data", (!data.is_empty()).then_some(data));
    }
}

/// How UTF-8 is announced before a message.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// Reads a word of the header of RFC 5424 and the blank behind it; `-` is none.
fn header<'a>(
    cursor: &mut Cursor<'a>,
    token: &'static str,
    expected: &'static str,
) -> Result<Option<&'a [u8]>, Mismatch> {
    let at = cursor.at;
    let word = cursor.word();
    if word.is_empty() {
        return Err(Mismatch::no_match(at, token, expected));
    }
    if !cursor.take(b" ") {
        return Err(Mismatch::no_match(cursor.at, token, "a blank and more behind it"));
    }
    Ok((word != b"-").then_some(word))
}

/// Reads the time of a line of RFC 3164, which some write as in RFC 3339.
fn traditional_time(
    cursor: &mut Cursor<'_>,
    calendar: &mut Calendar,
) -> Result<Timestamp, Mismatch> {
    const TIME: &str = "an existing time such as Mar  5 07:08:09 or 2024-03-05T07:08:09Z";
    let at = cursor.at;
    let none = Mismatch::no_match(at, "time", TIME);
    let (time, length) = match cursor.rest() {
        rest @ [b'0'..=b'9', ..] => {
            let length = memchr::memchr(b' ', rest).ok_or(none)?;
            // A blank instead of the T would leave a host that is a clock.
            if rest[..length].get(10) != Some(&b'T') {
                return Err(none);
            }
            let bad = Mismatch::bad_time(at, TIME);
            (CivilTime::read(&rest[..length]).ok_or(bad)?, length)
        }
        rest => CivilTime::read_syslog(rest).ok_or(none)?,
    };
    cursor.at += length;
    // Cisco's devices put a colon behind it.
    cursor.take(b":");
    calendar.instant(time).ok_or(Mismatch::bad_time(at, TIME))
}

type Tag<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Reads `name:`, `name[pid]:` or `name[pid]`, if one comes next.
///
/// A name with a process behind it may hold blanks, as on macOS; without one it
/// is a single word, since any message can have a colon somewhere.
fn tag<'a>(cursor: &mut Cursor<'a>) -> Tag<'a> {
    let rest = cursor.rest();
    let word = memchr::memchr(b' ', rest).map_or(rest, |end| &rest[..end]);
    if let Some(name) = word.strip_suffix(b":").filter(|name| is_name(name)) {
        cursor.at += word.len();
        return (Some(name), None);
    }
    let Some((name, pid, length)) = name_and_pid(rest, word.len()) else { return (None, None) };
    cursor.at += length;
    (Some(name), Some(pid))
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && !text.ends_with(b"]")
}

/// Splits `name[pid]`, and says how long it is with the colon behind it, which
/// may be missing where the name is a single word.
fn name_and_pid(text: &[u8], word_length: usize) -> Option<(&[u8], &[u8], usize)> {
    let open = memchr::memchr2(b'[', b':', text)?;
    // `pam_unix(sshd:auth)[7]` has a colon in its name.
    let open = if text[open] == b':' {
        memchr::memchr(b'[', &text[..word_length]).filter(|open| *open > 0)?
    } else {
        open
    };
    let close = open + memchr::memchr(b']', &text[open..])?;
    let (name, pid) = (&text[..open], &text[open + 1..close]);
    let behind = &text[close + 1..];
    let colon = behind.starts_with(b":");
    let ends = colon || (open < word_length && (behind.is_empty() || behind.starts_with(b" ")));
    let is_tag = ends && !name.is_empty() && !name.ends_with(b" ") && integer(pid).is_some();
    is_tag.then_some((name, pid, close + 1 + usize::from(colon)))
}
