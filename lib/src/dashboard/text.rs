//! Text of unknown origin, cut to a length that a page can show.

use crate::line::json;

/// No text on the page is longer than so many characters.
const MAX_TEXT: usize = 256;
/// A row with more labels than these is told apart by the first of them.
const MAX_LABELS: usize = 16;

/// Appends a text as a JSON string, cut to a length that can be shown.
pub(super) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let is_start = |byte: &u8| byte & 0xc0 != 0x80;
    let mut starts = text.iter().enumerate().filter(|(_, byte)| is_start(byte));
    match starts.nth(MAX_TEXT) {
        None => json::write_string(text, out),
        Some((end, _)) => {
            out.push(b'"');
            json::write_escaped(&text[..end], out);
            out.extend_from_slice("…\"".as_bytes());
        }
    }
}

/// A row's query and labels in the making, as JSON. One is used again and again.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    text: Vec<u8>,
    count: usize,
}

impl Labels {
    /// Takes all labels away; those that follow are of `query`.
    pub fn begin(&mut self, query: Option<&[u8]>) {
        self.count = 0;
        self.text.clear();
        self.text.extend_from_slice(b"\"query\":");
        match query {
            Some(query) => write_text(query, &mut self.text),
            None => self.text.extend_from_slice(b"null"),
        }
        self.text.extend_from_slice(b",\"labels\":[");
    }

    /// Adds a label.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        if self.count == MAX_LABELS {
            return;
        }
        self.text.extend_from_slice(if self.count == 0 { b"[" } else { b",[" });
        self.count += 1;
        write_text(name, &mut self.text);
        self.text.push(b',');
        write_text(value, &mut self.text);
        self.text.push(b']');
    }

    /// The query and the labels, as two members of a JSON object.
    pub fn end(&mut self) -> &[u8] {
        self.text.push(b']');
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        let euros = "€".repeat(MAX_TEXT);
        for (text, shown) in [
            ("a\"b", "\"a\\\"b\"".to_owned()),
            (&euros, format!("\"{euros}\"")),
            (&format!("{euros}€"), format!("\"{euros}…\"")),
            (&"\n".repeat(300), format!("\"{}…\"", "\\n".repeat(MAX_TEXT))),
        ] {
            let mut out = Vec::new();
            write_text(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), shown);
        }
    }

    #[test]
    fn labels_are_members() {
        let mut labels = Labels::default();
        labels.begin(None);
        assert_eq!(labels.end(), br#""query":null,"labels":[]"#);
        labels.begin(Some(b"q"));
        labels.push(b"service", b"a");
        labels.push(b"zone", b"\"");
        assert_eq!(labels.end(), br#""query":"q","labels":[["service","a"],["zone","\""]]"#);
        labels.begin(None);
        for _ in 0..100 {
            labels.push(b"a", b"b");
        }
        assert_eq!(labels.end().split(|byte| *byte == b'[').count(), MAX_LABELS + 2);
    }
}
