//! What the members of a row are to stages that show rows: labels, which tell
//! series apart, and measures.

use crate::line::{Field, Kind, Member, Value, json};
use crate::time::Timestamp;

/// A string longer than this many bytes is free text, and no label.
pub const MAX_LABEL: usize = 256;

/// Fields that say how a row came to be, or nothing that can be counted.
const NO_LABELS: [&[u8]; 3] = [b"closed_by", b"reason", b"message"];
/// Numbers that are no measure.
const NO_MEASURES: [&[u8]; 1] = [b"revision"];

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

/// The text of the label that the field `key` is, if it is one. Of
/// truth values only `overflow` is one, where it is true.
pub(crate) fn label<'a>(
    key: &[u8],
    field: Field,
    line: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    if NO_LABELS.contains(&key) {
        return None;
    }
    match Value::read(field, line, scratch) {
        Value::Str(text) => is_label(text).then_some(text),
        Value::Bool(true) if key == b"overflow" => Some(b"true"),
        _ => None,
    }
}

/// Gives the measures among the members to `take`: the key, and `None` for null
/// or a number beyond the doubles. `key` is scratch.
pub(crate) fn for_each_number(
    members: &[Member],
    line: &[u8],
    key: &mut Vec<u8>,
    mut take: impl FnMut(&[u8], Option<f64>),
) {
    for member in members {
        let number = match member.value.kind {
            Kind::Int | Kind::Float => json::parse_double(member.value.text(line)),
            Kind::Null => None,
            _ => continue,
        };
        read_key(line, member.key as usize, key);
        if !NO_MEASURES.contains(&key.as_slice()) {
            take(key, number);
        }
    }
}
