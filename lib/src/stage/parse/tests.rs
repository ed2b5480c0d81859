use super::*;

const NGINX: &str = r#"192.0.2.1 - - [12/Sep/2025:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-""#;
const JSON: &str = r#"{"ts":1757671200,"msg":"hello"}"#;

/// How many rows and rejects a line gives.
fn parse(format: impl Fn() -> Format, line: &str) -> (usize, u64) {
    let mut out = Output::in_memory();
    let mut parse = Parse::new(format());
    parse.on_record(Line { bytes: line.as_bytes(), fault: None }, &mut out).unwrap();
    let rows = std::str::from_utf8(out.rows()).unwrap();
    for row in rows.lines() {
        assert!(row.starts_with(r#"{"timestamp":"2025-09-12T10:00:00.000Z""#), "{row}");
    }
    (rows.lines().count(), out.stats.rejected())
}

#[test]
fn a_record_without_a_time_has_that_of_its_wrapper() {
    for untimed in [Untimed::Reject, Untimed::Keep, Untimed::Stamp] {
        let times = TimeOptions { untimed, ..TimeOptions::default() };
        for line in [
            r#"2025-09-12T10:00:00Z stdout F {"msg":"hello"}"#,
            r#"2025-09-12T10:00:00Z stdout F {"time":null,"msg":"hello"}"#,
            "2025-09-12T10:00:00Z stdout F level=info msg=hello",
            r#"{"log":"{\"msg\":\"hello\"}\n","time":"2025-09-12T10:00:00Z"}"#,
        ] {
            let mut out = Output::in_memory();
            let mut parse = Parse::new(Format::Auto).with_times(Calendar::default(), &times);
            parse.on_record(Line { bytes: line.as_bytes(), fault: None }, &mut out).unwrap();
            let row = std::str::from_utf8(out.rows()).unwrap();
            let start = r#"{"timestamp":"2025-09-12T10:00:00.000Z","#;
            assert!(row.starts_with(start), "{untimed:?}: {line}: {row}");
        }
    }
}

#[test]
fn a_named_format_takes_no_other() {
    let wrapped = |text: &str| format!("{{\"@raw\":{}}}", serde_json::to_string(text).unwrap());
    for (name, nginx, json) in [
        ("auto", (1, 0), (1, 0)),
        ("nginx", (1, 0), (0, 1)),
        ("apache", (1, 0), (0, 1)),
        ("json", (0, 1), (1, 0)),
    ] {
        let format = || match name {
            "auto" => Format::Auto,
            "nginx" => Format::Nginx,
            "apache" => Format::Apache,
            _ => Format::Json,
        };
        assert_eq!(parse(format, NGINX), nginx, "{name}");
        assert_eq!(parse(format, &wrapped(NGINX)), nginx, "{name}");
        assert_eq!(parse(format, JSON), json, "{name}");
        assert_eq!(parse(format, &wrapped(JSON)), json, "{name}");
    }
}
