//! Access logs as servers write them: the files in `testdata/access`, and real
//! ones where there are some.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use highwater_core::format::AccessParser;

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
                    .parse(line.as_bytes(), &mut record)
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
            let error = parser.parse(line.as_bytes(), &mut out).unwrap_err();
            assert_eq!(format!("{}: {error}", error.reason), expected, "{line}");
            assert_eq!(out, b"as it was", "{line}");
        }
    }
}

/// Name of a real log, format, and how many of its lines are parsed and
/// rejected. Blank lines count as neither.
const REAL_LOGS: [(&str, &str, usize, usize); 21] = [
    ("apache/elastic_combined_10k.log.gz", "apache", 9_999, 1),
    ("apache/logisland_combined_2013.log.gz", "apache", 41_986, 0),
    ("apache/nasa_common_jul95_2500.log", "apache", 2_500, 0),
    // 89 halves of records, cut anywhere.
    ("apache/nasa_common_aug95_hardwrapped.log", "apache", 1_841, 89),
    ("apache/secrepo_combined_2021-10-22.log", "apache", 644, 0),
    ("apache/dreamhost_combined.log", "apache", 129, 0),
    ("apache/combined_latin1_100.log", "nginx", 100, 0),
    // Two lines of an error log.
    ("apache/crowdsec_combined_variants.log", "apache", 7, 2),
    ("apache/crowdsec_nikto_common.log", "apache", 77, 0),
    ("apache/apache_error_debug_12.log", "auto", 0, 12),
    ("apache/loghub_apache_error_2k.log", "auto", 0, 2_000),
    ("nginx/scanner_combined_500.log", "nginx", 500, 0),
    ("nginx/elastic_combined_with_junk.log", "nginx", 885, 4),
    ("nginx/zanbil_shop_1k.log", "nginx", 1_000, 0),
    // One line of an error log.
    ("nginx/crowdsec_combined_variants.log", "nginx", 8, 1),
    // Formats of their own: a prefix, other fields, another time.
    ("nginx/crowdsec_cri_prefixed_ingress.log", "nginx", 0, 3),
    ("nginx/gonx_custom_format_1k.log", "auto", 0, 1_000),
    ("nginx/custom_date_20.log", "nginx", 0, 20),
    ("nginx/error_with_binary_junk_74.log", "auto", 0, 74),
    ("mixed/crowdsec_traefik_clf.log", "auto", 7, 0),
    ("syslog/lnav_syslog_with_access_log.log", "auto", 0, 5),
];

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file).read_to_end(&mut bytes)?;
    } else {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Needs a folder of real logs, named by `HIGHWATER_REAL_LOGS`.
#[test]
fn real_logs_are_parsed_to_the_last_line() {
    let Some(folder) = std::env::var_os("HIGHWATER_REAL_LOGS").map(PathBuf::from) else {
        println!("skipped: HIGHWATER_REAL_LOGS names no folder of real logs");
        return;
    };
    for (name, format, parsed, rejected) in REAL_LOGS {
        let mut parser = parser(format);
        let mut counts = (0, 0);
        let log = read(&folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        for line in String::from_utf8_lossy(&log).lines() {
            if line.trim().is_empty() {
                continue;
            }
            let mut record = b"{".to_vec();
            if parser.parse(line.as_bytes(), &mut record).is_err() {
                counts.1 += 1;
                continue;
            }
            counts.0 += 1;
            record.push(b'}');
            assert!(serde_json::from_slice::<serde_json::Value>(&record).is_ok(), "{name}");
        }
        assert_eq!(counts, (parsed, rejected), "{name}: parsed and rejected");
    }
}
