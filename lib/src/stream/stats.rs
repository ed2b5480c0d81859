//! What a stage counted, and how it says so.

use crate::line::Reason;
use crate::time::Timestamp;

/// The figures of one stage.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Lines taken in that are neither blank nor control lines, rejected ones
    /// included.
    pub records_in: u64,
    /// Lines given out on stdout.
    pub records_out: u64,
    /// Bytes read, after decompression.
    pub bytes_in: u64,
    /// Bytes given out on stdout.
    pub bytes_out: u64,
    /// Blank lines.
    pub blank: u64,
    /// Lines rejected, by [`Reason::index`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Lines with bytes that are not UTF-8, passed on with U+FFFD in their
    /// place.
    pub replaced_utf8: u64,
    /// Values that could not be cast and became null.
    pub casts_failed: u64,
    /// What only this stage counts, in the order it is shown.
    pub own: Vec<Figure>,
    /// What only `window` counts.
    pub window: Option<WindowStats>,
}

/// A figure that only one stage has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What is counted, such as `passed_over`.
    pub name: &'static str,
    /// The count.
    pub count: u64,
    /// Whether a person should hear of it if it is not zero.
    pub is_loss: bool,
}

impl Figure {
    /// A count of what is as it should be.
    pub const fn new(name: &'static str, count: u64) -> Self {
        Self { name, count, is_loss: false }
    }

    /// A count of what was lost.
    pub const fn loss(name: &'static str, count: u64) -> Self {
        Self { name, count, is_loss: true }
    }
}

/// The figures of event-time aggregation, summed over its queries.
#[derive(Clone, Debug, Default)]
pub struct WindowStats {
    /// Each query's fates of records, in the order of the command line.
    pub queries: Vec<QueryStats>,
    /// The least watermark of the queries.
    pub watermark: Option<Timestamp>,
    /// Groups in open windows.
    pub groups: u64,
    /// Bytes that the state takes, near enough.
    pub state_bytes: u64,
}

/// What became of the records, for one query: records in = rejected + the
/// sum of `filtered`, `duplicates`, `late` and `aggregated`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryStats {
    /// The query's name; empty for one made of flags.
    pub name: String,
    /// Dropped by WHERE.
    pub filtered: u64,
    /// Dropped as duplicates.
    pub duplicates: u64,
    /// Refused by all of their windows.
    pub late: u64,
    /// Windows that refused a record, also of records that others took.
    pub late_placements: u64,
    /// Taken in by at least one window.
    pub aggregated: u64,
}

impl Stats {
    /// Lines rejected, for whatever reason.
    pub fn rejected(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Whether a person should hear of it though nobody is looking.
    pub fn has_losses(&self) -> bool {
        let late =
            |window: &WindowStats| window.queries.iter().any(|query| query.late_placements > 0);
        let lost = |figure: &Figure| figure.is_loss && figure.count > 0;
        self.rejected() > 0 || self.own.iter().any(lost) || self.window.as_ref().is_some_and(late)
    }

    /// The figures as one JSON object, with a newline.
    pub fn to_json(&self, stage: &str, seconds: f64) -> String {
        let rejected: serde_json::Map<String, serde_json::Value> = Reason::ALL
            .iter()
            .filter(|reason| self.rejected[reason.index()] > 0)
            .map(|reason| (reason.name().to_owned(), self.rejected[reason.index()].into()))
            .collect();
        let mut members = vec![("stage", serde_json::Value::from(stage))];
        members.extend(self.numbers().map(|(name, number)| (name, number.into())));
        members.push(("rejected", rejected.into()));
        members.push(("replaced_utf8", self.replaced_utf8.into()));
        members.push(("casts_failed", self.casts_failed.into()));
        members.extend(self.own.iter().map(|figure| (figure.name, figure.count.into())));
        if let Some(window) = &self.window {
            members.extend(window.totals().map(|(name, number)| (name, number.into())));
            members.push(("watermark", window.watermark.map(|time| time.to_string()).into()));
            members.push(("groups", window.groups.into()));
            members.push(("state_bytes", window.state_bytes.into()));
            if window.queries.len() > 1 {
                let queries = window.queries.iter().map(|query| {
                    let fates =
                        query.fates().map(|(name, number)| (name.to_owned(), number.into()));
                    (query.name.clone(), serde_json::Value::Object(fates.into_iter().collect()))
                });
                members.push(("queries", serde_json::Value::Object(queries.collect())));
            }
        }
        members.push(("seconds", ((seconds * 1e3).round() / 1e3).into()));
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}\n", members.join(","))
    }

    /// The figures in the Prometheus text exposition format, as gauges (a
    /// restarted stage counts from zero again).
    ///
    /// Each is called `highwater_` and its name in JSON, but for two whose name
    /// does not say its unit: `watermark` is `highwater_watermark_seconds`, since
    /// 1970, and `seconds` is `highwater_run_seconds`.
    pub fn to_prometheus(&self, stage: &str, seconds: f64) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let mut family = |name: &str, help: &str, samples: &[(String, f64)]| {
            let _ = writeln!(text, "# HELP highwater_{name} {help}");
            let _ = writeln!(text, "# TYPE highwater_{name} gauge");
            for (labels, value) in samples {
                let _ = writeln!(text, "highwater_{name}{{stage=\"{stage}\"{labels}}} {value}");
            }
        };
        for (name, number) in self.numbers() {
            let help = format!("{} of this run.", name.replace('_', " "));
            family(name, &help, &[(String::new(), number as f64)]);
        }
        let rejected: Vec<(String, f64)> = Reason::ALL
            .iter()
            .map(|reason| (format!(",reason=\"{reason}\""), self.rejected[reason.index()] as f64))
            .collect();
        family("rejected", "Lines rejected, by reason.", &rejected);
        let replaced = self.replaced_utf8 as f64;
        family("replaced_utf8", "Lines that were not UTF-8.", &[(String::new(), replaced)]);
        let failed = self.casts_failed as f64;
        family("casts_failed", "Values that became null.", &[(String::new(), failed)]);
        for Figure { name, count, .. } in &self.own {
            let help = format!("{} of this run.", name.replace('_', " "));
            family(name, &help, &[(String::new(), *count as f64)]);
        }
        if let Some(window) = &self.window {
            let fates: Vec<_> = window.queries.iter().map(|query| (query, query.fates())).collect();
            for (index, (fate, _)) in QueryStats::default().fates().iter().enumerate() {
                let samples: Vec<(String, f64)> = fates
                    .iter()
                    .map(|(query, fates)| {
                        (format!(",query=\"{}\"", escaped(&query.name)), fates[index].1 as f64)
                    })
                    .collect();
                family(fate, "Records by what became of them.", &samples);
            }
            if let Some(watermark) = window.watermark {
                let at = watermark.micros as f64 / 1e6;
                family("watermark_seconds", "Event time reached.", &[(String::new(), at)]);
            }
            let groups = window.groups as f64;
            family("groups", "Groups in open windows.", &[(String::new(), groups)]);
            let bytes = window.state_bytes as f64;
            family("state_bytes", "Bytes of state, about.", &[(String::new(), bytes)]);
        }
        family("run_seconds", "Time since the stage began.", &[(String::new(), seconds)]);
        text
    }

    fn numbers(&self) -> [(&'static str, u64); 5] {
        [
            ("records_in", self.records_in),
            ("records_out", self.records_out),
            ("bytes_in", self.bytes_in),
            ("bytes_out", self.bytes_out),
            ("blank", self.blank),
        ]
    }
}

impl WindowStats {
    /// The fates summed over the queries.
    pub fn totals(&self) -> [(&'static str, u64); 5] {
        let mut totals = QueryStats::default().fates();
        for query in &self.queries {
            for (total, (_, number)) in totals.iter_mut().zip(query.fates()) {
                total.1 += number;
            }
        }
        totals
    }
}

impl QueryStats {
    fn fates(&self) -> [(&'static str, u64); 5] {
        [
            ("late", self.late),
            ("late_placements", self.late_placements),
            ("filtered", self.filtered),
            ("duplicates", self.duplicates),
            ("aggregated", self.aggregated),
        ]
    }
}

/// A label's value with the escapes of the exposition format: a query's name
/// is that of a file.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_contract_order_and_only_what_applies() {
        let mut stats = Stats { records_in: 3, blank: 1, ..Stats::default() };
        stats.rejected[Reason::NoTimestamp.index()] = 2;
        assert_eq!(
            stats.to_json("parse", 0.5),
            concat!(
                r#"{"stage":"parse","records_in":3,"records_out":0,"bytes_in":0,"bytes_out":0,"#,
                r#""blank":1,"rejected":{"no_timestamp":2},"replaced_utf8":0,"casts_failed":0,"#,
                r#""seconds":0.5}"#,
                "\n"
            )
        );
        let query =
            |name: &str, late| QueryStats { name: name.into(), late, ..QueryStats::default() };
        stats.own = vec![Figure::new("examined", 0), Figure::loss("passed_over", 0)];
        let json = stats.to_json("detect", 0.5);
        assert!(json.contains(r#""casts_failed":0,"examined":0,"passed_over":0,"sec"#), "{json}");
        assert!(!Stats { own: stats.own.clone(), ..Stats::default() }.has_losses());
        stats.own[1].count = 1;
        assert!(Stats { own: stats.own.clone(), ..Stats::default() }.has_losses());
        stats.window = Some(WindowStats {
            queries: vec![query("a", 1), query("b", 2)],
            watermark: Some(Timestamp::from_micros(0)),
            ..WindowStats::default()
        });
        let json: serde_json::Value = serde_json::from_str(&stats.to_json("window", 1.0)).unwrap();
        assert_eq!(json["late"], 3);
        assert_eq!(json["queries"]["b"]["late"], 2);
        assert_eq!(json["watermark"], "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_figure_has_a_name_with_its_unit() {
        let query = QueryStats { name: "a\\b\"c".into(), late: 1, ..QueryStats::default() };
        let window = WindowStats {
            queries: vec![query],
            watermark: Some(Timestamp::from_micros(1_500_000)),
            groups: 4,
            state_bytes: 5,
        };
        let stats =
            Stats { bytes_in: 9, replaced_utf8: 2, window: Some(window), ..Stats::default() };
        let text = stats.to_prometheus("window", 2.5);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(samples.iter().all(|line| line.starts_with("highwater_")), "{text}");
        for sample in [
            r#"highwater_bytes_in{stage="window"} 9"#,
            r#"highwater_rejected{stage="window",reason="ahead"} 0"#,
            r#"highwater_replaced_utf8{stage="window"} 2"#,
            r#"highwater_late{stage="window",query="a\\b\"c"} 1"#,
            r#"highwater_watermark_seconds{stage="window"} 1.5"#,
            r#"highwater_state_bytes{stage="window"} 5"#,
            r#"highwater_run_seconds{stage="window"} 2.5"#,
        ] {
            assert!(samples.contains(&sample), "{sample} in\n{text}");
        }
        // Nothing that JSON says is missing.
        let json: serde_json::Value = serde_json::from_str(&stats.to_json("window", 2.5)).unwrap();
        for name in json.as_object().unwrap().keys().filter(|name| *name != "stage") {
            let name = match name.as_str() {
                "watermark" => "watermark_seconds",
                "seconds" => "run_seconds",
                name => name,
            };
            assert!(text.contains(&format!("\nhighwater_{name}{{")), "{name} in\n{text}");
        }
    }
}
