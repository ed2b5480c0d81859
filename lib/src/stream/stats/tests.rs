use super::*;

const MOMENT: Moment =
    Moment { now: Timestamp::from_micros(3_500_000), seconds: 0.5, is_done: true };

fn of(stage: &str) -> Owner<'_> {
    Owner { stage, pipeline: None }
}

#[test]
fn json_has_the_contract_order_and_only_what_applies() {
    let mut stats = Stats { records_in: 3, blank: 1, ..Stats::default() };
    stats.rejected[Reason::NoTimestamp.index()] = 2;
    assert_eq!(
        stats.to_json(of("parse"), MOMENT),
        concat!(
            r#"{"stage":"parse","records_in":3,"records_out":0,"bytes_in":0,"bytes_out":0,"#,
            r#""blank":1,"rejected":{"no_timestamp":2},"replaced_utf8":0,"casts_failed":0,"#,
            r#""seconds":0.5,"time":"1970-01-01T00:00:03.500Z","done":true}"#,
            "\n"
        )
    );
    let query = |name: &str, late| QueryStats { name: name.into(), late, ..QueryStats::default() };
    stats.own = vec![Figure::fate("examined", 0), Figure::loss("passed_over", 0)];
    let json = stats.to_json(of("detect"), MOMENT);
    assert!(json.contains(r#""casts_failed":0,"examined":0,"passed_over":0,"sec"#), "{json}");
    assert!(!Stats { own: stats.own.clone(), ..Stats::default() }.has_losses());
    stats.own[1].count = 1;
    assert!(Stats { own: stats.own.clone(), ..Stats::default() }.has_losses());
    stats.window = Some(WindowStats {
        queries: vec![query("a", 1), query("b", 2)],
        watermarks: vec![Some(Timestamp::EPOCH), None],
        max_event_time: Some(Timestamp::from_micros(2_000_000)),
        ..WindowStats::default()
    });
    let json: serde_json::Value =
        serde_json::from_str(&stats.to_json(of("window"), MOMENT)).unwrap();
    assert_eq!(json["late"], 3);
    assert_eq!(json["queries"]["b"]["late"], 2);
    assert_eq!(json["watermark"], "1970-01-01T00:00:00.000Z");
    assert_eq!(json["max_event_time"], "1970-01-01T00:00:02.000Z");
    assert_eq!(
        (&json["watermark_lag"], &json["queries"]["a"]["watermark_lag"]),
        (&3.5.into(), &3.5.into())
    );
    assert!(json["queries"]["b"]["watermark"].is_null());
}

#[test]
fn every_figure_has_a_name_with_its_unit() {
    let query = QueryStats { name: "a\\b\"c".into(), late: 1, ..QueryStats::default() };
    let window = WindowStats {
        queries: vec![query, QueryStats::default()],
        watermarks: vec![Some(Timestamp::from_micros(1_500_000)), None],
        max_event_time: Some(Timestamp::from_micros(2_000_000)),
        groups: 4,
        state_bytes: 5,
    };
    let own = vec![Figure::loss("refused", 7), Figure::state("series", 8)];
    let stats =
        Stats { bytes_in: 9, replaced_utf8: 2, own, window: Some(window), ..Stats::default() };
    let text = stats.to_prometheus(of("window"), MOMENT);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(samples.iter().all(|line| line.starts_with("highwater_")), "{text}");
    for sample in [
        r#"highwater_bytes_in_total{stage="window"} 9"#,
        r#"highwater_rejected_total{stage="window",reason="ahead"} 0"#,
        r#"highwater_replaced_utf8_total{stage="window"} 2"#,
        r#"highwater_refused_total{stage="window"} 7"#,
        r#"highwater_series{stage="window"} 8"#,
        r#"highwater_late_total{stage="window",query="a\\b\"c"} 1"#,
        r#"highwater_late_total{stage="window",query=""} 0"#,
        r#"highwater_watermark_seconds{stage="window",query="a\\b\"c"} 1.5"#,
        r#"highwater_watermark_lag_seconds{stage="window",query="a\\b\"c"} 2"#,
        r#"highwater_max_event_time_seconds{stage="window"} 2"#,
        r#"highwater_state_bytes{stage="window"} 5"#,
        r#"highwater_run_seconds{stage="window"} 0.5"#,
        r#"highwater_stats_time_seconds{stage="window"} 3.5"#,
        r#"highwater_done{stage="window"} 1"#,
    ] {
        assert!(samples.contains(&sample), "{sample} in\n{text}");
    }
    assert_eq!(text.matches("highwater_watermark_seconds{").count(), 1, "{text}");
    // Nothing that JSON says is missing.
    let json: serde_json::Value =
        serde_json::from_str(&stats.to_json(of("window"), MOMENT)).unwrap();
    for name in json.as_object().unwrap().keys() {
        let name = match name.as_str() {
            "stage" | "queries" => continue,
            "watermark" | "watermark_lag" | "max_event_time" => format!("{name}_seconds"),
            "seconds" => "run_seconds".to_owned(),
            "time" => "stats_time_seconds".to_owned(),
            "groups" | "state_bytes" | "series" | "done" => name.clone(),
            name => format!("{name}_total"),
        };
        assert!(text.contains(&format!("\nhighwater_{name}{{")), "{name} in\n{text}");
    }
}

#[test]
fn figures_without_a_value_are_left_out() {
    let queries = vec![QueryStats::default()];
    let window = WindowStats { queries, watermarks: vec![None], ..WindowStats::default() };
    let stats = Stats { window: Some(window), ..Stats::default() };
    let text = stats.to_prometheus(of("window"), Moment { is_done: false, ..MOMENT });
    assert!(!text.contains("watermark") && !text.contains("max_event_time"), "{text}");
    assert!(text.ends_with("highwater_done{stage=\"window\"} 0\n"), "{text}");
}
