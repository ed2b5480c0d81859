use super::*;

fn normalize(line: &str) -> Result<String, JsonError> {
    let mut out = Vec::new();
    let mut records = JsonRecords::default();
    Ok(match records.normalize(line.as_bytes(), &mut Calendar::default(), &mut out)? {
        Normalized::AsIs => "as is".to_owned(),
        Normalized::Rewritten => String::from_utf8(out).unwrap(),
        Normalized::Text { text, source } => format!(
            "{} from {}",
            String::from_utf8_lossy(text),
            source.map_or("nowhere".into(), String::from_utf8_lossy)
        ),
    })
}

#[test]
fn what_is_in_normal_form_stays() {
    for line in [
        r#"{"timestamp":"2025-09-12T00:00:00.000Z"}"#,
        r#"{"timestamp":"2025-09-12T00:00:00.123456Z","level":null,"x":[1, 2]}"#,
        r#" { "timestamp" : "2025-09-12T00:00:00.000Z" , "status_code":200, "time":5 } "#,
        r#"{"@source":{"path":"a","offset":0},"timestamp":"2025-09-12T00:00:00.000Z","response_time":1}"#,
        r#"{"timestamp":"2025-09-12T00:00:00.000Z","level":"INFO","severity":3}"#,
    ] {
        assert_eq!(normalize(line).unwrap(), "as is", "{line}");
    }
}

#[test]
fn the_rest_is_brought_there() {
    const T: &str = r#""timestamp":"2025-09-12T00:00:00.000Z""#;
    for (line, expected) in [
        // Order, names and spellings of the time.
        (r#"{"a":1,"timestamp":"2025-09-12T00:00:00Z"}"#, r#"{<T>,"a":1}"#),
        (r#"{"@timestamp":"2025-09-12T02:00:00+02:00","a":1}"#, r#"{<T>,"a":1}"#),
        (r#"{"time":1757635200,"t":7}"#, r#"{<T>,"t":7}"#),
        (r#"{"ts":"1757635200000"}"#, r"{<T>}"),
        (r#"{"date":"2025-09-12 00:00:00"}"#, r"{<T>}"),
        // First of several names; the others stay.
        (r#"{"severity":3,"lvl":"WARN","ts":1757635200}"#, r#"{<T>,"level":"WARN","severity":3}"#),
        (
            r#"{"log":{"level":"info"},"ts":1757635200}"#,
            r#"{<T>,"level":"info","log":{"level":"info"}}"#,
        ),
        (
            r#"{"log.level":"info","log":{"level":"x"},"ts":1757635200}"#,
            r#"{<T>,"level":"info","log":{"level":"x"}}"#,
        ),
        (r#"{"msg":"hi","timestamp":1757635200}"#, r#"{<T>,"message":"hi"}"#),
        // Types.
        (
            r#"{"timestamp":1757635200,"status_code":"200","response_time":"0.50"}"#,
            r#"{<T>,"response_time":0.50,"status_code":200}"#,
        ),
        (r#"{"timestamp":1757635200,"status_code":200.0}"#, r#"{<T>,"status_code":200}"#),
        (
            r#"{"timestamp":1757635200,"status_code":"abc","response_time":true}"#,
            r#"{<T>,"response_time":null,"status_code":null}"#,
        ),
        (
            r#"{"timestamp":1757635200,"user_id":17,"message":{"a":"b"}}"#,
            r#"{<T>,"message":"{\"a\":\"b\"}","user_id":"17"}"#,
        ),
        // All copies of a key are replaced, the last one wins; others stay.
        (r#"{"timestamp":0,"x":1,"x":2,"timestamp":1757635200}"#, r#"{<T>,"x":1,"x":2}"#),
        (r#"{"level":"a","timestamp":1757635200,"level":"b"}"#, r#"{<T>,"level":"b"}"#),
        // Provenance comes first.
        (
            r#"{"a":1,"@source":{"path":"p"},"timestamp":1757635200}"#,
            r#"{"@source":{"path":"p"},<T>,"a":1}"#,
        ),
    ] {
        assert_eq!(normalize(line).unwrap(), expected.replace("<T>", T), "{line}");
    }
}

#[test]
fn text_is_unwrapped() {
    assert_eq!(normalize(r#"{"@raw":"a \"b\"\u0000"}"#).unwrap(), "a \"b\"\0 from nowhere");
    assert_eq!(
        normalize(r#"{"@source":{"path":"p"},"@raw":"x"}"#).unwrap(),
        r#"x from {"path":"p"}"#
    );
}

#[test]
fn what_cannot_be_used() {
    for (line, reason) in [
        (r#"{"a":1}"#, Reason::NoTimestamp),
        (r#"{"timestamp":null,"time":5}"#, Reason::NoTimestamp),
        (r#"{"timestamp":"soon"}"#, Reason::BadTimestamp),
        (r#"{"timestamp":"2025-02-30T00:00:00.000Z"}"#, Reason::BadTimestamp),
        (r#"{"timestamp":{}}"#, Reason::BadTimestamp),
        (r#"{"@raw":1}"#, Reason::ReservedKey),
        (r#"{"a":"#, Reason::InvalidJson),
    ] {
        assert_eq!(normalize(line).unwrap_err().reason(), reason, "{line}");
    }
    let error = normalize(r#"{"ts":"soon"}"#).unwrap_err();
    assert_eq!(error.to_string(), "no time that can be read in ts");
}
