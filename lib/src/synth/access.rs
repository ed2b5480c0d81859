//! Records as lines of access logs.
//!
//! Source: `LogFormat` in the manual of Apache's `mod_log_config` and
//! `log_format` in that of nginx's `ngx_http_log_module`.

use super::catalogue::{Catalogue, FAILURES};
use super::encode::{put, put_padded, write_address, write_user};
use super::random::mix;
use super::record::LogRecord;
use crate::line::json;
use crate::time::CivilDate;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// What the users have.
const AGENTS: [&[u8]; 4] = [
    b"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0",
    b"curl/8.15.0",
    b"example-app/3.2",
];

/// Appends a line of `vhost_combined`; the virtual host is the service.
pub(super) fn write_apache(log: &LogRecord, catalogue: &Catalogue, out: &mut Vec<u8>) {
    put(out, &[catalogue.service(log.service).name.as_bytes(), b":443 "]);
    write_combined(log, catalogue, out);
}

/// Appends a line of combined and the response time.
pub(super) fn write_nginx(log: &LogRecord, catalogue: &Catalogue, out: &mut Vec<u8>) {
    write_combined(log, catalogue, out);
    put(out, &[b" rt="]);
    json::write_int((log.response_millis / 1_000).into(), out);
    out.push(b'.');
    put_padded(log.response_millis % 1_000, 3, out);
}

fn write_combined(log: &LogRecord, catalogue: &Catalogue, out: &mut Vec<u8>) {
    let operation = catalogue.service(log.service).operations[usize::from(log.operation)];
    let failure = log.failure.map(|failure| &FAILURES[usize::from(failure)].1);
    write_address(log.address, out);
    put(out, &[b" - "]);
    write_user(log.user, out);
    put(out, &[b" ["]);
    write_clf_time(log.millis, out);
    put(out, &[b"] \"", operation.as_bytes(), b" HTTP/1.1\" "]);
    json::write_int(failure.map_or(200, |failure| failure.status).into(), out);
    out.push(b' ');
    json::write_int(size_of_answer(log).into(), out);
    put(out, &[b" \"-\" \"", AGENTS[log.user as usize % AGENTS.len()], b"\""]);
}

/// Bytes of the answer. A function of the request, so that other formats say
/// the same of everything else.
fn size_of_answer(log: &LogRecord) -> u64 {
    let random = mix(log.request ^ 0x6279_7465);
    if log.failure.is_some() { 80 + random % 200 } else { 200 + random % 20_000 }
}

/// Appends `12/Sep/2025:10:00:00 +0000`, the milliseconds cut off.
fn write_clf_time(millis: i64, out: &mut Vec<u8>) {
    let seconds = millis.div_euclid(1_000);
    let date = CivilDate::from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400) as u32;
    put_padded(date.day.into(), 2, out);
    put(out, &[b"/", MONTHS[usize::from(date.month) - 1], b"/"]);
    put_padded(date.year as u32, 4, out);
    for number in [second / 3_600, second / 60 % 60, second % 60] {
        out.push(b':');
        put_padded(number, 2, out);
    }
    put(out, &[b" +0000"]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::encode::tests::LOG;

    #[test]
    fn lines() {
        let catalogue = Catalogue::new(8);
        let mut out = Vec::new();
        write_apache(&LOG, &catalogue, &mut out);
        out.push(b'\n');
        write_nginx(
            &LogRecord { failure: Some(2), response_millis: 12_005, ..LOG },
            &catalogue,
            &mut out,
        );
        let size = size_of_answer(&LOG);
        let lines = String::from_utf8(out).unwrap();
        let (apache, nginx) = lines.split_once('\n').unwrap();
        assert_eq!(
            apache,
            format!(
                r#"auth:443 192.0.2.17 - user_001 [12/Sep/2025:00:00:00 +0000] "POST /v1/logout HTTP/1.1" 200 {size} "-" "{}""#,
                std::str::from_utf8(AGENTS[0]).unwrap()
            )
        );
        assert!(
            nginx.starts_with("192.0.2.17 - user_001 [12/Sep/2025:00:00:00 +0000] "),
            "{nginx}"
        );
        assert!(
            nginx.contains(r#"HTTP/1.1" 504 "#) && nginx.ends_with(r#"" rt=12.005"#),
            "{nginx}"
        );
    }

    #[test]
    fn times_before_1970_and_on_leap_days() {
        for (millis, time) in [
            (-1, "31/Dec/1969:23:59:59 +0000"),
            (951_782_400_000, "29/Feb/2000:00:00:00 +0000"),
            (1_757_635_200_999, "12/Sep/2025:00:00:00 +0000"),
        ] {
            let mut out = Vec::new();
            write_clf_time(millis, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), time);
        }
    }
}
