//! Sets of labels.

use std::ops::Range;

use super::text;

/// A row with labels of more bytes than this is of no series: they take memory
/// for as long as it is kept.
const MAX_LABELS: usize = 16 * 1024;

/// The labels of a series, in the making. One is used again and again.
#[derive(Clone, Debug, Default)]
pub struct LabelSet {
    text: Vec<u8>,
    labels: Vec<Label>,
    rendered: Vec<u8>,
}

/// Places in [`LabelSet::text`].
#[derive(Clone, Debug)]
struct Label {
    name: Range<usize>,
    value: Range<usize>,
}

impl LabelSet {
    /// Takes all labels away.
    pub fn clear(&mut self) {
        self.text.clear();
        self.labels.clear();
    }

    /// Adds a label; of several with one name the last counts. An empty value
    /// is none, as Prometheus sees it.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.len();
        text::write_label_name(name, &mut self.text);
        let middle = self.text.len();
        text::write_label_value(value, &mut self.text);
        self.labels.push(Label { name: start..middle, value: middle..self.text.len() });
    }

    /// Whether these are more labels than a series may have.
    pub fn is_too_large(&self) -> bool {
        self.text.len() > MAX_LABELS
    }

    /// Adds several, in place of those of the same names.
    pub fn push_all(&mut self, labels: &[(String, String)]) {
        for (name, value) in labels {
            self.push(name.as_bytes(), value.as_bytes());
        }
    }

    /// The labels as they stand between the braces, sorted by name: equal sets
    /// give equal bytes.
    pub fn render(&mut self) -> &[u8] {
        let Self { text, labels, rendered } = self;
        let name = |label: &Label| &text[label.name.clone()];
        // Names that are equal stay in order of arrival.
        labels.sort_unstable_by(|a, b| name(a).cmp(name(b)).then(a.name.start.cmp(&b.name.start)));
        rendered.clear();
        for (index, label) in labels.iter().enumerate() {
            let is_last = labels.get(index + 1).is_none_or(|next| name(next) != name(label));
            if !is_last || label.value.is_empty() {
                continue;
            }
            if !rendered.is_empty() {
                rendered.push(b',');
            }
            rendered.extend_from_slice(name(label));
            rendered.extend_from_slice(b"=\"");
            rendered.extend_from_slice(&text[label.value.clone()]);
            rendered.push(b'"');
        }
        rendered
    }
}

/// Reads `name=value`; the name must be one that Prometheus takes.
///
/// # Errors
///
/// Returns what is wrong with it.
pub fn parse_label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it like env=prod")?;
    let is_fit = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with("__");
    if is_fit {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err("a label's name is made of letters, digits and _, does not begin with a digit, \
             nor with __"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sorted_and_the_last_of_a_name_counts() {
        let mut set = LabelSet::default();
        for (labels, rendered) in [
            (&[][..], ""),
            (&[("b", "1"), ("a", "2")][..], r#"a="2",b="1""#),
            (&[("a", "1"), ("b", "x"), ("a", "2")][..], r#"a="2",b="x""#),
            (&[("a.b", "1"), ("a_b", "2")][..], r#"a_b="2""#),
            (&[("a", ""), ("b", "\"")][..], r#"b="\"""#),
            (&[("a", "1"), ("a", "")][..], ""),
        ] {
            set.clear();
            for (name, value) in labels {
                set.push(name.as_bytes(), value.as_bytes());
            }
            assert_eq!(set.render(), rendered.as_bytes(), "{labels:?}");
        }
    }
}
