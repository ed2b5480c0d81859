//! What of the rows a stage shows: which of them, and what their members are to
//! it: labels, which tell series apart, or measures.

use super::RowReader;
use crate::line::{Field, Kind, Member, Projection, Value, json};
use crate::stream::Output;
use crate::time::Timestamp;

/// A string longer than this many bytes is free text, and no label.
pub const MAX_LABEL: usize = 256;

/// Fields that say how a row came to be, or nothing that can be counted.
const NO_LABELS: [&[u8]; 3] = [b"closed_by", b"reason", b"message"];
/// Numbers that are no measure.
const NO_MEASURES: [&[u8]; 1] = [b"revision"];
/// Keys of which there are as many as people: rows by them are left out, unless
/// they are asked for.
pub(crate) const PERSONAL: [&str; 2] = ["ip_address", "user_id"];

/// The rows that are shown, and the keys that tell them apart.
///
/// A row has no mark of what it was grouped by. Its strings are taken for keys,
/// its numbers for measures, so a key that is a number has to be named.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    queries: Vec<Named>,
    keys: Vec<Named>,
    /// Slots of [`PERSONAL`] keys that nobody asked for.
    personal: Vec<usize>,
}

/// A query or field that was asked for.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    /// Whether a row has had it.
    is_seen: bool,
}

impl Named {
    fn all(names: Vec<String>) -> Vec<Self> {
        names.into_iter().map(|name| Self { name, is_seen: false }).collect()
    }
}

impl Selection {
    /// The rows of `queries`, or if there are none named, all but those by
    /// `ip_address` or `user_id`, unless that is among `keys`. The fields `keys`
    /// are labels, whatever is in them.
    pub fn new(queries: Vec<String>, keys: Vec<String>) -> Self {
        Self { queries: Named::all(queries), keys: Named::all(keys), personal: Vec::new() }
    }

    /// Adds what it has to see of each row to `projection`.
    pub(crate) fn look_at(&mut self, projection: &mut Projection) {
        let unasked =
            PERSONAL.iter().filter(|key| !self.keys.iter().any(|known| known.name == **key));
        self.personal = unasked.map(|key| projection.add(key)).collect();
    }

    /// Whether the row that `rows` has read is shown.
    pub(crate) fn has(&mut self, rows: &mut RowReader, line: &[u8]) -> bool {
        if self.queries.is_empty() {
            return !self.personal.iter().any(|slot| rows.field(*slot).is_present());
        }
        let query = self.queries.iter_mut().find(|query| rows.is_of_query(line, &query.name));
        query.map(|query| query.is_seen = true).is_some()
    }

    /// Tells what was asked for and is in no row: a slip of the pen, most likely.
    pub(crate) fn say_unseen(&self, out: &mut Output) {
        if out.stats.records_in == 0 {
            return;
        }
        for query in self.queries.iter().filter(|query| !query.is_seen) {
            out.message(&format!("no row is of the query {} (--query)", query.name));
        }
        for key in self.keys.iter().filter(|key| !key.is_seen) {
            out.message(&format!("no row has the field {} (--by)", key.name));
        }
    }

    fn is_key(&self, name: &[u8]) -> bool {
        self.keys.iter().any(|key| key.name.as_bytes() == name)
    }

    /// The text of the label that the field `name` is, if it is one. Of truth
    /// values only `overflow` is one, where it is true.
    pub(crate) fn label<'a>(
        &mut self,
        name: &[u8],
        field: Field,
        line: &'a [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        if let Some(key) = self.keys.iter_mut().find(|key| key.name.as_bytes() == name) {
            key.is_seen = true;
            let text = match field.kind {
                Kind::Int | Kind::Float | Kind::True | Kind::False => field.text(line),
                _ => match Value::read(field, line, scratch) {
                    Value::Str(text) => text,
                    _ => return None,
                },
            };
            return (text.len() <= MAX_LABEL).then_some(text);
        }
        if NO_LABELS.contains(&name) {
            return None;
        }
        match Value::read(field, line, scratch) {
            Value::Str(text) => is_label(text).then_some(text),
            Value::Bool(true) if name == b"overflow" => Some(b"true"),
            _ => None,
        }
    }

    /// Gives the measures among the members to `take`: the name, and `None` for
    /// null or a number beyond the doubles. `name` is scratch.
    pub(crate) fn for_each_number(
        &self,
        members: &[Member],
        line: &[u8],
        name: &mut Vec<u8>,
        mut take: impl FnMut(&[u8], Option<f64>),
    ) {
        for member in members {
            let number = match member.value.kind {
                Kind::Int | Kind::Float => json::parse_double(member.value.text(line)),
                Kind::Null => None,
                _ => continue,
            };
            read_key(line, member.key as usize, name);
            if !NO_MEASURES.contains(&name.as_slice()) && !self.is_key(name) {
                take(name, number);
            }
        }
    }
}

/// Reads the key whose opening quote is at `at`.
pub(crate) fn read_key(line: &[u8], at: usize, key: &mut Vec<u8>) {
    key.clear();
    let start = at + 1;
    let Ok(end) = json::string_end(line, start) else { return };
    let text = &line[start..end.end - 1];
    if end.escaped { json::unescape(text, key) } else { key.extend_from_slice(text) }
}

/// Whether a string tells series apart: no free text, and no time, which would
/// make a new series of every row.
pub(crate) fn is_label(text: &[u8]) -> bool {
    text.len() <= MAX_LABEL && Timestamp::parse(text).is_none()
}
