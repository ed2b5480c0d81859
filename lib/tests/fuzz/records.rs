//! JSON: the scanner against `serde_json`, and control lines.

use std::fmt;

use highwater_core::line::{Control, Field, Kind, Projection, Reason, ScanError, Scanner, json};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in order, all copies of a key.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl<'a> Members<'a> {
    fn last(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// A field by its literal key, then by its path of two keys.
    fn find(&self, name: &str) -> Option<&'a RawValue> {
        let (head, rest) = name.split_once('.').unwrap_or((name, ""));
        self.last(name).or_else(|| {
            let inner = self.last(head).filter(|_| !rest.is_empty())?;
            serde_json::from_str::<Members<'a>>(inner.get()).ok()?.last(rest)
        })
    }
}

const NAMES: [&str; 4] = ["a", "timestamp", "a.b", "log.level"];

/// Lines are taken and refused as `serde_json` does, and have the same fields;
/// what the scanner remembers of the lines before makes no difference.
pub(super) fn scanner(bytes: &[u8]) {
    let new = || Scanner::new(Projection::from_iter(NAMES)).with_members();
    let mut scanner = new();
    for line in super::lines(bytes) {
        // The driver lets nothing else in.
        let Ok(text) = std::str::from_utf8(line) else { continue };
        let (result, mut fresh) = (scanner.scan(line), new());
        assert_eq!(result, fresh.scan(line), "{text}");
        match result {
            Ok(()) => taken(&scanner, &fresh, text),
            Err(error) => refused(error, text),
        }
    }
}

fn refused(error: ScanError, text: &str) {
    assert!(error.at <= text.len(), "{text}: {error}");
    let theirs = serde_json::from_str::<&RawValue>(text);
    match error.reason {
        Reason::NotObject => assert!(!theirs.unwrap().get().starts_with('{'), "{text}"),
        Reason::ReservedKey | Reason::TooDeep => {}
        _ => assert!(theirs.is_err(), "{text}: {error}"),
    }
}

fn taken(scanner: &Scanner, fresh: &Scanner, text: &str) {
    let line = text.as_bytes();
    assert_eq!(scanner.members(), fresh.members(), "{text}");
    let whole = serde_json::from_str::<&RawValue>(text);
    assert!(whole.is_ok_and(|whole| whole.get().starts_with('{')), "{text}");
    // A key with half of a surrogate pair is a key by the grammar, but no text.
    let Ok(theirs) = serde_json::from_str::<Members<'_>>(text) else { return };
    assert_eq!(scanner.members().len(), theirs.0.len(), "{text}");
    for (ours, (_, value)) in scanner.members().iter().zip(&theirs.0) {
        assert_eq!(ours.value.text(line), value.get().as_bytes(), "{text}");
        same_value(ours.value, line);
    }
    for (slot, name) in NAMES.iter().enumerate() {
        let (ours, again) = (scanner.field(slot).text(line), fresh.field(slot).text(line));
        assert_eq!(ours, again, "{name} of {text}");
        let theirs = theirs.find(name).map_or("", RawValue::get);
        assert_eq!(ours, theirs.as_bytes(), "{name} of {text}");
    }
}

/// A value means what `serde_json` says, where that can say it.
fn same_value(field: Field, line: &[u8]) {
    let text = field.text(line);
    match field.kind {
        Kind::Str | Kind::EscapedStr => {
            let mut ours = Vec::new();
            json::unescape(field.inner(line), &mut ours);
            if let Ok(theirs) = serde_json::from_slice::<String>(text) {
                assert_eq!(ours, theirs.as_bytes());
            }
            let mut written = Vec::new();
            json::write_string(&ours, &mut written);
            let read = serde_json::from_slice::<String>(&written).unwrap();
            assert_eq!(read.as_bytes(), ours);
        }
        Kind::Int | Kind::Float => {
            let theirs = std::str::from_utf8(text).unwrap().parse::<f64>().unwrap();
            // No double is as large as some numbers are.
            assert_eq!(json::parse_double(text), Some(theirs).filter(|number| number.is_finite()));
        }
        _ => {}
    }
}

/// A control line that was read comes back as it is written.
pub(super) fn control(bytes: &[u8]) {
    for line in super::lines(bytes) {
        let Ok(control) = Control::parse(line) else { continue };
        let mut written = Vec::new();
        control.write(&mut written);
        assert!(Control::is_control(&written));
        assert_eq!(Control::parse(&written), Ok(control));
    }
}
