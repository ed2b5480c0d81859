//! Log formats: what a line gives is a record in normal form, or nothing.

use highwater_core::format::{
    AccessParser, ApacheErrorParser, CsvParser, JsonRecords, LogFormatParser, LogfmtParser,
    NginxErrorParser, Normalized, Parsed, PatternParser, SyslogParser, TextParser, TimeOptions,
};
use highwater_core::line::{Line, Reason};
use highwater_core::stage::{Explain, Format, Parse};
use highwater_core::stream::{Operator, Output};
use highwater_core::time::{Calendar, is_normal_form};

use super::records::Members;

const NAMES: [&str; 10] = [
    "timestamp",
    "level",
    "service",
    "message",
    "ip_address",
    "user_id",
    "request_id",
    "response_time",
    "status_code",
    "error_code",
];

/// Without classes of Unicode, which take a hundred times as long to compile.
const PATTERN: &str = r"^(?:(?<time>[^ ]+ [^ ]+) )?\[?(?<level>[A-Za-z]+)\]?:? (?:(?<status_code>[^ ]+) )?(?<message>.*)(?<bytes>[0-9]*)";

/// Combined, with a time in seconds behind it.
const LOG_FORMAT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#;

fn parser(format: &str) -> TextParser {
    match format {
        "access" => TextParser::Access(AccessParser::auto()),
        "apache-error" => TextParser::ApacheError(ApacheErrorParser::default()),
        "nginx-error" => TextParser::NginxError(NginxErrorParser::default()),
        "syslog" => TextParser::Syslog(SyslogParser::default()),
        "logfmt" => TextParser::Logfmt(LogfmtParser::default()),
        "csv" => TextParser::Csv(Box::new(CsvParser::with_header(b','))),
        "regex" => TextParser::Pattern(Box::new(PatternParser::new(PATTERN).unwrap())),
        "log-format" => {
            let parser = LogFormatParser::new(LOG_FORMAT, "LOG_FORMAT", None).unwrap();
            TextParser::LogFormat(Box::new(parser))
        }
        other => panic!("no such format: {other}"),
    }
}

/// A year for the times that have none, so that nothing depends on the order.
fn calendar() -> Calendar {
    Calendar::default().with_year(Some(2024))
}

/// Every line of text gives a record in normal form, or an error and nothing;
/// other bytes do no harm.
pub(super) fn text(format: &str, bytes: &[u8]) {
    let mut parser = parser(format);
    for line in super::lines(bytes) {
        let mut record = b"{".to_vec();
        let result = parser.parse(line, &mut calendar(), &mut record);
        match result {
            Ok(Parsed::Header) => assert_eq!(record, b"{"),
            Ok(parsed) => {
                record.push(b'}');
                if let Ok(record) = std::str::from_utf8(&record) {
                    normal(record, parsed == Parsed::Timed);
                } else {
                    assert!(std::str::from_utf8(line).is_err() || format == "csv");
                }
            }
            Err(mismatch) => {
                assert_eq!(record, b"{", "{mismatch}");
                assert!(mismatch.at <= line.len(), "{mismatch}");
            }
        }
    }
}

/// A record is JSON that means the same to everybody, and in normal form.
fn normal(record: &str, timed: bool) {
    let Members(members) = serde_json::from_str(record).unwrap_or_else(|error| {
        panic!("{error}: {record}");
    });
    for name in NAMES {
        let copies = members.iter().filter(|(key, _)| key == name).count();
        assert!(copies <= 1, "{name} is there {copies} times: {record}");
    }
    for (key, value) in &members {
        if value.get().starts_with(['"', '{']) {
            let value = serde_json::from_str::<serde_json::Value>(value.get());
            assert!(value.is_ok(), "{key}: {value:?}: {record}");
        }
    }
    if !timed {
        // Whoever reads it anew may find a time in a field of lower rank: `ts`
        // was empty and is gone, `t` was passed over and is still there.
        return;
    }
    let (key, value) = &members[0];
    assert_eq!(key, "timestamp", "{record}");
    assert!(is_normal_form(value.get().trim_matches('"').as_bytes()), "{record}");
    let mut again = JsonRecords::default();
    let result = again.normalize(record.as_bytes(), &mut calendar(), &mut Vec::new());
    assert_eq!(result, Ok(Normalized::AsIs), "{record}");
}

/// What `parse` writes is JSON, and stays as it is if it is parsed again.
pub(super) fn stage(format: &str, bytes: &[u8]) {
    let new = || Parse::new(if format == "json" { Format::Json } else { Format::Auto });
    let rows = rows(new(), bytes);
    explained(new, bytes);
    for row in super::lines(&rows).filter(|row| !row.is_empty()) {
        assert!(serde_json::from_slice::<&serde_json::value::RawValue>(row).is_ok(), "{row:?}");
    }
    let again = self::rows(Parse::new(Format::Json), &rows);
    let [rows, again] = [rows, again].map(|rows| String::from_utf8_lossy(&rows).into_owned());
    assert_eq!(rows, again);
}

fn rows(parse: Parse, bytes: &[u8]) -> Vec<u8> {
    run(&mut parse.with_times(calendar(), &TimeOptions::default()), bytes).rows().to_vec()
}

fn run(operator: &mut dyn Operator, bytes: &[u8]) -> Output {
    let mut out = Output::in_memory();
    for bytes in super::lines(bytes).filter(|line| !line.trim_ascii().is_empty()) {
        let fault = std::str::from_utf8(bytes).is_err().then_some(Reason::InvalidUtf8);
        operator.on_record(Line { bytes, fault }, &mut out).unwrap();
    }
    operator.on_end(&mut out).unwrap();
    out
}

/// As many lines are explained to be rejected as are, but for those that were
/// kept as rejected once.
fn explained(new: impl Fn() -> Parse, bytes: &[u8]) {
    let new = || new().with_times(calendar(), &TimeOptions::default());
    let mut explain = Explain::new(new());
    let out = run(&mut explain, bytes);
    assert!(std::str::from_utf8(out.rows()).is_ok());
    let kept = [&b"\"error\""[..], b"\\u"]
        .iter()
        .any(|mark| bytes.windows(mark.len()).any(|part| part == *mark));
    if !kept {
        assert_eq!(explain.counts().1, run(&mut new(), bytes).stats.rejected());
    }
}
