//! Formats and lines; the files in `testdata/text` have more.

use super::*;
use crate::line::Reason;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
const APACHE_COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;
const LINE: &str =
    r#"192.0.2.1 - ann [10/Oct/2000:13:55:36 -0700] "GET /a b HTTP/1.0" 200 23 "-" "x \"y\"""#;

fn parser(format: &str) -> LogFormatParser {
    LogFormatParser::new(format, "--log-format", None).unwrap_or_else(|error| panic!("{error}"))
}

fn read(parser: &mut LogFormatParser, line: &str) -> Result<String, Mismatch> {
    let mut out = b"{".to_vec();
    let result = parser.parse(line.as_bytes(), &mut Calendar::default(), &mut out);
    if result.is_err() {
        assert_eq!(out, b"{", "an error leaves the output alone");
    }
    out.push(b'}');
    result.map(|_| String::from_utf8(out).unwrap())
}

fn record(format: &str, line: &str) -> Json {
    let text = read(&mut parser(format), line).unwrap_or_else(|e| panic!("{format}: {line}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_format_may_be_copied_with_what_surrounds_it() {
    let expected = read(&mut parser(COMBINED), LINE).unwrap();
    let (first, second) = COMBINED.split_at(30);
    for format in [
        format!("'{COMBINED}'"),
        format!("'{COMBINED}';"),
        format!("  log_format  main '{COMBINED}';\n"),
        format!("log_format main escape=json\n    '{first}'\n    '{second}';"),
        format!("main '{first}' '{second}'"),
        format!("escape=default '{COMBINED}'"),
        format!("log_format main \"{}\";", COMBINED.replace('"', "\\\"")),
        COMBINED.replace("$status", "${status}"),
    ] {
        assert_eq!(read(&mut parser(&format), LINE).as_ref(), Ok(&expected), "{format}");
    }
    let expected = read(&mut parser(APACHE_COMBINED), LINE).unwrap();
    for format in [
        APACHE_COMBINED.replace('\\', ""),
        format!("\"{APACHE_COMBINED}\""),
        format!("LogFormat \"{APACHE_COMBINED}\" combined\n"),
        format!("\"{APACHE_COMBINED}\" my-nickname"),
        APACHE_COMBINED.replace("%>s", "%<s").replace("%{U", "%400,501{U"),
        APACHE_COMBINED.replace("%>s", "%!200>s"),
    ] {
        assert_eq!(read(&mut parser(&format), LINE).as_ref(), Ok(&expected), "{format}");
    }
}

#[test]
fn both_servers_give_the_record_of_the_access_parser() {
    use crate::format::AccessParser;
    let mut out = b"{".to_vec();
    AccessParser::nginx().parse(LINE.as_bytes(), &mut Calendar::default(), &mut out).unwrap();
    out.push(b'}');
    let mut expected: Json = serde_json::from_slice(&out).unwrap();
    assert_eq!(record(APACHE_COMBINED, LINE), expected);
    // nginx writes a hyphen itself.
    expected.as_object_mut().unwrap().remove("identity");
    assert_eq!(record(COMBINED, LINE), expected);
}

#[test]
fn variables_have_names_and_types() {
    for (format, line, expected) in [
        ("$status,$request_time", "404,0.138", json!({"status_code": 404, "response_time": 0.138})),
        ("$status,$status", "404,200", json!({"status_code": 404})),
        ("$bytes_sent|$body_bytes_sent", "9|-", json!({"bytes": null, "bytes_sent": 9})),
        ("$bytes_sent|x", "9|x", json!({"bytes": 9})),
        ("$http_host $host", "a b", json!({"vhost": "b", "http_host": "a"})),
        ("$request_method $uri$is_args$args", "GET /a?b", json!({"method": "GET", "url": "/a?b"})),
        (
            r#""$request" $uri"#,
            r#""GET /a HTTP/1.1" /b"#,
            json!({"method": "GET", "url": "/a", "protocol": "HTTP/1.1", "uri": "/b"}),
        ),
        (
            r#""$request" $status"#,
            r#""\x16\x03" 400"#,
            json!({"status_code": 400, "method": null, "url": null, "protocol": null,
                   "request": "\\x16\\x03", "request_valid": false}),
        ),
        (
            "$upstream_addr $upstream_response_time $x",
            "192.0.2.7:80, 192.0.2.8:80 0.001, 0.002 : - y",
            json!({"upstream_addr": "192.0.2.7:80, 192.0.2.8:80",
                   "upstream_response_time": "0.001, 0.002 : -", "x": "y"}),
        ),
        ("[$proxy_upstream_name] $x", "[] -", json!({"proxy_upstream_name": "", "x": null})),
        ("escape=none '\"$a\" $b'", r#""say "hi"" \x"#, json!({"a": "say \"hi\"", "b": "\\x"})),
        ("a=$a b=$b", "a= b=", json!({"a": "", "b": ""})),
        ("$a $b", "x  ", json!({"a": "x", "b": ""})),
        ("$level $error_code", "warn 7", json!({"level": "warn", "error_code": "7"})),
        ("%h %D", "::1 12345", json!({"ip_address": "::1", "response_time": 0.012_345})),
        ("%{ms}T", "1500", json!({"response_time": 1.5})),
        ("%{us}T", "-7", json!({"response_time": -0.000_007})),
        ("%T %D", "2 2000000", json!({"response_time": 2.0})),
        (
            "%{begin:sec}t %{end:sec}t",
            "1 2",
            json!({"timestamp": "1970-01-01T00:00:01.000Z", "end_time": "2"}),
        ),
        (
            "%m %U%q %H",
            "GET /a?b HTTP/1.1",
            json!({"method": "GET", "url": "/a?b", "protocol": "HTTP/1.1"}),
        ),
        (
            "%v:%p %O",
            "example.com:443 7",
            json!({"vhost": "example.com", "vhost_port": "443", "bytes": 7}),
        ),
        ("%u", "\"\"", json!({"user_id": ""})),
        ("%{UNIQUE_ID}e %P %{tid}P", "id 7 8", json!({"request_id": "id", "pid": 7, "tid": 8})),
        (
            "%{X-Foo}i %{ETag}o %{id}C",
            "a b c",
            json!({"http_x_foo": "a", "sent_http_etag": "b", "cookie_id": "c"}),
        ),
        ("100%% %s", "100% 200", json!({"status_code": 200})),
        ("%s %>s", "301 200", json!({"status_code": 301})),
        ("%<s %>s", "301 200", json!({"status_code": 200, "original_status": 301})),
    ] {
        assert_eq!(record(format, line), expected, "{format}: {line}");
    }
}

#[test]
fn times_in_all_spellings() {
    for (format, line, expected) in [
        ("[$time_local]", "[10/Oct/2000:13:55:36 -0700]", "2000-10-10T20:55:36.000Z"),
        ("$time_local $x", "10/Oct/2000:13:55:36 -0700 y", "2000-10-10T20:55:36.000Z"),
        ("$time_iso8601 $x", "2000-10-10T13:55:36-07:00 y", "2000-10-10T20:55:36.000Z"),
        ("$msec|", "971211336.123|", "2000-10-10T20:55:36.123Z"),
        ("%t %h", "[10/Oct/2000:13:55:36 -0700] x", "2000-10-10T20:55:36.000Z"),
        ("%{%Y-%m-%d %H:%M:%S}t %h", "2000-10-10 20:55:36 x", "2000-10-10T20:55:36.000Z"),
        ("%{sec}t %h", "971211336 x", "2000-10-10T20:55:36.000Z"),
        ("%{begin:usec}t %h", "971211336000001 x", "2000-10-10T20:55:36.000001Z"),
        ("%{sec}t.%{msec_frac}t", "971211336.007", "2000-10-10T20:55:36.007Z"),
        (
            "[%{%d/%b/%Y:%T}t.%{usec_frac}t %{%z}t] %h",
            "[10/Oct/2000:13:55:36.000250 -0700] x",
            "2000-10-10T20:55:36.00025Z",
        ),
        ("$time_local|$msec", "10/Oct/2000:13:55:36 -0700|1.0", "2000-10-10T20:55:36.000Z"),
    ] {
        assert_eq!(record(format, line)["timestamp"], expected, "{format}");
    }
    let mut parser = parser("$time_local|$msec").with_time_field(Some("msec"));
    let record = read(&mut parser, "never|971211336.5").unwrap();
    assert_eq!(record, r#"{"timestamp":"2000-10-10T20:55:36.500Z","time_local":"never"}"#);
    let parsed = parser.parse(b"never|-", &mut Calendar::default(), &mut Vec::new());
    assert_eq!(parsed, Ok(Parsed::Untimed));
}

#[test]
fn a_format_of_the_users_goes_before_the_servers() {
    let given = Some("%d.%m.%Y %H:%M".parse().unwrap());
    let mut calendar = Calendar::default().with_format(given);
    for format in ["%t", "[%{%s}t]", "[$time_local]", "[$time_local] $x"] {
        let mut out = Vec::new();
        let line: &[u8] =
            if format.ends_with('x') { b"[12.09.2025 10:00] y" } else { b"[12.09.2025 10:00]" };
        let parsed = parser(format).parse(line, &mut calendar, &mut out);
        assert_eq!(parsed, Ok(Parsed::Timed), "{format}");
        let bad = parser(format).parse(b"[soon] ", &mut calendar, &mut out).unwrap_err();
        assert!(!format.ends_with(']') || bad.reason == Reason::BadTimestamp, "{bad}");
    }
}

#[test]
fn mistakes_in_a_format_show_their_place() {
    for (format, at, message) in [
        ("$a$b", "$b", "nothing stands between a and b"),
        ("$a ${b}$c d", "$c", "nothing stands between b and c"),
        ("%h%l", "%l", "nothing stands between %h and %l"),
        ("log_format main '$a'\n '$b';", "$b", "nothing stands between a and b"),
        ("$request $status", "$request", "request may hold blanks, and a blank stands behind it"),
        ("%{User-Agent}i %h", "%{User-Agent}i", "%{User-Agent}i may hold blanks"),
        ("%h %B%b", "%b", "nothing stands between %B and %b"),
        ("CustomLog \"logs/a.log\" \"%h %l\"", "CustomLog", "says where the log goes"),
        ("customlog logs/a.log combined", "customlog", "says where the log goes"),
        ("access_log /var/log/a.log main;", "access_log", "says where the log goes"),
        ("combined", "combined", "a log format without variables"),
        ("", "", "a log format without variables"),
        ("$a ${b", "${b", "no variable"),
        ("cost: $ $a", "$", "no variable"),
        ("%h %", "%", "no directive"),
        ("%h %{Referer", "%{", "no directive"),
        ("%h %-5s", "%-", "no directive"),
        ("%{%H:%M}t", "%{%H:%M}t", "has no date"),
        ("%{msec_frac}t", "%{msec_frac}t", "has no date"),
        ("%{@raw}e", "%{@raw}e", "a reserved name"),
        ("{\"status\":\"$status\"}", "{", "this log format writes JSON objects"),
        ("log_format main escape=json '{\"a\":\"$a\"}';", "{", "this log format writes JSON"),
        ("log_format main $a;", "log_format main $a;", "a log format without quotes"),
        ("log_format main '$a", "'$a", "does not end as one"),
        ("$a\n$b", "\n", "a line break"),
    ] {
        let error = LogFormatParser::new(format, "--log-format", None).unwrap_err();
        assert!(error.message.contains(message), "{format}: {error}");
        if !format.contains("without quotes") && message != "a log format without quotes" {
            assert_eq!(&error.text[error.span.clone()], at, "{format}: {error}");
        }
    }
    assert!(LogFormatParser::new("%h", "--log-format", Some(Dialect::Nginx)).is_err());
    assert!(LogFormatParser::new("$a", "--log-format", Some(Dialect::Apache)).is_err());
}

#[test]
fn a_directive_of_several_lines_is_taken_as_it_stands() {
    for format in [
        "# What we log\n  log_format main '$a # '  # the \"first\"\n\t'$b';  # all of it\n",
        "log_format main '$a # $b'; # isn't it",
        "LogFormat \"%{a}e # \\\n%{b}e\" \\\n  main\n",
        "# Apache's\nLogFormat \"%{a}e # %{b}e\" main",
        "%{a}e # \\\n%{b}e",
        "$a # $b",
    ] {
        let record = record(format, "x y # z");
        assert_eq!((&record["a"], &record["b"]), (&json!("x y"), &json!("z")), "{format}");
    }
}

#[test]
fn epochs_of_apache_are_times() {
    for (format, line) in [
        ("%{msec}t %b", "1757671200000 1"),
        ("%{usec}t %b", "1757671200000000 1"),
        ("%{begin:msec}t %b", "1757671200000 1"),
        ("%{end:usec}t %b", "1757671200000000 1"),
        ("%{sec}t.%{msec_frac}t %b", "1757671200.000 1"),
        ("%{begin:sec}t %b", "1757671200 1"),
        ("[%{usec}t] %b", "[1757671200000000] 1"),
    ] {
        let record = record(format, line);
        assert_eq!(record["timestamp"], json!("2025-09-12T10:00:00.000Z"), "{format}");
    }
}

#[test]
fn mistakes_in_a_line_name_a_directive_as_it_is_written() {
    let mut parser = parser("\"%b\" %h");
    let bad = read(&mut parser, "\"1 x").unwrap_err().to_string();
    assert!(bad.contains("%b") && !bad.contains("body_bytes_sent"), "{bad}");
}

proptest! {
    #[test]
    fn never_panics(format in "[$%a-z{}#'\"\\\\ ;<>,!^\\[\\]|.0-9é\n]{0,40}",
                    line in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(mut parser) = LogFormatParser::new(&format, "--log-format", None) {
            let _ = parser.parse(&line, &mut Calendar::default(), &mut Vec::new());
        }
    }

    /// What was put together by the format is taken apart again.
    #[test]
    fn values_come_back(values in prop::collection::vec("[a-zA-Z0-9é/:.]{0,12}", 3),
                        texts in prop::collection::vec("( \\| |, |\\] \\[|\" \"| {1,2}|;)", 2)) {
        let format = format!("{}$a{}$b{}$c{}", "<", texts[0], texts[1], ">");
        let line = format!("<{}{}{}{}{}>", values[0], texts[0], values[1], texts[1], values[2]);
        let record = record(&format, &line);
        for (name, value) in ["a", "b", "c"].into_iter().zip(&values) {
            prop_assert_eq!(&record[name], value, "{} {}", format, line);
        }
    }
}
