//! The closing summary: what became of the records.

use std::fmt::Write as _;

use super::quantity::{duration, grouped, rounded};
use crate::line::Reason;
use crate::stream::{FigureKind, QueryStats, Stats};

/// A shorter run has no rate worth a word.
const BRIEF: f64 = 0.1;

/// What may become of a record that was not rejected.
const FATES: usize = 4;

/// Which files would keep what was lost, if they were asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hints {
    pub(super) rejects: bool,
    pub(super) late: bool,
}

/// The summary in one line, and one more for each query where there are
/// several and they differ.
///
/// The numbers behind the colon are all records in: `1,000 records in: 990
/// out, 8 filtered, 2 rejected (no_timestamp 2); 0.4 s, 2,500 records/s`.
/// What a stage gives out that makes rows of its own is behind the semicolon.
pub(super) fn summary(stats: &Stats, hints: Hints, seconds: f64) -> Vec<String> {
    let queries = stats.window.as_ref().map_or(&[][..], |window| &window.queries);
    let out = format!("{} out", grouped(stats.records_out));
    let mut fates = Vec::new();
    let mut notes = Vec::new();
    let mut more = String::new();
    let mut left = 0;
    match queries {
        [] => {
            let own = |kind| {
                let of_kind = stats.own.iter().filter(move |figure| figure.kind == kind);
                of_kind.map(|figure| (figure.count, figure.name))
            };
            fates.extend(own(FigureKind::Used));
            if fates.is_empty() {
                fates.push((stats.records_out, "out"));
            } else {
                notes.push(out);
            }
            fates.extend(own(FigureKind::Fate));
            let ended = stats.rejected() + fates.iter().map(|(count, _)| count).sum::<u64>();
            let (missing, split) = difference(stats.records_in, ended);
            left = missing;
            if split > 0 {
                more = format!(" and {} more by splitting", grouped(split));
            }
        }
        [query] => {
            fates.extend(of_query(query));
            notes.push(out);
        }
        [first, ..] => {
            if fare_differently(queries) {
                fates.push((difference(stats.records_in, stats.rejected()).0, "taken"));
            } else {
                fates.extend(of_query(first));
            }
            notes.push(format!("{out} by {} queries", queries.len()));
        }
    }
    // What is zero says nothing, but for the first: nothing came out.
    let shown = fates.iter().enumerate().filter(|(place, (count, _))| *place == 0 || *count > 0);
    let shown = shown.map(|(_, (count, name))| {
        let hint = if *name == "late" && hints.late { " (--late FILE keeps them)" } else { "" };
        format!("{} {name}{hint}", grouped(*count))
    });
    // Such as the header of a CSV file.
    let left = (left > 0).then(|| format!("{} without output", grouped(left)));
    let shown = shown.chain(rejected(stats, hints)).chain(left).collect::<Vec<_>>().join(", ");
    notes.extend(of_note(stats, hints));
    notes.extend(time_taken(stats.records_in, seconds));
    let notes = notes.join(", ");
    let first = format!("{} records in{more}: {shown}; {notes}", grouped(stats.records_in));
    std::iter::once(first).chain(table(queries)).collect()
}

/// The summary of a stage that makes its records.
pub(super) fn made(stats: &Stats, seconds: f64) -> String {
    let time = time_taken(stats.records_out, seconds).join(", ");
    format!("{} records out; {time}", grouped(stats.records_out))
}

/// How long so many records took, and the rate.
fn time_taken(records: u64, seconds: f64) -> Vec<String> {
    let time = if seconds < 99.95 { format!("{seconds:.1} s") } else { duration(seconds) };
    let has_rate = seconds >= BRIEF && records > 0;
    let rate = has_rate.then(|| format!("{} records/s", rounded(records as f64 / seconds)));
    [Some(time), rate].into_iter().flatten().collect()
}

/// By how much the first is greater, and the second.
fn difference(one: u64, other: u64) -> (u64, u64) {
    (one.saturating_sub(other), other.saturating_sub(one))
}

/// Whether records fared differently in one query than in another.
fn fare_differently(queries: &[QueryStats]) -> bool {
    queries.windows(2).any(|pair| of_query(&pair[0]) != of_query(&pair[1]))
}

/// What became of the records that were not rejected, for a query.
fn of_query(query: &QueryStats) -> [(u64, &'static str); FATES] {
    let QueryStats { filtered, duplicates, late, aggregated, .. } = *query;
    [(aggregated, "aggregated"), (filtered, "filtered"), (duplicates, "duplicates"), (late, "late")]
}

/// `2 rejected (no_timestamp 2)`
fn rejected(stats: &Stats, hints: Hints) -> Option<String> {
    let rejected = stats.rejected();
    let reasons = Reason::ALL.iter().map(|reason| (reason, stats.rejected[reason.index()]));
    let reasons = reasons.filter(|(_, count)| *count > 0);
    let reasons: Vec<String> =
        reasons.map(|(reason, count)| format!("{reason} {}", grouped(count))).collect();
    let hint = if hints.rejects { "; --rejects FILE keeps them" } else { "" };
    let text = format!("{} rejected ({}{hint})", grouped(rejected), reasons.join(", "));
    (rejected > 0).then_some(text)
}

/// Everything that is no record in.
fn of_note(stats: &Stats, hints: Hints) -> Vec<String> {
    let queries = stats.window.as_ref().map_or(&[][..], |window| &window.queries);
    let refused: u64 = queries.iter().map(|query| query.late_placements).sum();
    let late: u64 = queries.iter().map(|query| query.late).sum();
    let mut notes = Vec::new();
    // Where each late record was refused once, the count of them says so.
    notes.extend((refused != late).then(|| format!("{} late placements", grouped(refused))));
    if hints.late && late > 0 && fare_differently(queries) {
        notes.push("--late FILE keeps late records".to_owned());
    }
    let own = stats.own.iter();
    let own = own.filter(|figure| matches!(figure.kind, FigureKind::Count | FigureKind::Loss));
    let own = own.map(|figure| (figure.count, figure.name.replace('_', " ")));
    let shared = [
        (stats.casts_failed, "casts failed"),
        (stats.replaced_utf8, "with bytes replaced by U+FFFD"),
        (stats.blank, "blank"),
    ];
    let all = own.chain(shared.map(|(count, name)| (count, name.to_owned())));
    let all = all.filter(|(count, _)| *count > 0);
    notes.extend(all.map(|(count, name)| format!("{} {name}", grouped(count))));
    notes
}

/// A line a query, in columns, if not all records fared alike in all of them.
fn table(queries: &[QueryStats]) -> Vec<String> {
    if !fare_differently(queries) {
        return Vec::new();
    }
    let is_shown = |column: &usize| queries.iter().any(|query| of_query(query)[*column].0 > 0);
    let columns: Vec<usize> = (0..FATES).filter(is_shown).collect();
    let names = queries.iter().map(|query| query.name.chars().count()).max().unwrap_or(0);
    let width = |column: usize| {
        let counts = queries.iter().map(|query| grouped(of_query(query)[column].0).len());
        counts.max().unwrap_or(0)
    };
    let widths: Vec<usize> = columns.iter().map(|column| width(*column)).collect();
    let line = |query: &QueryStats| {
        let mut text = format!("  {:names$}", query.name);
        for (place, (column, width)) in columns.iter().zip(&widths).enumerate() {
            let (count, name) = of_query(query)[*column];
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(text, "{comma}  {:>width$} {name}", grouped(count));
        }
        text
    };
    queries.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Figure, WindowStats};

    const ASKED: Hints = Hints { rejects: false, late: false };
    const UNASKED: Hints = Hints { rejects: true, late: true };

    #[test]
    fn a_stage_that_passes_records_on_says_what_is_missing() {
        let mut stats = Stats { records_in: 1_234_567, records_out: 1_234_567, ..Stats::default() };
        let said = |stats: &Stats, hints, seconds| summary(stats, hints, seconds).join("\n");
        assert_eq!(said(&stats, UNASKED, 0.04), "1,234,567 records in: 1,234,567 out; 0.0 s");
        stats.rejected[Reason::BadTimestamp.index()] = 2;
        stats.records_out = 1_234_560;
        stats.own = vec![Figure::fate("filtered", 5)];
        assert_eq!(
            said(&stats, UNASKED, 2.0),
            "1,234,567 records in: 1,234,560 out, 5 filtered, 2 rejected (bad_timestamp 2; \
             --rejects FILE keeps them); 2.0 s, 617,300 records/s"
        );
        stats.records_in += 1;
        assert!(
            said(&stats, ASKED, 2.0).contains("2 rejected (bad_timestamp 2), 1 without output; ")
        );
        stats.records_out += 11;
        let split =
            "1,234,568 records in and 10 more by splitting: 1,234,571 out, 5 filtered, 2 rej";
        assert!(said(&stats, ASKED, 200.0).starts_with(split));
        assert!(said(&stats, ASKED, 200.0).ends_with("; 3:20, 6,200 records/s"));
    }

    #[test]
    fn a_stage_that_makes_other_records_says_what_it_used() {
        let own = vec![
            Figure::used("examined", 90),
            Figure::fate("unexamined", 10),
            Figure::loss("passed_over", 3),
            Figure::state("series", 8),
        ];
        let stats = Stats { records_in: 100, records_out: 4, blank: 1, own, ..Stats::default() };
        assert_eq!(
            summary(&stats, ASKED, 0.01),
            ["100 records in: 90 examined, 10 unexamined; 4 out, 3 passed over, 1 blank, 0.0 s"]
        );
    }

    fn window(queries: Vec<QueryStats>) -> Stats {
        let window = Some(WindowStats { queries, ..WindowStats::default() });
        Stats { records_in: 1_010, records_out: 7, window, ..Stats::default() }
    }

    fn query(name: &str, aggregated: u64, late: u64) -> QueryStats {
        let late_placements = late;
        QueryStats { name: name.into(), aggregated, late, late_placements, ..QueryStats::default() }
    }

    #[test]
    fn a_query_accounts_for_all_records() {
        let mut stats = window(vec![query("", 1_000, 10)]);
        assert_eq!(
            summary(&stats, ASKED, 0.0),
            ["1,010 records in: 1,000 aggregated, 10 late; 7 out, 0.0 s"]
        );
        assert_eq!(
            summary(&stats, UNASKED, 0.0),
            ["1,010 records in: 1,000 aggregated, 10 late (--late FILE keeps them); 7 out, 0.0 s"]
        );
        if let Some(window) = &mut stats.window {
            window.queries[0].late_placements = 25;
        }
        assert_eq!(
            summary(&stats, ASKED, 0.0),
            ["1,010 records in: 1,000 aggregated, 10 late; 7 out, 25 late placements, 0.0 s"]
        );
    }

    #[test]
    fn queries_that_differ_have_a_line_each() {
        let same = window(vec![query("a", 1_010, 0), query("b", 1_010, 0)]);
        assert_eq!(
            summary(&same, ASKED, 0.0),
            ["1,010 records in: 1,010 aggregated; 7 out by 2 queries, 0.0 s"]
        );
        let differing = window(vec![query("error_rate", 1_010, 0), query("sla", 999, 11)]);
        assert_eq!(
            summary(&differing, ASKED, 0.0),
            [
                "1,010 records in: 1,010 taken; 7 out by 2 queries, 0.0 s",
                "  error_rate  1,010 aggregated,   0 late",
                "  sla           999 aggregated,  11 late",
            ]
        );
    }
}
