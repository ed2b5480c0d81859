//! Numbers of a row.

use crate::line::{Field, Kind, json};

/// A value that is neither null nor a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotANumber;

/// The number in a field; a string is the number that it spells. `None` of a
/// null or missing field.
pub(super) fn read(field: Field, line: &[u8]) -> Result<Option<f64>, NotANumber> {
    let text = match field.kind {
        Kind::Missing | Kind::Null => return Ok(None),
        Kind::Int | Kind::Float => field.text(line),
        Kind::Str => field.inner(line).trim_ascii(),
        _ => return Err(NotANumber),
    };
    json::parse_double(text).map(Some).ok_or(NotANumber)
}

/// The number of items of a list. `None` of a null or missing field.
pub(super) fn size(field: Field, line: &[u8]) -> Result<Option<f64>, NotANumber> {
    match field.kind {
        Kind::Missing | Kind::Null => Ok(None),
        Kind::Array => Ok(Some(count_items(field.text(line)) as f64)),
        _ => Err(NotANumber),
    }
}

/// The number of items of a list, which has passed the scanner.
fn count_items(list: &[u8]) -> usize {
    let mut at = json::skip_blanks(list, 1);
    if list.get(at) == Some(&b']') {
        return 0;
    }
    let (mut commas, mut depth) = (0, 0_u32);
    while let Some(byte) = list.get(at) {
        at += 1;
        match byte {
            b'"' => at = json::string_end(list, at).map_or(list.len(), |string| string.end),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => commas += 1,
            _ => {}
        }
    }
    commas + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Scanner;
    use proptest::prelude::*;

    fn of<T>(value: &str, read: fn(Field, &[u8]) -> T) -> T {
        let line = format!("{{\"x\":{value}}}");
        let mut scanner = Scanner::new(["x"].iter().collect());
        scanner.scan(line.as_bytes()).unwrap();
        read(scanner.field(0), line.as_bytes())
    }

    #[test]
    fn numbers_and_what_spells_them() {
        for (value, number) in [
            ("31.2", Ok(Some(31.2))),
            ("7", Ok(Some(7.0))),
            ("\"31.2\"", Ok(Some(31.2))),
            ("\" 7 \"", Ok(Some(7.0))),
            ("null", Ok(None)),
            ("\"\"", Err(NotANumber)),
            ("\"many\"", Err(NotANumber)),
            ("\"NaN\"", Err(NotANumber)),
            ("1e999", Err(NotANumber)),
            ("true", Err(NotANumber)),
            ("[1]", Err(NotANumber)),
        ] {
            assert_eq!(of(value, read), number, "{value}");
        }
    }

    #[test]
    fn only_lists_have_a_size() {
        for (value, number) in [
            ("[]", Ok(Some(0.0))),
            ("[ ]", Ok(Some(0.0))),
            (r#"[",]",[1,2],{"a":[3,4],"b":5}]"#, Ok(Some(3.0))),
            ("null", Ok(None)),
            ("7", Err(NotANumber)),
            ("\"a,b\"", Err(NotANumber)),
        ] {
            assert_eq!(of(value, size), number, "{value}");
        }
    }

    proptest! {
        #[test]
        fn sizes_are_those_of_serde_json(items in proptest::collection::vec(
            prop_oneof![any::<String>().prop_map(serde_json::Value::from),
                        proptest::collection::vec(r#"[\[\],{}" a]{0,4}"#, 0..3).prop_map(serde_json::Value::from)], 0..5)) {
            let text = serde_json::to_string(&items).unwrap();
            prop_assert_eq!(of(&text, size), Ok(Some(items.len() as f64)));
        }
    }
}
