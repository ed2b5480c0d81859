//! Names, label values and numbers as the text exposition format has them.

use crate::line::json;

/// Appends a field's name as a metric's name: `[a-zA-Z_][a-zA-Z0-9_]*`. Colons
/// are for recording rules, and are replaced too.
///
/// A run of other characters becomes one underscore, or nothing at the end.
pub(super) fn write_metric_name(field: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut replaced = false;
    for byte in field {
        if byte.is_ascii_alphanumeric() || *byte == b'_' {
            if std::mem::take(&mut replaced) {
                out.push(b'_');
            }
            if out.len() == start && byte.is_ascii_digit() {
                out.push(b'_');
            }
            out.push(*byte);
        } else {
            replaced = true;
        }
    }
    if out.len() == start {
        out.push(b'_');
    }
}

/// Appends a field's name as a label's name: as a metric's, but with no more
/// than one underscore in front, since two are for Prometheus itself.
pub(super) fn write_label_name(field: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    write_metric_name(field, out);
    let underscores = out[start..].iter().take_while(|byte| **byte == b'_').count();
    if underscores > 1 {
        out.drain(start..start + underscores - 1);
    }
}

/// What stands for a NUL, which Prometheus takes for the end of the text.
const NUL: &[u8] = "\u{fffd}".as_bytes();

/// Appends a label's value, escaped, without quotes.
pub(super) fn write_label_value(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            0 => out.extend_from_slice(NUL),
            byte => out.push(*byte),
        }
    }
}

/// Appends the two lines in front of a family. In help texts quotes stand for
/// themselves.
pub(super) fn write_header(name: &[u8], help: &[u8], kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"# HELP ");
    out.extend_from_slice(name);
    out.push(b' ');
    for byte in help {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0 => out.extend_from_slice(NUL),
            byte => out.push(*byte),
        }
    }
    write_type(name, kind, out);
}

/// Appends the two lines in front of a family as OpenMetrics has them: in its
/// help texts quotes are escaped too.
pub(super) fn write_open_header(name: &[u8], help: &[u8], kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"# HELP ");
    out.extend_from_slice(name);
    out.push(b' ');
    write_label_value(help, out);
    write_type(name, kind, out);
}

fn write_type(name: &[u8], kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n# TYPE ");
    out.extend_from_slice(name);
    out.push(b' ');
    out.extend_from_slice(kind.as_bytes());
    out.push(b'\n');
}

/// Appends a sample; `labels` are rendered, without braces. `at` is its time in
/// seconds since 1970, if it has one.
pub(super) fn write_sample(
    name: &[u8],
    labels: &[u8],
    value: f64,
    at: Option<f64>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(name);
    if !labels.is_empty() {
        out.push(b'{');
        out.extend_from_slice(labels);
        out.push(b'}');
    }
    out.push(b' ');
    json::write_number(value, out);
    if let Some(at) = at {
        out.push(b' ');
        json::write_number(at, out);
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_made_fit() {
        for (field, metric, label) in [
            ("error_rate", "error_rate", "error_rate"),
            ("count(*)", "count", "count"),
            ("avg(x.y)", "avg_x_y", "avg_x_y"),
            ("log.level", "log_level", "log_level"),
            ("a:b", "a_b", "a_b"),
            ("p99", "p99", "p99"),
            ("99p", "_99p", "_99p"),
            ("__name__", "__name__", "_name__"),
            ("größe", "gr_e", "gr_e"),
            ("地", "_", "_"),
            ("", "_", "_"),
            (".a", "_a", "_a"),
        ] {
            assert_eq!(written(|out| write_metric_name(field.as_bytes(), out)), metric, "{field}");
            assert_eq!(written(|out| write_label_name(field.as_bytes(), out)), label, "{field}");
        }
    }

    #[test]
    fn labels_and_help_are_escaped() {
        let text = "a\\b\"c\nd é";
        assert_eq!(written(|out| write_label_value(text.as_bytes(), out)), "a\\\\b\\\"c\\nd é");
        assert_eq!(written(|out| write_label_value(b"a\0b", out)), "a\u{fffd}b");
        assert_eq!(
            written(|out| write_header(b"m", text.as_bytes(), "gauge", out)),
            "# HELP m a\\\\b\"c\\nd é\n# TYPE m gauge\n"
        );
    }

    #[test]
    fn samples() {
        for (labels, value, at, text) in [
            ("", 1.0, None, "m 1\n"),
            ("a=\"b\"", 0.25, None, "m{a=\"b\"} 0.25\n"),
            ("", -0.0, None, "m 0\n"),
            ("", 1e300, None, "m 1e+300\n"),
            ("", 1_757_635_260.123, None, "m 1757635260.123\n"),
            ("", 1.0, Some(1_757_635_260.5), "m 1 1757635260.5\n"),
        ] {
            assert_eq!(written(|out| write_sample(b"m", labels.as_bytes(), value, at, out)), text);
        }
    }
}
