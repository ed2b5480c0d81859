//! Error logs, syslog and logfmt: the files in `testdata/text`, and lines made
//! from them by damage.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::fs;
use std::path::Path;

use highwater_core::format::{
    ApacheErrorParser, LogfmtParser, Mismatch, NginxErrorParser, SyslogParser, TextParser,
};
use highwater_core::time::Calendar;
use proptest::prelude::*;

const FORMATS: [&str; 4] = ["apache-error", "nginx-error", "syslog", "logfmt"];

fn testdata(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/text");
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn parser(format: &str) -> TextParser {
    match format {
        "apache-error" => TextParser::ApacheError(ApacheErrorParser::default()),
        "nginx-error" => TextParser::NginxError(NginxErrorParser::default()),
        "syslog" => TextParser::Syslog(SyslogParser::default()),
        "logfmt" => TextParser::Logfmt(LogfmtParser::default()),
        "auto" => TextParser::auto(),
        other => panic!("no such format: {other}"),
    }
}

/// The record of a line; an error leaves the output as it was.
fn record(parser: &mut TextParser, line: &[u8]) -> Result<String, Mismatch> {
    let mut record = b"{".to_vec();
    let result = parser.parse(line, &mut Calendar::default(), &mut record);
    if let Err(error) = result {
        assert_eq!(record, b"{");
        return Err(error);
    }
    record.push(b'}');
    Ok(String::from_utf8(record).unwrap())
}

#[test]
fn records_are_as_expected() {
    for name in FORMATS {
        let log = testdata(&format!("{name}.log"));
        let expected = testdata(&format!("{name}.expected.ndjson"));
        assert_eq!(log.lines().count(), expected.lines().count(), "{name}");
        for format in [name, "auto"] {
            let mut parser = parser(format);
            for (line, expected) in log.lines().zip(expected.lines()) {
                let found = record(&mut parser, line.as_bytes());
                assert_eq!(found.as_deref(), Ok(expected), "{format}: {line}");
            }
        }
    }
}

#[test]
fn rejected_lines_name_their_mistake() {
    for name in FORMATS {
        let log = testdata(&format!("{name}.rejected.log"));
        let expected = testdata(&format!("{name}.rejected.expected.txt"));
        assert_eq!(log.lines().count(), expected.lines().count(), "{name}");
        for (line, expected) in log.lines().zip(expected.lines()) {
            let error = record(&mut parser(name), line.as_bytes()).unwrap_err();
            assert_eq!(format!("{}: {error}", error.reason), expected, "{line}");
        }
    }
}

proptest! {
    #[test]
    fn damaged_lines_are_valid_json_or_refused(
        format in 0..FORMATS.len(), index in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(),
        junk in "[\"\\\\ \\[\\]\\-=,:u0\u{fffd}x\t\0]{0,3}",
    ) {
        let log = testdata(&format!("{}.log", FORMATS[format]));
        let lines: Vec<&str> = log.lines().collect();
        let mut chars: Vec<char> = lines[index.index(lines.len())].chars().collect();
        let part: String = chars[..cut.index(chars.len() + 1)].iter().collect();
        let place = at.index(chars.len());
        chars.splice(place..=place, junk.chars());
        for line in [part, chars.into_iter().collect()] {
            for name in FORMATS.into_iter().chain(["auto"]) {
                if let Ok(record) = record(&mut parser(name), line.as_bytes()) {
                    let value = serde_json::from_str::<serde_json::Value>(&record);
                    prop_assert!(value.is_ok(), "{name}: {record}");
                }
            }
        }
    }

    #[test]
    fn never_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        for name in FORMATS.into_iter().chain(["auto"]) {
            let _ = parser(name).parse(&line, &mut Calendar::default(), &mut Vec::new());
        }
    }
}
