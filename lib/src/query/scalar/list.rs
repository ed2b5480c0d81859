//! Lists and objects, as JSON text that the scanner has checked.

use crate::line::{Value, json};

/// The number of members of a list or object.
pub(super) fn size(value: Value<'_>) -> Option<i128> {
    match value {
        Value::List(length, _) => Some(length as i128),
        Value::Json(text) => Some(members(text).count() as i128),
        _ => None,
    }
}

/// The members of an array or object, each with its key if it has one, without
/// the blanks around it.
pub(crate) fn members(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = json::skip_blanks(text, 1);
    let is_empty = matches!(text.get(at), None | Some(b']' | b'}'));
    let mut rest = (!is_empty).then_some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let start = at;
        let end = member_end(text, start);
        at = end + 1;
        rest = rest.filter(|_| text.get(end) == Some(&b','));
        text.get(start..end).map(<[u8]>::trim_ascii)
    })
}

/// Where the member that begins at `at` ends: at a comma or the closing
/// bracket of its list.
fn member_end(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_u32;
    while at < text.len() {
        match text[at] {
            b'"' => {
                let Ok(string) = json::string_end(text, at + 1) else { return text.len() };
                at = string.end;
                continue;
            }
            b'[' | b'{' => depth += 1,
            b',' | b']' | b'}' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_apart() {
        for (text, expected) in [
            ("[]", &[][..]),
            ("[ ]", &[]),
            ("{}", &[]),
            ("[1]", &["1"]),
            (
                "[ 1 , [2,3], \"a,]\\\"\", {\"c\":[1,2]} ]",
                &["1", "[2,3]", "\"a,]\\\"\"", "{\"c\":[1,2]}"],
            ),
            ("{\"a\":1,\"b\":{\"c\":2}}", &["\"a\":1", "\"b\":{\"c\":2}"]),
        ] {
            let found: Vec<_> =
                members(text.as_bytes()).map(|m| std::str::from_utf8(m).unwrap()).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
