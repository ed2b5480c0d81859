//! Whole lines; the files in `testdata/access` have many more.

use super::*;
use crate::line::Reason;
use proptest::prelude::*;
use serde_json::{Value, json};

fn record(parser: &mut AccessParser, line: &[u8]) -> Result<Value, Mismatch> {
    let mut out = b"{".to_vec();
    let result = parser.parse(line, &mut Calendar::default(), &mut out);
    if result.is_err() {
        assert_eq!(out, b"{", "an error leaves the output alone");
    }
    out.push(b'}');
    let value = serde_json::from_slice(&out);
    result.map(|()| {
        value.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
    })
}

const COMMON: &str = r#"192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 23"#;

#[test]
fn members_stand_in_their_order() {
    let line = format!(r#"example.com:80 {COMMON} "-" "a" "192.0.2.9" 0.005 0.004 x"#);
    let mut out = Vec::new();
    AccessParser::nginx().parse(line.as_bytes(), &mut Calendar::default(), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#""timestamp":"2000-10-10T20:55:36.000Z","ip_address":"192.0.2.1","user_id":null,"#,
            r#""response_time":0.005,"status_code":200,"identity":null,"method":"GET","url":"/a","#,
            r#""protocol":"HTTP/1.0","bytes":23,"referer":null,"user_agent":"a","#,
            r#""vhost":"example.com","vhost_port":"80","x_forwarded_for":"192.0.2.9","#,
            r#""upstream_response_time":"0.004","extra":"x""#
        )
    );
}

#[test]
fn nginx_demands_the_user_agent() {
    assert!(record(&mut AccessParser::apache(), COMMON.as_bytes()).is_ok());
    assert!(record(&mut AccessParser::auto(), COMMON.as_bytes()).is_ok());
    let error = record(&mut AccessParser::nginx(), COMMON.as_bytes()).unwrap_err();
    assert_eq!((error.at, error.token), (COMMON.len(), "referer"));
}

#[test]
fn a_user_cannot_forge_the_time() {
    let line = r#"192.0.2.1 - x [01/Jan/1999:00:00:00 +0000] [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1"#;
    let record = record(&mut AccessParser::apache(), line.as_bytes()).unwrap();
    assert_eq!(record["timestamp"], "2000-10-10T20:55:36.000Z");
    assert_eq!(record["user_id"], "x [01/Jan/1999:00:00:00 +0000]");
}

#[test]
fn sizes_and_statuses() {
    let parser = &mut AccessParser::apache();
    for (numbers, status, bytes) in [
        ("200 -", json!(200), json!(null)),
        ("- -", json!(null), json!(null)),
        ("000 0", json!(0), json!(0)),
        ("009 007", json!(9), json!(7)),
        ("0 000", json!(0), json!(0)),
        ("499 -2147483648", json!(499), json!(-2_147_483_648_i64)),
        ("200 999999999999999999", json!(200), json!(999_999_999_999_999_999_i64)),
    ] {
        let line = COMMON.replace("200 23", numbers);
        let record = record(parser, line.as_bytes()).unwrap();
        assert_eq!((&record["status_code"], &record["bytes"]), (&status, &bytes), "{numbers}");
    }
    for numbers in [
        "20 5",
        "2000 5",
        "2x0 5",
        "-200 5",
        "200",
        "200 ",
        "200 x",
        "200 --1",
        "200 -01",
        "200 -0",
        "200 1.5",
        "200 1000000000000000000",
        "200  5",
        "200 5,",
    ] {
        let line = COMMON.replace("200 23", numbers);
        let error = record(parser, line.as_bytes()).unwrap_err();
        assert_eq!(error.reason, Reason::NoMatch, "{numbers}");
    }
}

#[test]
fn errors_name_the_place() {
    use Reason::{BadTimestamp, NoMatch};
    let combined = format!(r#"{COMMON} "-" "agent""#);
    for (line, reason, text) in [
        (
            combined.replace("Oct", "Okt"),
            BadTimestamp,
            "expected an existing time such as 10/Oct/2000:13:55:36 -0700 in the time at column 16",
        ),
        (
            combined.replace("10/Oct/2000:13:55:36", "March 05, 2024T07:08:09"),
            BadTimestamp,
            "expected an existing time such as 10/Oct/2000:13:55:36 -0700 in the time at column 16",
        ),
        (
            combined.replace("[10/Oct/2000:13:55:36 -0700] ", ""),
            NoMatch,
            "expected a time in brackets before the first quote in the time at column 15",
        ),
        (
            combined.replace("192.0.2.1", "198.51.100.7, 192.0.2.1"),
            NoMatch,
            "expected a name or address, with or without :port in the virtual host at column 1",
        ),
        (
            combined[..combined.len() - 1].to_owned(),
            NoMatch,
            "expected a closing quote in the user agent at column 79",
        ),
        (
            combined.replace(r#" "agent""#, ""),
            NoMatch,
            "expected a blank and a quote in the user agent at column 72",
        ),
        (
            combined.replace("agent", r#"a" gent"#),
            NoMatch,
            "expected a closing quote in the text behind the user agent at column 82",
        ),
        (
            combined.replace("agent", r#"a"gent"#),
            NoMatch,
            "expected a blank or the end behind the closing quote in the user agent at column 76",
        ),
        (
            "no log line".to_owned(),
            NoMatch,
            "expected an opening quote in the request at column 12",
        ),
        (String::new(), NoMatch, "expected an opening quote in the request at column 1"),
    ] {
        let error = record(&mut AccessParser::nginx(), line.as_bytes()).unwrap_err();
        assert_eq!((error.reason, error.to_string().as_str()), (reason, text), "{line}");
    }
}

/// Lines with text that clients choose, as Apache writes it (`\"`), so that
/// the expected record is known.
fn any_line() -> impl Strategy<Value = (String, [String; 3])> {
    let text = r"[ -~é\x00-\x1f]{0,12}";
    (text, text, text, r#"( "-"| 0\.[0-9]{3}( 0\.[0-9]{3})?| rt=0\.001| [0-9]{1,4})?"#).prop_map(
        |(user, url, agent, tail)| {
            let escape = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
            let line = format!(
                r#"192.0.2.1 - {} [10/Oct/2000:13:55:36 -0700] "GET /{} HTTP/1.1" 200 5 "-" "{}"{tail}"#,
                escape(&user), escape(&url), escape(&agent),
            );
            (line, [user, url, agent])
        },
    )
}

proptest! {
    #[test]
    fn text_survives((line, [user, url, agent]) in any_line()) {
        let record = record(&mut AccessParser::nginx(), line.as_bytes()).unwrap();
        let or_null = |text: String| if text == "-" { json!(null) } else { json!(text) };
        prop_assert_eq!(&record["user_id"], &or_null(user));
        prop_assert_eq!(&record["url"], &json!(format!("/{url}").trim_end_matches(' ')));
        prop_assert_eq!(&record["user_agent"], &or_null(agent));
    }

    #[test]
    fn damaged_lines_are_valid_json_or_refused(
        (line, _) in any_line(), cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), junk in "[\"\\\\ \\[\\]\\-0:\u{fffd}x]{0,3}",
    ) {
        let mut chars: Vec<char> = line.chars().collect();
        let place = at.index(chars.len());
        chars.splice(place..=place, junk.chars());
        let damaged: String = chars.iter().collect();
        let part: String = chars[..cut.index(chars.len() + 1)].iter().collect();
        for line in [damaged, part] {
            let apache = record(&mut AccessParser::apache(), line.as_bytes());
            if let Ok(nginx) = record(&mut AccessParser::nginx(), line.as_bytes()) {
                prop_assert_eq!(apache, Ok(nginx), "what both take gives the same record");
            }
        }
    }

    #[test]
    fn never_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AccessParser::auto().parse(&line, &mut Calendar::default(), &mut Vec::new());
    }
}
