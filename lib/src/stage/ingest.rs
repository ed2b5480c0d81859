//! `ingest`: lines of the outside world become lines of the stream.

mod kcat;
#[cfg(feature = "kafka")]
mod messages;
mod payload;

use std::num::NonZeroU64;
use std::sync::Arc;

use self::kcat::KcatJson;
#[cfg(feature = "kafka")]
use self::messages::Messages;
use crate::line::{Control, Line, Projection, Reason, ScanError, Scanner, json};
use crate::stream::{
    Operator, Output, Place, PlaceKind, RestoreError, SnapshotReader, SnapshotWriter, StageError,
};

/// Passes JSON records on as they are, wraps text in `@raw`, and sees to it
/// that no data can pass for what belongs to the stream itself.
///
/// It looks at the first and last byte of a line, at its UTF-8, and for
/// reserved keys; whether a record is JSON at all is `parse`'s to say.
///
/// With [metadata](Self::with_metadata) a record says where it came from, as
/// its first key: `"@source":{"path":"access.log","offset":1234}` (the offset
/// of its line in bytes, after unpacking), or `"@source":{"peer":"192.0.2.1:9999"}`.
/// Messages of Kafka say more, see [`with_messages`](Self::with_messages).
#[derive(Debug)]
pub struct Ingest {
    reserved: Scanner,
    metadata: Option<Metadata>,
    /// Set if lines are what `kcat -J` prints.
    kcat: Option<KcatJson>,
    /// Set if lines are messages of Kafka.
    #[cfg(feature = "kafka")]
    messages: Option<Messages>,
    /// How many rows a run may write.
    limit: u64,
    /// How many of them it has not written yet.
    room: u64,
}

/// How a place is named in `@source`.
#[derive(Debug, Default)]
struct Metadata {
    /// Whose it is.
    name: Option<Arc<str>>,
    /// `"@source":{"path":"access.log","offset":`, without the offset's end; empty
    /// for a place without a name of its own.
    prefix: Vec<u8>,
    has_offset: bool,
}

impl Metadata {
    /// Appends the member and a comma. `rest` are members of its own that come
    /// behind the offset, with a comma before them.
    #[inline]
    fn write(&mut self, place: &Place, offset: u64, rest: &[u8], row: &mut Vec<u8>) {
        let is_same = self.name.as_ref().is_some_and(|name| Arc::ptr_eq(name, &place.name));
        if !is_same {
            self.rename(place);
        }
        if self.prefix.is_empty() {
            return;
        }
        row.extend_from_slice(&self.prefix);
        if self.has_offset {
            row.extend_from_slice(itoa::Buffer::new().format(offset).as_bytes());
        }
        row.extend_from_slice(rest);
        row.extend_from_slice(b"},");
    }

    fn rename(&mut self, place: &Place) {
        self.name = Some(Arc::clone(&place.name));
        self.prefix.clear();
        if place.kind == PlaceKind::Pipe {
            return;
        }
        self.prefix.extend_from_slice(b"\"@source\":{");
        place.write_members(&mut self.prefix);
        self.has_offset = place.kind != PlaceKind::Peer;
        if self.has_offset {
            self.prefix.extend_from_slice(b",\"offset\":");
        }
    }
}

/// The keys that no record of the outside world may have, beside `"@"`, which
/// the scanner refuses anyway.
const RESERVED: [&str; 2] = ["@raw", "@source"];

impl Default for Ingest {
    fn default() -> Self {
        let reserved = Scanner::new(Projection::from_iter(RESERVED));
        Self {
            reserved,
            metadata: None,
            kcat: None,
            #[cfg(feature = "kafka")]
            messages: None,
            limit: u64::MAX,
            room: u64::MAX,
        }
    }
}

impl Operator for Ingest {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        let before = out.stats.records_out;
        self.take(line, out)?;
        if out.stats.records_out > before {
            self.room -= 1;
            if self.room == 0 {
                out.finish();
            }
        }
        Ok(())
    }

    fn is_stateful(&self) -> bool {
        false
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.limit);
        state.u64(self.room);
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (limit, room) = (state.u64()?, state.u64()?);
        // A run that has come to its limit is over: the next one may read as much again.
        if limit == self.limit && room > 0 {
            self.room = room;
        }
        Ok(())
    }
}

impl Ingest {
    /// Lets each record say where it came from.
    #[must_use]
    pub fn with_metadata(mut self) -> Self {
        self.metadata = Some(Metadata::default());
        self
    }

    /// Ends the run once so many records have been written; at least one.
    #[must_use]
    pub fn with_limit(mut self, records: NonZeroU64) -> Self {
        (self.limit, self.room) = (records.get(), records.get());
        self
    }

    #[inline]
    fn take(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        #[cfg(feature = "kafka")]
        if let Some(messages) = &mut self.messages {
            return messages.take(&mut self.reserved, line, out);
        }
        if let Some(kcat) = &mut self.kcat {
            return kcat.take(&mut self.reserved, line, out);
        }
        if line.fault == Some(Reason::InvalidUtf8) {
            out.stats.replaced_utf8 += 1;
            let text = String::from_utf8_lossy(line.bytes);
            return self.wrap(text.as_bytes(), out);
        }
        let text = line.bytes.trim_ascii();
        // A record of several lines that is JSON has come as one line.
        let is_record = text.starts_with(b"{") && text.ends_with(b"}");
        if !is_record || memchr::memchr(b'\n', text).is_some() {
            return self.wrap(line.bytes, out);
        }
        if let Some(error) = reserved_key(&mut self.reserved, text) {
            return out.reject(Reason::ReservedKey, error, line);
        }
        let Some(metadata) = &mut self.metadata else { return out.copy_row(line.bytes) };
        let (place, offset) = (out.place().clone(), out.line_offset());
        let row = out.row();
        row.push(b'{');
        metadata.write(&place, offset, b"", row);
        let rest = &text[1..];
        if rest.trim_ascii_start() == b"}" && row.ends_with(b",") {
            row.pop();
        }
        row.extend_from_slice(rest);
        out.finish_row()
    }

    /// Writes a text line as a record.
    fn wrap(&mut self, text: &[u8], out: &mut Output) -> Result<(), StageError> {
        let (place, offset) = (out.place().clone(), out.line_offset());
        let row = out.row();
        row.push(b'{');
        if let Some(metadata) = &mut self.metadata {
            metadata.write(&place, offset, b"", row);
        }
        row.extend_from_slice(b"\"@raw\":");
        json::write_string(text, row);
        row.push(b'}');
        out.finish_row()
    }

    /// Takes messages as [`Kafka`](crate::source::Kafka) gives them, with
    /// `@source` in front unless metadata are not wanted.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn with_messages(mut self, has_metadata: bool) -> Self {
        self.messages = Some(Messages::new(has_metadata));
        self
    }

    /// Takes messages out of what `kcat -J` prints, with `@source` in front
    /// unless metadata are not wanted.
    #[must_use]
    pub fn with_kcat_json(mut self, has_metadata: bool) -> Self {
        self.kcat = Some(KcatJson::new(has_metadata));
        self
    }
}

/// The reserved key that a record has at its top level, if any.
#[inline]
fn reserved_key(reserved: &mut Scanner, text: &[u8]) -> Option<ScanError> {
    if may_have_reserved_key(text) { find_reserved_key(reserved, text) } else { None }
}

#[cold]
fn find_reserved_key(scanner: &mut Scanner, text: &[u8]) -> Option<ScanError> {
    let reserved = |at: usize| ScanError {
        reason: Reason::ReservedKey,
        at,
        what: "a key that belongs to the stream itself (@, @raw, @source)",
    };
    match scanner.scan(text) {
        Ok(()) => (0..RESERVED.len())
            .map(|slot| scanner.field(slot))
            .find(|field| field.is_present())
            .map(|field| reserved(field.start as usize)),
        Err(error) if error.reason == Reason::ReservedKey => Some(error),
        // Not JSON, which `parse` will say; but it must not look like a
        // control line on the way there.
        Err(_) => Control::is_control(text).then(|| reserved(1)),
    }
}

/// Whether `"@` occurs in the text, in any spelling. It hardly ever does.
#[inline]
fn may_have_reserved_key(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'@', b'\\', text).any(|at| match text[at] {
        b'@' => at > 0 && text[at - 1] == b'"',
        _ => text[at + 1..].starts_with(b"u0040"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut ingest = Ingest::default();
        for (line, row) in [
            (&br#"{"a":1}"#[..], Some(r#"{"a":1}"#)),
            (br#" {"a": 1.00} "#, Some(r#" {"a": 1.00} "#)),
            (
                br#"{"mail":"a@example.com","t":"\"@x"}"#,
                Some(r#"{"mail":"a@example.com","t":"\"@x"}"#),
            ),
            (br#"{"a":{"@raw":1}}"#, Some(r#"{"a":{"@raw":1}}"#)),
            (b"{broken}", Some("{broken}")),
            (b"say \"hi\"\t\0", Some(r#"{"@raw":"say \"hi\"\t\u0000"}"#)),
            (b"{\"a\":\"x\ny\"}", Some(r#"{"@raw":"{\"a\":\"x\ny\"}"}"#)),
            (b"[1]", Some(r#"{"@raw":"[1]"}"#)),
            (br#"{"cut":"#, Some(r#"{"@raw":"{\"cut\":"}"#)),
            (br#"{"@":"end"}"#, None),
            (br#"{"@raw":"x"}"#, None),
            (br#"{"a":1,"\u0040source":{}}"#, None),
            (br#"{"@":"end"x}"#, None),
        ] {
            let mut out = Output::in_memory();
            ingest.on_record(Line { bytes: line, fault: None }, &mut out).unwrap();
            let shown = String::from_utf8_lossy(line);
            let expected = row.map_or(String::new(), |row| format!("{row}\n"));
            assert_eq!(String::from_utf8_lossy(out.rows()), expected, "{shown}");
            assert_eq!(out.stats.rejected(), u64::from(row.is_none()), "{shown}");
        }
    }

    #[test]
    fn provenance_comes_first() {
        let mut ingest = Ingest::default().with_metadata();
        for (kind, line, row) in [
            (PlaceKind::File, r#"{"a":1}"#, r#"{"@source":{"path":"x\"y","offset":0},"a":1}"#),
            (PlaceKind::File, " { } ", r#"{"@source":{"path":"x\"y","offset":0} }"#),
            (PlaceKind::File, "hi", r#"{"@source":{"path":"x\"y","offset":0},"@raw":"hi"}"#),
            (PlaceKind::Peer, r#"{"a":1}"#, r#"{"@source":{"peer":"x\"y"},"a":1}"#),
            (PlaceKind::Pipe, r#"{"a":1}"#, r#"{"a":1}"#),
            (PlaceKind::Pipe, "{}", "{}"),
        ] {
            let mut out = Output::in_memory();
            out.begin_source(Place::new("x\"y", kind));
            ingest.on_record(Line { bytes: line.as_bytes(), fault: None }, &mut out).unwrap();
            assert_eq!(String::from_utf8_lossy(out.rows()), format!("{row}\n"), "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut out = Output::in_memory();
        let line = Line { bytes: b"{\"a\":\"\xff\"}", fault: Some(Reason::InvalidUtf8) };
        Ingest::default().on_record(line, &mut out).unwrap();
        assert_eq!(
            String::from_utf8_lossy(out.rows()),
            "{\"@raw\":\"{\\\"a\\\":\\\"\u{fffd}\\\"}\"}\n"
        );
        assert_eq!(out.stats.replaced_utf8, 1);
    }
}
