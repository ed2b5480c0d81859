//! Plans and options in words.

use std::fmt::Write as _;

use crate::line::Projection;
use crate::query::unparse::{PlanText, quoted};
use crate::query::{Column, Plan, WindowSpec};
use crate::time::TimeDelta;
use crate::window::{Dedupe, Mode, Trigger, WindowOptions};

/// The plans and the options in force, for people.
///
/// Expressions are printed from the plan, so flags and SQL that mean the same
/// give the same text.
pub fn explain(plans: &[Plan], projection: &Projection, options: &WindowOptions) -> String {
    let mut page = Page::default();
    for plan in plans {
        match &plan.name {
            Some(name) => page.heading(&format!("query {name}")),
            None => page.heading("query"),
        }
        explain_plan(&PlanText { plan, projection }, options, &mut page);
    }
    page.heading("options");
    explain_options(plans, projection, options, &mut page);
    page.text
}

/// Headings, and below them entries of a label and one or more lines.
#[derive(Default)]
struct Page {
    text: String,
}

/// How wide the labels are.
const LABEL: usize = 17;

impl Page {
    fn heading(&mut self, heading: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}{heading}");
    }

    fn entry(&mut self, label: &str, line: &str) {
        let _ = writeln!(self.text, "  {label:LABEL$} {line}");
    }

    fn list(&mut self, label: &str, lines: impl IntoIterator<Item = String>) {
        let mut label = label;
        for line in lines {
            self.entry(std::mem::take(&mut label), &line);
        }
    }
}

fn explain_plan(text: &PlanText<'_>, options: &WindowOptions, page: &mut Page) {
    let plan = text.plan;
    page.entry("event time", &quoted(&plan.time_field));
    page.entry("window", &window(plan.window));
    page.entry("watermark", &watermark(plan, options));
    if let Some(filter) = &plan.filter {
        page.entry("where", &text.record(filter));
    }
    page.list("keys", plan.keys.iter().map(|key| text.record(&key.expr)));
    page.list("aggregates", plan.aggregates.iter().map(|aggregate| text.aggregate(aggregate)));
    let columns = plan.columns.iter().enumerate().map(|(index, column)| {
        let is = text.column(index);
        match column {
            Column::Value { name, .. } if is != quoted(name) => format!("{} = {is}", quoted(name)),
            _ => is,
        }
    });
    page.list("columns", columns);
    if let Some(having) = text.having() {
        page.entry("having", &having);
    }
}

fn window(window: Option<WindowSpec>) -> String {
    let (kind, start) = match window {
        None => return "none: running totals".to_owned(),
        Some(WindowSpec::Session { gap }) => return format!("session, gap {gap}"),
        Some(WindowSpec::Fixed { size, slide, start }) if size == slide => {
            (format!("tumbling, size {size}"), start)
        }
        Some(WindowSpec::Fixed { size, slide, start }) => {
            (format!("sliding, size {size}, slide {slide}"), start)
        }
    };
    if start == TimeDelta::ZERO { kind } else { format!("{kind}, start {start}") }
}

fn watermark(plan: &Plan, options: &WindowOptions) -> String {
    const GREATEST: &str = "greatest event time so far - ";
    if let Some(adaptive) = options.adaptive {
        let most = adaptive.max.map_or_else(String::new, |max| format!(" and at most {max}"));
        let (percent, least) = (adaptive.quantile * 100.0, adaptive.min);
        return format!("{GREATEST}the lateness of {percent} % of records, at least {least}{most}");
    }
    match plan.delay {
        Some(delay) => format!("{GREATEST}{delay}"),
        None if plan.window.is_some() => "none: windows close at the end of input".to_owned(),
        None => "none".to_owned(),
    }
}

fn explain_options(
    plans: &[Plan],
    projection: &Projection,
    options: &WindowOptions,
    page: &mut Page,
) {
    page.entry("mode", mode(options.mode));
    if options.mode != Mode::Append {
        page.entry("trigger", &trigger(options.trigger));
    }
    let late = match options.allowed_lateness {
        Some(lateness) => format!("taken into closed windows for {lateness}"),
        None => "refused by closed windows".to_owned(),
    };
    page.entry("late records", &late);
    if let Some(per) = &options.watermark_per {
        let wait = per.values.map_or_else(String::new, |values| format!(", waits for {values}"));
        page.entry("watermark per", &format!("{}{wait}", quoted(&per.field)));
    }
    if let Some(timeout) = options.idle_timeout {
        page.entry("idle timeout", &timeout.to_string());
    }
    explain_limits(options, page);
    if let Some(dedupe) = &options.dedupe {
        page.entry("dedupe", &dedupe_text(dedupe, plans, projection));
    }
    if let Some(groups) = options.max_groups {
        page.entry("max groups", &format!("{groups} for each query"));
    }
    if options.row_meta {
        page.entry("row meta", "closed_by");
    }
    let end = if options.keep_at_end { "windows stay open" } else { "all windows close" };
    page.entry("end of input", end);
}

fn explain_limits(options: &WindowOptions, page: &mut Page) {
    let ahead = &options.ahead;
    let fate = if ahead.keep { "aggregated without moving the watermark" } else { "rejected" };
    for (limit, of) in [(ahead.max_ahead, "the clock"), (ahead.max_jump, "the greatest time")] {
        if let Some(limit) = limit {
            page.entry("ahead", &format!("more than {limit} ahead of {of}: {fate}"));
        }
    }
}

fn dedupe_text(dedupe: &Dedupe, plans: &[Plan], projection: &Projection) -> String {
    let keys: Vec<_> = match plans.first() {
        Some(plan) => {
            let text = PlanText { plan, projection };
            dedupe.keys.iter().map(|key| text.record(key)).collect()
        }
        None => Vec::new(),
    };
    format!("{} within {}", keys.join(", "), dedupe.within)
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Append => "append: each window once, when it closes",
        Mode::Update => "update: changed groups at each trigger, at closing and at the end",
        Mode::Complete => "complete: all groups at each trigger and at the end",
    }
}

fn trigger(trigger: Trigger) -> String {
    match trigger {
        Trigger::Every(interval) => format!("every {interval}"),
        Trigger::Count(1) => "every record".to_owned(),
        Trigger::Count(count) => format!("every {count} records"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{AdaptiveDelay, AheadLimits, WatermarkPer};

    #[test]
    fn all_options_in_force_are_listed() {
        let mut projection = Projection::default();
        let text = "SELECT count(*) AS n FROM t GROUP BY window(timestamp, '1m', '20s', '5s')";
        let plan = Plan::compile(text, Some("q"), "timestamp", &mut projection).unwrap();
        let id = projection.add("request id");
        let second = TimeDelta::from_seconds;
        let options = WindowOptions {
            allowed_lateness: Some(second(60)),
            adaptive: Some(AdaptiveDelay { quantile: 0.99, min: second(1), max: Some(second(90)) }),
            watermark_per: Some(WatermarkPer {
                field: "@source.partition".to_owned(),
                values: Some(4),
            }),
            idle_timeout: Some(second(30)),
            ahead: AheadLimits { max_ahead: Some(second(5)), max_jump: None, keep: true },
            dedupe: Some(Dedupe { keys: vec![crate::query::Expr::Slot(id)], within: second(300) }),
            max_groups: Some(1000),
            mode: Mode::Update,
            trigger: Trigger::Count(10),
            row_meta: true,
            keep_at_end: true,
        };
        assert_eq!(
            explain(&[plan], &projection, &options),
            "query q
  event time        timestamp
  window            sliding, size 1m, slide 20s, start 5s
  watermark         greatest event time so far - the lateness of 99 % of records, at least 1s and at most 1m30s
  aggregates        count(*)
  columns           n = count(*)

options
  mode              update: changed groups at each trigger, at closing and at the end
  trigger           every 10 records
  late records      taken into closed windows for 1m
  watermark per     `@source.partition`, waits for 4
  idle timeout      30s
  ahead             more than 5s ahead of the clock: aggregated without moving the watermark
  dedupe            `request id` within 5m
  max groups        1000 for each query
  row meta          closed_by
  end of input      windows stay open
"
        );
    }
}
