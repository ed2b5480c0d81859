//! Rows with their scores.

use crate::line::{Member, json};

/// The member that is added.
pub(super) const KEY: &str = "anomaly_score";

/// Writes a row with its score: as the last member, or, if the row has that key
/// already, in place of all its copies, where the first one was. All other bytes
/// stay.
///
/// `members` are those of the row, `slot` that of [`KEY`].
pub(super) fn write(row: &[u8], members: &[Member], slot: usize, score: f64, out: &mut Vec<u8>) {
    let is_it = |member: &&Member| member.slot.map(usize::from) == Some(slot);
    if !members.iter().any(|member| is_it(&member)) {
        let end = row.iter().rposition(|byte| *byte == b'}').unwrap_or(row.len());
        out.extend_from_slice(&row[..end]);
        out.extend_from_slice(if members.is_empty() { b"" } else { b"," });
        return last(score, &row[end..], out);
    }
    let mut at = 0;
    let mut is_written = false;
    for (index, member) in members.iter().enumerate() {
        if !is_it(&member) {
            continue;
        }
        if is_written {
            // With the comma and the blanks before it: a copy is not the first.
            out.extend_from_slice(&row[at..members[index - 1].value.end as usize]);
        } else {
            out.extend_from_slice(&row[at..member.value.start as usize]);
            json::write_double(score, out);
            is_written = true;
        }
        at = member.value.end as usize;
    }
    out.extend_from_slice(&row[at..]);
}

fn last(score: f64, end: &[u8], out: &mut Vec<u8>) {
    json::write_string(KEY.as_bytes(), out);
    out.push(b':');
    json::write_double(score, out);
    out.extend_from_slice(end);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Scanner;

    #[test]
    fn the_score_is_the_last_member_or_replaces_all_there_are() {
        for (row, annotated) in [
            ("{}", r#"{"anomaly_score":0.5}"#),
            (" { } ", r#" { "anomaly_score":0.5} "#),
            (r#"{"a":1}"#, r#"{"a":1,"anomaly_score":0.5}"#),
            (r#"{"a":{"anomaly_score":1} }"#, r#"{"a":{"anomaly_score":1} ,"anomaly_score":0.5}"#),
            (r#"{"anomaly_score":null, "a":1}"#, r#"{"anomaly_score":0.5, "a":1}"#),
            (
                r#"{"a" : 1, "anomal\u0079_score" : "x"}"#,
                r#"{"a" : 1, "anomal\u0079_score" : 0.5}"#,
            ),
            (
                r#"{"anomaly_score":1,"anomaly_score":2,"a":1 , "anomaly_score":3 }"#,
                r#"{"anomaly_score":0.5,"a":1 }"#,
            ),
        ] {
            let mut scanner = Scanner::new([KEY].iter().collect()).with_members();
            scanner.scan(row.as_bytes()).unwrap();
            let mut out = Vec::new();
            write(row.as_bytes(), scanner.members(), 0, 0.5, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), annotated);
        }
    }
}
