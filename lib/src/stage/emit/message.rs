//! Key and payload of a message, out of a record.

use crate::line::{Field, Kind, Member, Projection, ScanError, Scanner, json};

/// What is written to Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// What decides on the partition, and on what a compacted topic keeps.
    pub(super) key: Option<&'a [u8]>,
    /// The record; `None` deletes what a compacted topic has under the key.
    pub(super) payload: Option<&'a [u8]>,
}

/// Reads messages, one a record.
#[derive(Debug)]
pub(super) struct MessageReader {
    scanner: Scanner,
    key: Option<usize>,
    /// The slot of `@source`, if it is cut out.
    source: Option<usize>,
    /// A record without its `@source`.
    cut: Vec<u8>,
    /// A key whose escapes are resolved.
    unescaped: Vec<u8>,
}

impl MessageReader {
    /// Takes keys from a field, which may be a path.
    pub(super) fn new(key: Option<&str>, keep_source: bool) -> Self {
        let mut projection = Projection::default();
        let key = key.map(|key| projection.add(key));
        let source = (!keep_source).then(|| projection.add("@source"));
        let scanner = Scanner::new(projection);
        let scanner = if keep_source { scanner } else { scanner.with_members() };
        Self { scanner, key, source, cut: Vec::new(), unescaped: Vec::new() }
    }

    /// Reads a record.
    pub(super) fn read<'a>(&'a mut self, line: &'a [u8]) -> Result<Message<'a>, ScanError> {
        self.scanner.scan(line)?;
        let key = self.key.map(|slot| self.scanner.field(slot)).unwrap_or_default();
        let key = key_text(key, line, &mut self.unescaped);
        let source = self.source.filter(|slot| self.scanner.field(*slot).is_present());
        let Some(source) = source else { return Ok(Message { key, payload: Some(line) }) };
        let rest = cut(self.scanner.members(), source, line, &mut self.cut);
        let is_tombstone = rest == 0 && key.is_some();
        Ok(Message { key, payload: (!is_tombstone).then_some(&self.cut) })
    }
}

/// A field as a key: a string's text, anything else as it is spelled; null is
/// none.
fn key_text<'a>(field: Field, line: &'a [u8], unescaped: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    match field.kind {
        Kind::Missing | Kind::Null => None,
        Kind::Str => Some(field.inner(line)),
        Kind::EscapedStr => {
            unescaped.clear();
            json::unescape(field.inner(line), unescaped);
            Some(unescaped)
        }
        _ => Some(field.text(line)),
    }
}

/// Writes the record without the members in `slot`, and the others as they
/// stand; returns how many they are.
fn cut(members: &[Member], slot: usize, line: &[u8], rest: &mut Vec<u8>) -> usize {
    rest.clear();
    rest.push(b'{');
    let mut kept = 0;
    let mut at = json::skip_blanks(line, 0) + 1;
    for (index, member) in members.iter().enumerate() {
        let end = member.value.end as usize;
        if member.slot.map(usize::from) != Some(slot) {
            // The comma in front of it belongs to the member before.
            if kept == 0 && index > 0 {
                at = json::skip_blanks(line, at) + 1;
            }
            rest.extend_from_slice(&line[at..end]);
            kept += 1;
        }
        at = end;
    }
    rest.extend_from_slice(&line[at..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(key: Option<&str>, keep: bool, line: &str) -> (Option<String>, Option<String>) {
        let mut reader = MessageReader::new(key, keep);
        let message = reader.read(line.as_bytes()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (message.key.map(text), message.payload.map(text))
    }

    #[test]
    fn a_key_is_the_text_of_its_field() {
        for (record, key) in [
            (r#"{"a":"x"}"#, Some("x")),
            (r#"{"a":""}"#, Some("")),
            (r#"{"a":"\u00e9\"\n"}"#, Some("é\"\n")),
            (r#"{"a":17}"#, Some("17")),
            (r#"{"a":1.50e3}"#, Some("1.50e3")),
            (r#"{"a":true}"#, Some("true")),
            (r#"{"a":[1, 2]}"#, Some("[1, 2]")),
            (r#"{"a":null}"#, None),
            (r#"{"b":1}"#, None),
            (r#"{"a":1,"a":2}"#, Some("2")),
        ] {
            let expected = (key.map(str::to_owned), Some(record.to_owned()));
            assert_eq!(read(Some("a"), false, record), expected, "{record}");
            assert_eq!(read(None, false, record).0, None);
        }
    }

    #[test]
    fn a_key_may_be_a_path() {
        let record = r#"{"@source":{"topic":"t","key":"u1"},"a":{"b":3},"log.level":"warn"}"#;
        for (field, key) in [("@source.key", "u1"), ("a.b", "3"), ("log.level", "warn")] {
            assert_eq!(read(Some(field), false, record).0.as_deref(), Some(key));
            assert_eq!(read(Some(field), true, record).1.as_deref(), Some(record));
        }
    }

    #[test]
    fn source_is_cut_out_and_the_rest_stays_as_it_is() {
        for (record, rest) in [
            (r#"{"@source":{"a":1},"b" : 2, "c":3}"#, r#"{"b" : 2, "c":3}"#),
            (r#"{ "@source" : {"a":[1,{}]} , "b":2 }"#, r#"{ "b":2 }"#),
            (r#" {"@source":1, "b":2} "#, r#"{ "b":2} "#),
            (r#"{"b":2 , "@source":1, "c":3}"#, r#"{"b":2, "c":3}"#),
            (r#"{"b":2,"@source":1}"#, r#"{"b":2}"#),
            (r#"{"@source":1,"b":2,"@source":{}}"#, r#"{"b":2}"#),
            (r#"{"\u0040source":1,"b":2}"#, r#"{"b":2}"#),
            (r#"{"@source":{"peer":"192.0.2.1:9"},"@raw":"x, y"}"#, r#"{"@raw":"x, y"}"#),
            (r#"{"a":{"@source":1}}"#, r#"{"a":{"@source":1}}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(read(None, false, record).1.as_deref(), Some(rest), "{record}");
            assert_eq!(read(None, true, record).1.as_deref(), Some(record));
        }
    }

    #[test]
    fn a_record_of_its_source_alone_with_a_key_is_a_null_payload() {
        let record = r#"{"@source":{"key":"u1"}}"#;
        let key = Some("u1".to_owned());
        assert_eq!(read(Some("@source.key"), false, record), (key.clone(), None));
        assert_eq!(read(Some("@source.key"), true, record), (key, Some(record.to_owned())));
        assert_eq!(read(Some("user"), false, record), (None, Some("{}".to_owned())));
        assert_eq!(read(None, false, record), (None, Some("{}".to_owned())));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let mut reader = MessageReader::new(Some("a"), false);
        for line in ["", "[1]", "GET / HTTP/1.1", r#"{"a":1"#, r#"{"@":"end"}"#] {
            assert!(reader.read(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        /// Members with and without blanks around them, some of them `@source`.
        #[test]
        fn what_is_left_is_the_record_without_its_source(
            members in proptest::collection::vec((any::<bool>(), 0_u8..9), 0..6),
            blank in prop::sample::select(vec!["", " ", "\t "]),
        ) {
            let text = |(index, (is_source, value)): (usize, &(bool, u8))| {
                let name = if *is_source { "@source".to_owned() } else { format!("k{index}") };
                format!("{blank}\"{name}\"{blank}:{blank}{value}{blank}")
            };
            let all: Vec<String> = members.iter().enumerate().map(text).collect();
            let record = format!("{{{}}}", all.join(","));
            let (_, rest) = read(None, false, &record);
            let rest: serde_json::Value = serde_json::from_str(&rest.unwrap()).unwrap();
            let mut expected: serde_json::Value = serde_json::from_str(&record).unwrap();
            expected.as_object_mut().unwrap().remove("@source");
            prop_assert_eq!(rest, expected);
        }
    }
}
