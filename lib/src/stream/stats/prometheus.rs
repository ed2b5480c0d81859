//! Figures in the text exposition format of Prometheus.

use std::fmt::Write as _;

use super::{Figure, FigureKind, Moment, Owner, QueryStats, Stats, WindowStats};
use crate::line::Reason;
use crate::time::Timestamp;

impl Stats {
    /// The figures in the Prometheus text exposition format.
    ///
    /// What is counted is a counter, `highwater_NAME_total`: a stage that begins
    /// anew counts from zero, which `rate` and `increase` know of counters. What
    /// there is at present is a gauge, `highwater_NAME`. Names are those in JSON,
    /// but for those that do not say their unit: `watermark`, `watermark_lag` and
    /// `max_event_time` have `_seconds` behind them (times since 1970), `time` is
    /// `stats_time_seconds` and `seconds` is `run_seconds`.
    ///
    /// A file stays as it is while its stage hangs, so it says times and not only
    /// how far they lie back: `time() - highwater_watermark_seconds` is right at
    /// any time.
    pub fn to_prometheus(&self, owner: Owner<'_>, moment: Moment) -> String {
        let mut text = Exposition::of(owner);
        for (name, number) in self.numbers() {
            text.counter(name, &format!("{} of this run.", words(name)), [(Label::None, number)]);
        }
        let of_reason =
            |reason: &Reason| (Label::Of("reason", reason.name()), self.rejected[reason.index()]);
        text.counter("rejected", "Lines rejected, by reason.", Reason::ALL.iter().map(of_reason));
        let single = |count| [(Label::None, count)];
        text.counter("replaced_utf8", "Lines that were not UTF-8.", single(self.replaced_utf8));
        text.counter("casts_failed", "Values that became null.", single(self.casts_failed));
        for Figure { name, count, kind } in &self.own {
            if *kind == FigureKind::State {
                text.gauge(
                    name,
                    &format!("{} at present.", words(name)),
                    [(Label::None, *count as f64)],
                );
            } else {
                text.counter(name, &format!("{} of this run.", words(name)), single(*count));
            }
        }
        if let Some(window) = &self.window {
            text.window(window, moment.now);
        }
        let run = [(Label::None, moment.seconds)];
        text.gauge("run_seconds", "Time since the stage began.", run);
        let written = [(Label::None, seconds(moment.now))];
        text.gauge("stats_time_seconds", "When these figures were written, since 1970.", written);
        let done = [(Label::None, f64::from(u8::from(moment.is_done)))];
        text.gauge("done", "1 once the run has ended well.", done);
        text.text
    }
}

struct Exposition {
    /// The labels of all samples.
    labels: String,
    text: String,
}

/// What tells a sample from the others of its family.
enum Label<'a> {
    None,
    Of(&'static str, &'a str),
}

impl Exposition {
    fn of(Owner { stage, pipeline }: Owner<'_>) -> Self {
        let mut labels = format!("stage=\"{stage}\"");
        if let Some(pipeline) = pipeline {
            let _ = write!(labels, ",pipeline=\"{}\"", escaped(pipeline));
        }
        Self { labels, text: String::new() }
    }

    fn window(&mut self, window: &WindowStats, now: Timestamp) {
        let queries = &window.queries;
        for (index, (fate, _)) in QueryStats::default().fates().iter().enumerate() {
            let counts = queries.iter().map(|query| (by_query(query), query.fates()[index].1));
            self.counter(fate, "Records of a query by what became of them.", counts);
        }
        let watermarks = || {
            let of_queries = queries.iter().zip(&window.watermarks);
            of_queries.filter_map(|(query, watermark)| Some((by_query(query), (*watermark)?)))
        };
        let help = "Watermark of a query, since 1970.";
        self.gauge("watermark_seconds", help, watermarks().map(|(by, at)| (by, seconds(at))));
        let lags = watermarks().map(|(by, at)| (by, at.seconds_until(now)));
        let help = "How far a watermark was behind the clock when these figures were written.";
        self.gauge("watermark_lag_seconds", help, lags);
        let greatest = window.max_event_time.map(|at| (Label::None, seconds(at)));
        self.gauge("max_event_time_seconds", "Greatest event time so far, since 1970.", greatest);
        let groups = [(Label::None, window.groups as f64)];
        self.gauge("groups", "Groups in open windows.", groups);
        let bytes = [(Label::None, window.state_bytes as f64)];
        self.gauge("state_bytes", "Bytes of state, about.", bytes);
    }

    fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Label<'a>, u64)>,
    ) {
        let samples = samples.into_iter().map(|(label, count)| (label, count as f64));
        self.family(&format!("{name}_total"), "counter", help, samples);
    }

    fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Label<'a>, f64)>,
    ) {
        self.family(name, "gauge", help, samples);
    }

    /// A family; nothing of one without samples.
    fn family<'a>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Label<'a>, f64)>,
    ) {
        let Self { labels, text } = self;
        for (index, (label, value)) in samples.into_iter().enumerate() {
            if index == 0 {
                let _ = writeln!(text, "# HELP highwater_{name} {help}");
                let _ = writeln!(text, "# TYPE highwater_{name} {kind}");
            }
            let label = match label {
                Label::None => String::new(),
                Label::Of(name, value) => format!(",{name}=\"{}\"", escaped(value)),
            };
            let _ = writeln!(text, "highwater_{name}{{{labels}{label}}} {value}");
        }
    }
}

fn by_query(query: &QueryStats) -> Label<'_> {
    Label::Of("query", &query.name)
}

/// A name as words that begin a sentence: `Records in`.
fn words(name: &str) -> String {
    let text = name.replace('_', " ");
    let first = text.chars().next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(text.chars().skip(1)).collect()
}

fn seconds(time: Timestamp) -> f64 {
    time.micros as f64 / 1e6
}

/// A label's value with the escapes of the exposition format: a query's name
/// is that of a file.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
