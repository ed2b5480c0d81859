//! Access logs as servers write them: the files in `testdata/access`.

use std::fs;
use std::path::Path;

use highwater_core::format::AccessParser;
use highwater_core::time::Calendar;

fn testdata(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/access");
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn parser(format: &str) -> AccessParser {
    match format {
        "apache" => AccessParser::apache(),
        "nginx" => AccessParser::nginx(),
        "auto" => AccessParser::auto(),
        other => panic!("no such format: {other}"),
    }
}

#[test]
fn records_are_as_expected() {
    for name in ["apache", "nginx"] {
        let (log, expected) =
            (testdata(&format!("{name}.log")), testdata(&format!("{name}.expected.ndjson")));
        assert_eq!(log.lines().count(), expected.lines().count(), "{name}");
        for format in [name, "auto"] {
            let mut parser = parser(format);
            for (line, expected) in log.lines().zip(expected.lines()) {
                let mut record = b"{".to_vec();
                parser
                    .parse(line.as_bytes(), &mut Calendar::default(), &mut record)
                    .unwrap_or_else(|e| panic!("{e}: {line}"));
                record.push(b'}');
                assert_eq!(String::from_utf8(record).unwrap(), expected, "{format}: {line}");
                serde_json::from_str::<serde_json::Value>(expected).unwrap();
            }
        }
    }
}

#[test]
fn rejected_lines_name_their_mistake() {
    for name in ["apache", "nginx"] {
        let log = testdata(&format!("{name}.rejected.log"));
        let expected = testdata(&format!("{name}.rejected.expected.txt"));
        assert_eq!(log.lines().count(), expected.lines().count(), "{name}");
        let mut parser = parser(name);
        for (line, expected) in log.lines().zip(expected.lines()) {
            let mut out = b"as it was".to_vec();
            let error =
                parser.parse(line.as_bytes(), &mut Calendar::default(), &mut out).unwrap_err();
            assert_eq!(format!("{}: {error}", error.reason), expected, "{line}");
            assert_eq!(out, b"as it was", "{line}");
        }
    }
}
