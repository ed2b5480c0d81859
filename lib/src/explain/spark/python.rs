//! Python's spellings.

use std::fmt::Write as _;

/// A text as a literal.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            char if char.is_control() => {
                let _ = write!(out, "\\U{:08x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// A list of texts.
pub(super) fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|item| text(item)).collect();
    format!("[{}]", texts.join(", "))
}

/// A name for a function, made of any text.
pub(super) fn identifier(name: &str) -> String {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let name: String = name.chars().map(|char| if is_part(char) { char } else { '_' }).collect();
    // So it cannot be a keyword or one of the program's own names.
    format!("query_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_names() {
        assert_eq!(text("a \"b\"\\\n\u{7f}é"), "\"a \\\"b\\\"\\\\\\n\\U0000007fé\"");
        assert_eq!(list(&["a".into(), "b".into()]), "[\"a\", \"b\"]");
        assert_eq!(identifier("error-rate é"), "query_error_rate__");
    }
}
