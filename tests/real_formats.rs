//! Real logs, each in its format: how many lines are parsed and how many are
//! rejected, and that every record is one.

#![allow(clippy::print_stderr, reason = "says what was skipped")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::path::PathBuf;

use serde_json::Value;
use support::stages::PARSE;

/// The pattern of a log4j layout.
const LOG4J: &[&str] = &[
    "--format",
    "regex",
    "--pattern",
    r"^(?<time>\S+ \S+) +-? *(?<level>[A-Z]+) +\[(?<thread>.*?)\] *-? *(?<message>.*)$",
];
const SPARK: &[&str] = &[
    "--format",
    "regex",
    "--pattern",
    r"^(?<time>\S+ \S+) (?<level>[A-Z]+) (?<service>[^:]+): (?<message>.*)$",
    "--time-format",
    "%y/%m/%d %H:%M:%S",
];
const HDFS: &[&str] = &[
    "--format",
    "regex",
    "--pattern",
    r"^(?<time>\d{6} \d{6}) (?<pid>\d+) (?<level>[A-Z]+) (?<service>[^:]+): (?<message>.*)$",
    "--time-format",
    "%y%m%d %H%M%S",
];
const AUTO: &[&str] = &[];
const APACHE: &[&str] = &["--format", "apache"];
const APACHE_ERROR: &[&str] = &["--format", "apache-error"];
const NGINX: &[&str] = &["--format", "nginx"];
const NGINX_ERROR: &[&str] = &["--format", "nginx-error"];
/// The format of a server with variables of its own.
const LOG_FORMAT: &[&str] = &[
    "--log-format",
    r#"$remote_addr [$time_local] "$request" $status $request_length $body_bytes_sent $request_time "$t_size" $read_time $gen_time"#,
];
const LONG_DATE: &[&str] = &["--format", "nginx", "--time-format", "%B %d, %YT%H:%M:%S %z"];
const SYSLOG: &[&str] = &["--format", "syslog"];
const LOGFMT: &[&str] = &["--format", "logfmt"];

/// Name of a real log, how it is parsed, and how many of its lines are parsed
/// and rejected. Blank lines count as neither.
const REAL_LOGS: &[(&str, &[&str], u64, u64)] = &[
    // A user agent's quote is not closed.
    ("apache/elastic_combined_10k.log.gz", APACHE, 9_999, 1),
    ("apache/logisland_combined_2013.log.gz", APACHE, 41_986, 0),
    ("apache/nasa_common_jul95_2500.log", APACHE, 2_500, 0),
    // Halves of records, cut anywhere.
    ("apache/nasa_common_aug95_hardwrapped.log", APACHE, 1_841, 89),
    ("apache/secrepo_combined_2021-10-22.log", APACHE, 644, 0),
    ("apache/dreamhost_combined.log", APACHE, 129, 0),
    ("apache/combined_latin1_100.log", NGINX, 100, 0),
    ("apache/crowdsec_combined_variants.log", AUTO, 9, 0),
    // Two lines of an error log.
    ("apache/crowdsec_combined_variants.log", APACHE, 7, 2),
    ("apache/crowdsec_nikto_common.log", APACHE, 77, 0),
    ("apache/apache_error_debug_12.log", APACHE_ERROR, 12, 0),
    ("apache/loghub_apache_error_2k.log", APACHE_ERROR, 2_000, 0),
    ("nginx/scanner_combined_500.log", NGINX, 500, 0),
    // Four lines of junk.
    ("nginx/elastic_combined_with_junk.log", NGINX, 885, 4),
    ("nginx/zanbil_shop_1k.log", NGINX, 1_000, 0),
    ("nginx/crowdsec_combined_variants.log", AUTO, 9, 0),
    ("nginx/crowdsec_cri_prefixed_ingress.log", NGINX, 3, 0),
    // A format of its own, and another spelling of the time.
    ("nginx/gonx_custom_format_1k.log", AUTO, 0, 1_000),
    ("nginx/gonx_custom_format_1k.log", LOG_FORMAT, 1_000, 0),
    ("nginx/custom_date_20.log", NGINX, 0, 20),
    ("nginx/custom_date_20.log", LONG_DATE, 20, 0),
    ("nginx/error_clean.log", NGINX_ERROR, 35, 0),
    // A compressed file in the middle.
    ("nginx/error_with_binary_junk_74.log", NGINX_ERROR, 35, 39),
    ("nginx/crowdsec_error_limit_req.log", NGINX_ERROR, 9, 0),
    ("mixed/crowdsec_traefik_clf.log", AUTO, 7, 0),
    // XML, and plain text behind a time.
    ("mixed/lnav_invalid_utf8.log", AUTO, 0, 6),
    ("mixed/lnav_crlf.log", AUTO, 0, 2),
    ("syslog/loghub_linux_2k.log", SYSLOG, 2_000, 0),
    ("syslog/loghub_openssh_2k.log", SYSLOG, 2_000, 0),
    ("syslog/loghub_mac_2k.log", SYSLOG, 2_000, 0),
    ("syslog/elastic_auth_7k.log.gz", SYSLOG, 7_121, 0),
    ("syslog/crowdsec_charon_rfc5424.log", SYSLOG, 154, 0),
    ("syslog/crowdsec_opnsense_rfc5424.log", SYSLOG, 10, 0),
    // Continuation lines, and text above the first line.
    ("syslog/lnav_syslog_mixed.log", SYSLOG, 18, 10),
    ("syslog/lnav_syslog_with_header.log", SYSLOG, 4, 2),
    ("syslog/lnav_syslog_with_access_log.log", AUTO, 5, 0),
    // Records of JSON, whose messages are syslog lines.
    ("syslog/lnav_syslog_muxed.log", AUTO, 14, 0),
    ("syslog/lnav_syslog_muxed.log", SYSLOG, 0, 14),
    ("logfmt/crowdsec_authelia_72.log", LOGFMT, 72, 0),
    ("logfmt/crowdsec_grafana.log", LOGFMT, 24, 0),
    ("logfmt/crowdsec_traefik_1226.log.gz", LOGFMT, 1_226, 0),
    ("logfmt/lnav_grafana.log", LOGFMT, 5, 0),
    ("logfmt/lnav_kubelet.log", LOGFMT, 5, 0),
    ("other/loghub_zookeeper_2k.log", LOG4J, 2_000, 0),
    ("other/loghub_hadoop_2k.log", LOG4J, 2_000, 0),
    ("other/loghub_spark_2k.log", SPARK, 2_000, 0),
    ("other/loghub_hdfs_2k.log", HDFS, 2_000, 0),
];

fn real_logs() -> Option<PathBuf> {
    let folder = std::env::var_os("HIGHWATER_REAL_LOGS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: HIGHWATER_REAL_LOGS names no folder of real logs");
    }
    folder
}

/// What another parser's field is called here; `None` for what is not taken
/// apart here.
fn our_name(theirs: &str) -> Option<&'static str> {
    Some(match theirs {
        "clientip" | "remote_addr" => "ip_address",
        "auth" | "remote_user" => "user_id",
        "ident" => "identity",
        "timestamp" | "time_local" => "timestamp",
        "verb" => "method",
        "request" => "url",
        "httpversion" | "http_version" => "protocol",
        "response" | "status" => "status_code",
        "bytes" | "body_bytes_sent" => "bytes",
        "referrer" | "http_referer" => "referer",
        "http_user_agent" => "user_agent",
        "target_fqdn" => "vhost",
        "port" => "vhost_port",
        _ => return None,
    })
}

/// The one record that `parse` makes of a line.
fn record(format: &str, line: &str) -> Value {
    let ran = support::run(PARSE.path, ["--format", format], format!("{line}\n").as_bytes());
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {line}: {}", ran.stderr))
}

/// Lines with what another parser makes of them, all values strings.
#[test]
fn annotated_lines_agree_field_by_field() {
    let Some(folder) = real_logs() else { return };
    let mut compared = 0;
    for (name, format) in [("apache2", "apache"), ("nginx", "nginx"), ("traefik_clf", "apache")] {
        let file = folder.join(format!("annotated/crowdsec_{name}.expect.jsonl"));
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let expected: Value = serde_json::from_str(line).unwrap();
            let record = record(format, expected["raw"].as_str().unwrap());
            for (theirs, value) in expected["fields"].as_object().unwrap() {
                let value = value.as_str().unwrap();
                let Some(ours) = our_name(theirs) else {
                    assert!(
                        record["extra"].as_str().unwrap().contains(value),
                        "{theirs}: {record}"
                    );
                    continue;
                };
                let found = match &record[ours] {
                    Value::Null => "-".to_owned(),
                    Value::String(text) if ours == "protocol" => text.replacen("HTTP/", "", 1),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let wanted = if ours == "timestamp" {
                    let time = format!("{{\"time\":\"{value}\"}}");
                    self::record("json", &time)["timestamp"].as_str().unwrap().to_owned()
                } else {
                    value.to_owned()
                };
                assert_eq!(found, wanted, "{theirs} of {line}");
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared} fields");
}

#[test]
fn real_logs_are_parsed_to_the_last_line() {
    let Some(folder) = real_logs() else { return };
    let mut wrong = Vec::new();
    for (name, args, parsed, rejected) in REAL_LOGS {
        let ran =
            PARSE.command().args(*args).args(["--stats", "-"]).arg(folder.join(name)).output();
        let ran = ran.unwrap();
        for row in String::from_utf8(ran.stdout).unwrap().lines() {
            let record: Value = serde_json::from_str(row).unwrap();
            assert!(record["timestamp"].is_string(), "{name}: a record without time");
        }
        let messages = String::from_utf8(ran.stderr).unwrap();
        let stats = messages.lines().find(|line| line.starts_with("{\"stage\"")).unwrap();
        let stats: Value = serde_json::from_str(stats).unwrap();
        let refused = stats["rejected"].as_object().unwrap().values().map(|n| n.as_u64().unwrap());
        let counts = (stats["records_out"].as_u64().unwrap(), refused.sum::<u64>());
        if counts != (*parsed, *rejected) {
            wrong.push(format!("{name}: {counts:?} for {:?}", (parsed, rejected)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "parsed and rejected");
}
