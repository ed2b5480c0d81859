//! Error logs, syslog and logfmt: the files in `testdata/text`, and lines made
//! from them by damage. Also CSV, regular expressions and log formats, whose
//! files are in `testdata/parse`: damage, and CSV against another reader.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::fs;
use std::path::Path;

use highwater_core::format::{
    ApacheErrorParser, CsvParser, LogFormatParser, LogfmtParser, Mismatch, NginxErrorParser,
    PatternParser, SyslogParser, TextParser,
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
        "csv" => TextParser::Csv(Box::new(CsvParser::with_columns(b',', CSV[0]).unwrap())),
        "regex" => TextParser::Pattern(Box::new(PatternParser::new(PATTERN).unwrap())),
        "nginx" => log_format(NGINX[0]),
        "apache" => log_format(APACHE[0]),
        "auto" => TextParser::auto(),
        other => panic!("no such format: {other}"),
    }
}

fn log_format(format: &str) -> TextParser {
    TextParser::LogFormat(Box::new(LogFormatParser::new(format, "test", None).unwrap()))
}

/// Formats that need to be told something, and a line in each.
const TOLD: [&str; 4] = ["csv", "regex", "nginx", "apache"];
const PATTERN: &str =
    r"^(?<time>\S+) (?<level>[A-Z]+) (?:user=(?<user_id>\S+) )?(?<status_code>\w+) (?<message>.*)$";
const CSV: [&str; 2] = [
    "time,msg,status_code,\"a, \"\"b\"\"\",bytes",
    "2024-03-05T07:08:09Z,\"say \"\"hi\"\", you\",404,\\x,\"7\"",
];
const NGINX: [&str; 2] = [
    "$remote_addr [$time_local] \"$request\" $status $upstream_addr \"$http_user_agent\" $request_time",
    "192.0.2.1 [05/Mar/2024:07:08:09 +0000] \"GET /a HTTP/1.1\" 200 192.0.2.7, - \"a \\x22b\\x22\" 0.005",
];
const APACHE: [&str; 2] = [
    "%v:%p %h %l \"%u\" [%{%F %T}t.%{msec_frac}t] \\\"%r\\\" %>s %b \\\"%{Referer}i\\\" %D",
    "[2001:db8::1]:80 h - \"ann\" [2024-03-05 07:08:09.123] \"GET /\" 200 - \"a \\\"b\\\"\" 12",
];
const REGEX: &str = "2024-03-05T07:08:09Z INFO user=ann 200 a \"b\" \\ c";

fn told_line(format: &str) -> &'static str {
    match format {
        "csv" => CSV[1],
        "nginx" => NGINX[1],
        "apache" => APACHE[1],
        _ => REGEX,
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
    fn damaged_lines_of_told_formats_are_valid_json_or_refused(
        format in 0..TOLD.len(), at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        junk in "[\"\\\\ \\[\\]\\-=,:u0\u{fffd}x\t\0%$]{0,3}",
    ) {
        let name = TOLD[format];
        let whole = told_line(name);
        prop_assert!(record(&mut parser(name), whole.as_bytes()).is_ok(), "{}", whole);
        let mut chars: Vec<char> = whole.chars().collect();
        let part: String = chars[..cut.index(chars.len() + 1)].iter().collect();
        let place = at.index(chars.len());
        chars.splice(place..=place, junk.chars());
        for line in [part, chars.into_iter().collect()] {
            if let Ok(record) = record(&mut parser(name), line.as_bytes()) {
                let value = serde_json::from_str::<serde_json::Value>(&record);
                prop_assert!(value.is_ok(), "{name}: {record}");
            }
        }
    }

    /// A line of CSV is read as the `csv` crate reads it, and refused where
    /// that goes on in the next line or is lenient with quotes.
    #[test]
    fn csv_agrees_with_another_reader(
        fields in prop::collection::vec("([a-z\"\\\\ é,]{0,6}|\"([a-z ,é]|\"\"){0,6}\")", 1..5),
        columns in 1..5_usize,
    ) {
        let line = fields.join(",");
        let names: Vec<String> = (0..columns).map(|index| format!("c{index}")).collect();
        let mut parser = TextParser::Csv(Box::new(
            CsvParser::with_columns(b',', &names.join(",")).unwrap(),
        ));
        let ours = record(&mut parser, line.as_bytes());
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let theirs = reader.records().next().map(|record| record.unwrap()).unwrap_or_default();
        if let Ok(ours) = ours {
            let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
            let ours: Vec<&str> = names.iter().map(|name| ours[name].as_str().unwrap()).collect();
            // Of an empty line the other reader makes no record.
            if !line.is_empty() {
                prop_assert_eq!(ours, theirs.iter().collect::<Vec<_>>(), "{}", line);
            }
        } else if theirs.len() == columns {
            // Written anew, the record is another line: a quote was out of place.
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            writer.write_record(&theirs).unwrap();
            let anew = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_ne!(anew.trim_end(), &line);
            prop_assert!(line.contains('"'), "{}", line);
        }
    }

    #[test]
    fn never_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        for name in FORMATS.into_iter().chain(TOLD).chain(["auto"]) {
            let _ = parser(name).parse(&line, &mut Calendar::default(), &mut Vec::new());
        }
    }
}
