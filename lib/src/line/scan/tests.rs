use super::*;
use proptest::prelude::*;

fn scan(names: &[&str], line: &str) -> Result<Vec<String>, ScanError> {
    let mut scanner = Scanner::new(names.iter().collect());
    scanner.scan(line.as_bytes())?;
    let fields: Vec<String> = (0..names.len())
        .map(|slot| String::from_utf8(scanner.field(slot).text(line.as_bytes()).into()).unwrap())
        .collect();
    // The second time the shape is known; the answer must be the same.
    scanner.scan(line.as_bytes()).unwrap();
    for (slot, field) in fields.iter().enumerate() {
        assert_eq!(scanner.field(slot).text(line.as_bytes()), field.as_bytes());
    }
    Ok(fields)
}

#[test]
fn finds_fields_by_key_then_by_path() {
    let line = r#" { "a" : 1 , "b.c":"x","b":{"c":2,"d":{"e":[3,{}]}}, "a":4.5 } "#;
    assert_eq!(
        scan(&["a", "b.c", "b.d.e", "b.x", "zz", "a.b"], line).unwrap(),
        ["4.5", "\"x\"", "[3,{}]", "", "", ""]
    );
    assert_eq!(scan(&["abc"], r#"{"\u0061bc":true}"#).unwrap(), ["true"]);
    assert_eq!(scan(&["a.b"], r#"{"a":{"\u0062":1,"b":2}}"#).unwrap(), ["2"]);
    assert_eq!(scan(&["a"], "{}").unwrap(), [""]);
}

#[test]
fn changing_shapes_are_followed() {
    let mut scanner = Scanner::new(["a", "b", "c"].iter().collect()).with_members();
    for (line, expected, members) in [
        (r#"{"a":1,"b":2}"#, ["1", "2", ""], 2),
        (r#"{"a":3,"b":4}"#, ["3", "4", ""], 2),
        (r#"{"a":5,"c":6,"b":7}"#, ["5", "7", "6"], 3),
        (r#"{"a":8}"#, ["8", "", ""], 1),
        (r#"{"a":9,"c":0}"#, ["9", "", "0"], 2),
        (r"{}", ["", "", ""], 0),
        (r#"{"b":1 }"#, ["", "1", ""], 1),
        (r#"{"b":1}"#, ["", "1", ""], 1),
        (r#"{"b": 1}"#, ["", "1", ""], 1),
    ] {
        scanner.scan(line.as_bytes()).unwrap();
        for (slot, text) in expected.iter().enumerate() {
            assert_eq!(scanner.field(slot).text(line.as_bytes()), text.as_bytes(), "{line}");
        }
        assert_eq!(scanner.members().len(), members, "{line}");
        for member in scanner.members() {
            assert_eq!(line.as_bytes()[member.key as usize], b'"', "{line}");
        }
    }
}

#[test]
fn a_shape_has_all_members_or_none_behind_the_first_unlearnt() {
    let mut scanner = Scanner::new(["a", "b"].iter().collect());
    let long = format!("{{{}\"a\":1,\"b\":2}}", " ".repeat(2_000));
    scanner.scan(long.as_bytes()).unwrap();
    assert!(scanner.scan(br#","b":2}"#).is_err());
}

#[test]
fn mistakes_are_located() {
    for (line, reason, at) in [
        ("", Reason::InvalidJson, 0),
        ("hello", Reason::InvalidJson, 0),
        ("[1]", Reason::NotObject, 0),
        ("\"a\"", Reason::NotObject, 0),
        ("null", Reason::NotObject, 0),
        (r#"{"a":1"#, Reason::InvalidJson, 6),
        (r#"{"a":01}"#, Reason::InvalidJson, 5),
        (r#"{"a":1.}"#, Reason::InvalidJson, 7),
        (r#"{"a":nul}"#, Reason::InvalidJson, 5),
        (r#"{"a":"\x"}"#, Reason::InvalidJson, 6),
        (r#"{"a":"\u12g4"}"#, Reason::InvalidJson, 6),
        ("{\"a\":\"\t\"}", Reason::InvalidJson, 6),
        (r#"{"a":1,}"#, Reason::InvalidJson, 7),
        (r#"{"a":1}x"#, Reason::InvalidJson, 7),
        (r#"{"@":"end"}"#, Reason::ReservedKey, 1),
        (r#"{"a":1,"\u0040":2}"#, Reason::ReservedKey, 7),
    ] {
        let error = scan(&["a"], line).unwrap_err();
        assert_eq!((error.reason, error.at), (reason, at), "{line}: {error}");
    }
}

#[test]
fn short_texts_are_compared_whole() {
    let text = b"abcdefghijklmnopqrstuvwxyz012345";
    for length in 0..text.len() {
        assert!(begins_with(text, &text[..length]));
        assert!(!begins_with(&text[..length], &text[..=length]));
        for changed in 0..length {
            let mut other = *text;
            other[changed] ^= 1;
            assert!(!begins_with(&other, &text[..length]), "{changed} of {length}");
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested =
        |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(scan(&["a"], &nested(128)).is_ok());
    assert_eq!(scan(&["a"], &nested(129)).unwrap_err().reason, Reason::TooDeep);
    assert_eq!(scan(&["a"], &nested(1_000_000)).unwrap_err().reason, Reason::TooDeep);
}

/// Text that is JSON, or nearly.
fn near_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::to_string(&n).unwrap()),
        "[-+0-9.eE]{1,6}",
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        r#""[ -~]{0,40}""#,
        r#""(\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|[a-zé€]){0,20}""#,
    ];
    let value = leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(("[a-c]", inner), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
                format!("{{{}}}", members.join(" , "))
            }),
        ]
    });
    (value, proptest::option::of((any::<proptest::sample::Index>(), any::<char>()))).prop_map(
        |(value, damage)| {
            let mut text = format!("{{\"a\":{value},\"b\":1}}");
            if let Some((index, with)) = damage {
                let at = index.index(text.len());
                if text.is_char_boundary(at) {
                    text.insert(at, with);
                }
            }
            text
        },
    )
}

proptest! {
    #[test]
    fn agrees_with_serde_json(lines in proptest::collection::vec(near_json(), 1..6)) {
        let mut scanner = Scanner::new(["a", "b"].iter().collect());
        for line in lines {
            let ours = scanner.scan(line.as_bytes());
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&line);
            match ours {
                Ok(()) => {
                    let theirs: Result<std::collections::HashMap<String, &serde_json::value::RawValue>, _> =
                        serde_json::from_str(&line);
                    if let Ok(theirs) = &theirs {
                        for (slot, name) in ["a", "b"].into_iter().enumerate() {
                            let ours = scanner.field(slot).text(line.as_bytes());
                            prop_assert_eq!(ours, theirs.get(name).map_or(&b""[..], |v| v.get().as_bytes()));
                        }
                    }
                    prop_assert!(theirs.is_ok(), "{}: {:?}", line, theirs);
                }
                Err(error) if error.reason == Reason::ReservedKey => {}
                Err(error) => prop_assert!(theirs.is_err(), "{}: {}", line, error),
            }
        }
    }
}
