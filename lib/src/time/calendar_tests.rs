use super::*;
use proptest::prelude::*;

fn calendar(zone: &str) -> Calendar {
    Calendar::default().with_zone(zone.parse().unwrap())
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text.as_bytes()).unwrap()
}

fn read(calendar: &mut Calendar, text: &str) -> Option<String> {
    calendar.read(text.as_bytes()).map(|time| time.to_string())
}

#[test]
fn spellings() {
    const T: &str = "2025-09-12T00:00:00.000Z";
    const F: &str = "2025-09-12T00:00:00.123456Z";
    for (text, printed) in [
        ("2025-09-12T09:00:00+09:00", T),
        ("2025-09-12 09:00:00", T),
        ("2025-09-12 09:00:00,123456", F),
        ("2025/09/12 09:00:00", T),
        ("2025/09/12 09:00:00.123456", F),
        ("2025/9/12 9:00:00", T),
        ("2025-09-12 00:00:00 UTC", T),
        ("2025/09/12 02:00:00 +0200", T),
        ("12/Sep/2025:00:00:00 +0000", T),
        ("12/sep/2025:09:00:00", T),
        ("12/Sep/2025:00:00:00.123456 +0000", F),
        ("Sep 12 2025 09:00:00", T),
        ("Sep 12 09:00:00.123456 2025", F),
        ("Fri Sep 12 09:00:00.123456 2025", F),
        ("Mon Sep 12 09:00:00 2025", T),
        ("Fri Sep 12 00:00:00 UTC 2025", T),
        ("Fri, 12 Sep 2025 00:00:00 GMT", T),
        ("Fri, 12 Sep 2025 02:00:00 +0200", T),
        ("12 Sep 2025 09:00:00", T),
        ("Thu, 11 Sep 2025 20:00:00 EDT", T),
        ("1757635200", T),
        ("1757635200.123456", F),
        ("1757635200123456", F),
        (" 2025-09-12 09:00:00 ", T),
    ] {
        assert_eq!(read(&mut calendar("Asia/Seoul"), text).as_deref(), Some(printed), "{text}");
    }
}

#[test]
fn what_is_no_time() {
    for text in [
        "",
        " ",
        "-",
        "soon",
        "Sep",
        "Sep 12",
        "2025-09-12",
        "2025/09-12 00:00:00",
        "2025/02/30 00:00:00",
        "2025/09/12 24:00:00",
        "2025/09/12 00:00:61",
        "2025/09/12 00:00",
        "12/Okt/2025:00:00:00 +0000",
        "12/Sep/25:00:00:00 +0000",
        "Sep 31 2025 00:00:00",
        "Sep 12 2025 00:00:00 2025",
        "Sep 12 00:00:00 x",
        "Sep 12 00:00:00 XYZ 2025",
        "Fri",
        "Xyz, 12 Sep 2025 00:00:00 GMT",
        "12 Sep 2025 00:00:00 KST",
        "2025/09/12 00:00:00.",
        "0000/01/01 00:00:00",
        "9999/12/31 23:59:59 -0100",
        "99999/12/31 23:59:59",
    ] {
        assert_eq!(read(&mut calendar("+00:01"), text), None, "{text:?}");
    }
}

#[test]
fn a_fraction_is_cut_after_nine_digits() {
    let mut calendar = Calendar::default();
    for text in ["2025/09/12 00:00:00.12345678999", "Sep 12 00:00:00,1234567891 2025"] {
        let printed = "2025-09-12T00:00:00.123456789Z";
        assert_eq!(read(&mut calendar, text).as_deref(), Some(printed));
    }
}

/// The years of `times`, of a file that was changed at `modified`.
fn years(modified: &str, times: &[&str]) -> Vec<String> {
    let mut calendar = Calendar::default();
    calendar.begin_source(Some(at(modified)));
    let year = |text: &&str| match read(&mut calendar, text) {
        Some(time) => time[..4].to_owned(),
        None => "none".to_owned(),
    };
    times.iter().map(year).collect()
}

#[test]
fn years_roll_over() {
    // The last change comes after the last line.
    let new_year = ["Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:58", "Jan  2 00:00:00"];
    assert_eq!(years("2025-01-02T00:00:01Z", &new_year), ["2024", "2025", "2024", "2025"]);
    // A day's patience: clocks differ.
    assert_eq!(years("2024-12-31T12:00:00Z", &new_year[..2]), ["2024", "2025"]);
    // Further ahead than that cannot be.
    assert_eq!(years("2024-12-01T12:00:00Z", &new_year[..2]), ["2023", "2024"]);
    // Half a year and more.
    let seasons = ["Feb  1 00:00:00", "Jul  1 00:00:00", "Dec 24 00:00:00", "Jun  1 00:00:00"];
    assert_eq!(years("2025-08-01T00:00:00Z", &seasons), ["2025", "2025", "2024", "2025"]);
    assert_eq!(years("2025-01-20T00:00:00Z", &seasons), ["2024", "2024", "2024", "2024"]);
    // Leap days.
    assert_eq!(years("2025-06-01T00:00:00Z", &["Feb 29 00:00:00", "Mar  1 00:00:00"]), ["2024"; 2]);
    assert_eq!(
        years("2025-06-01T00:00:00Z", &["Feb 28 00:00:00", "Feb 29 00:00:00"]),
        ["2025", "2024"]
    );
    assert_eq!(years("1903-06-01T00:00:00Z", &["Feb 29 00:00:00"]), ["1896"]);
    assert_eq!(
        years("2025-06-01T00:00:00Z", &["Feb 30 00:00:00", "May  1 00:00:00"]),
        ["none", "2025"]
    );
}

#[test]
fn the_clock_stands_in_for_the_file() {
    let mut calendar = calendar("Asia/Seoul");
    calendar.set_now(at("2024-12-30T15:30:00Z"));
    assert_eq!(calendar.take_notice(), None);
    // A day and an hour ahead, but for the zone.
    assert_eq!(read(&mut calendar, "Jan  1 00:00:00").unwrap(), "2024-12-31T15:00:00.000Z");
    assert!(calendar.take_notice().unwrap().contains("2025, by the clock"));
    assert_eq!(calendar.take_notice(), None);
    // A stream goes on as long as the clock does.
    calendar.set_now(at("2025-12-31T15:30:00Z"));
    assert_eq!(read(&mut calendar, "Dec 31 23:59:59").unwrap(), "2024-12-31T14:59:59.000Z");
    calendar.begin_source(Some(at("2020-06-01T00:00:00Z")));
    assert_eq!(read(&mut calendar, "Jun  1 00:00:00").unwrap(), "2020-05-31T15:00:00.000Z");
    assert_eq!(calendar.take_notice(), None, "said once");
}

#[test]
fn a_given_year_is_that_of_all() {
    let mut calendar = Calendar::default().with_year(Some(2023));
    for (text, time) in [
        ("Dec 31 23:59:59", Some("2023-12-31T23:59:59.000Z")),
        ("Jan  1 00:00:00", Some("2023-01-01T00:00:00.000Z")),
        ("Feb 29 00:00:00", None),
        ("Feb 29 00:00:00 2024", Some("2024-02-29T00:00:00.000Z")),
    ] {
        assert_eq!(read(&mut calendar, text).as_deref(), time, "{text}");
    }
    assert_eq!(calendar.take_notice(), None);
}

#[test]
fn formats() {
    const T: &str = "2025-09-12T00:00:00.000Z";
    for (format, text, printed) in [
        ("%d.%m.%Y %H:%M:%S", "12.09.2025 09:00:00", Some(T)),
        ("%d.%m.%Y %H:%M:%S,%f", "12.09.2025 09:00:00,5", Some("2025-09-12T00:00:00.500Z")),
        ("%d.%m.%Y %H:%M:%S.%N", "12.09.2025 09:00:00.000001", Some("2025-09-12T00:00:00.000001Z")),
        ("%Y-%m-%dT%H:%M:%S%.f%z", "2025-09-12T00:00:00.25+0000", Some("2025-09-12T00:00:00.250Z")),
        ("%y%m%d %H%M%S", "250912 090000", Some(T)),
        ("%y/%m/%d %T", "69/01/01 09:00:00", Some("1969-01-01T00:00:00.000Z")),
        ("[%B %d, %YT%T %z]", "[September 12, 2025T00:00:00 +0000]", Some(T)),
        ("%m/%d/%Y %I:%M:%S %p", "09/12/2025 09:00:00 AM", Some(T)),
        ("%a %b %d %T %Z %Y", "Mon Sep 12 00:00:00 UTC 2025", Some(T)),
        ("%a %b %d %T %Z %Y", "Fri Sep 12 09:00:00 KST 2025", Some(T)),
        ("%s", "1757635200", Some(T)),
        ("%s.%f", "1757635200.25", Some("2025-09-12T00:00:00.250Z")),
        ("%F", "2025-09-12", Some("2025-09-11T15:00:00.000Z")),
        ("%Y%j", "2025255", Some("2025-09-11T15:00:00.000Z")),
        ("%b %d %T", "Sep 12 09:00:00", Some(T)),
        ("100%%f %F", "100%f 2025-09-12", Some("2025-09-11T15:00:00.000Z")),
        // A format takes nothing else.
        ("%d.%m.%Y %H:%M:%S", "2025-09-12T00:00:00Z", None),
        ("%d.%m.%Y %H:%M:%S", "31.02.2025 09:00:00", None),
        ("%d.%m.%Y %H:%M:%S", "12.09.2025 09:00:00 x", None),
        ("%d.%m.%Y %H:%M:%S", "12.09.2025 24:00:00", None),
        ("%s", "99999999999999", None),
    ] {
        let mut calendar = calendar("Asia/Seoul").with_format(Some(format.parse().unwrap()));
        calendar.set_now(at("2025-09-13T00:00:00Z"));
        assert_eq!(read(&mut calendar, text).as_deref(), printed, "{format} {text}");
    }
}

#[test]
fn formats_that_never_match() {
    for (format, said) in [
        ("%Y-%m-%d %Q", "is no time format"),
        ("%Y-%m-%d %", "is no time format"),
        ("%H:%M:%S", "has no date"),
        ("%m/%Y", "has no date"),
        ("%F %I:%M", "has no date"),
        ("", "has no date"),
    ] {
        let error = format.parse::<TimeFormat>().unwrap_err().to_string();
        assert!(error.contains(said), "{format}: {error}");
    }
}

/// chrono's formats of the spellings that have a year and a zone, or none.
const ZONED: [&str; 5] = [
    "%Y-%m-%dT%H:%M:%S%.9f%:z",
    "%Y/%m/%d %H:%M:%S%.9f %z",
    "%d/%b/%Y:%H:%M:%S%.9f %z",
    "%a, %d %b %Y %H:%M:%S%.9f %z",
    "%a %b %e %H:%M:%S%.9f %z %Y",
];
const PLAIN: [&str; 6] = [
    "%Y-%m-%d %H:%M:%S%.9f",
    "%Y/%m/%d %H:%M:%S%.6f",
    "%d/%b/%Y:%H:%M:%S%.3f",
    "%d %b %Y %H:%M:%S%.9f",
    "%a %b %e %H:%M:%S%.6f %Y",
    "%b %d %Y %H:%M:%S",
];

proptest! {
    #[test]
    fn agrees_with_chrono(
        seconds in -62_000_000_000_i64..253_000_000_000,
        nanos in 0_u32..1_000_000_000,
        minutes_ahead in -1_439_i32..1_440,
        zoned in prop::sample::select(&ZONED[..]),
        plain in prop::sample::select(&PLAIN[..]),
    ) {
        let zone = chrono::FixedOffset::east_opt(minutes_ahead * 60).unwrap();
        let time = chrono::DateTime::from_timestamp(seconds, nanos).unwrap().with_timezone(&zone);
        let printed = |digits: u32| {
            let nanos = nanos / 10_u32.pow(9 - digits) * 10_u32.pow(9 - digits);
            let micros = seconds * 1_000_000 + i64::from(nanos / 1_000);
            Some(Timestamp { micros, nanos: (nanos % 1_000) as u16 })
        };
        // The zone that is written counts, not the calendar's.
        let text = time.format(zoned).to_string();
        prop_assert_eq!(calendar("Asia/Seoul").read(text.as_bytes()), printed(9), "{}", text);
        let format: TimeFormat = zoned.replace("%.9f", ".%f").parse().unwrap();
        let read = Calendar::default().with_format(Some(format)).read(text.as_bytes());
        prop_assert_eq!(read, printed(9), "{}", text);

        let digits = plain.find("%.").map_or(0, |at| u32::from(plain.as_bytes()[at + 2] - b'0'));
        let text = time.format(plain).to_string();
        let ours = calendar(&zone.to_string()).read(text.as_bytes());
        prop_assert_eq!(ours, printed(digits), "{}", text);
    }

    #[test]
    fn never_panics(text in "\\PC{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let formats = ["%s.%f", "%b %d %T", "%y%j %Z", "%G-W%V-%u"];
        for format in formats.map(|format| Some(format.parse().unwrap())).into_iter().chain([None]) {
            let mut calendar = calendar("America/New_York").with_format(format);
            let _ = calendar.read(text.as_bytes());
            let _ = calendar.read(&bytes);
        }
        let _ = text.parse::<TimeFormat>();
    }

    /// A live stream of times without a year, cut anywhere, goes on as if it
    /// had not been cut; and the years are right, by a clock that is right.
    #[test]
    fn resumes(
        steps in prop::collection::vec(-40_i64..120, 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut day = 18_500;
        let mut times = Vec::new();
        for step in steps {
            day += step;
            times.push(chrono::DateTime::from_timestamp(day * 86_400, 0).unwrap());
        }
        let follow = |calendar: &mut Calendar, times: &[chrono::DateTime<chrono::Utc>]| {
            for time in times {
                let now = Timestamp::from_micros(time.timestamp_micros());
                calendar.set_now(now);
                let text = time.format("%b %e %H:%M:%S").to_string();
                prop_assert_eq!(calendar.read(text.as_bytes()), Some(now), "{}", text);
            }
            Ok(())
        };
        let (before, behind) = times.split_at(cut.index(times.len()));
        let mut first = Calendar::default();
        follow(&mut first, before)?;
        let mut state = SnapshotWriter::new();
        first.snapshot(&mut state);
        let bytes = state.into_bytes();
        let mut second = Calendar::default();
        let mut state = SnapshotReader::new(&bytes);
        second.restore(&mut state).unwrap();
        prop_assert!(state.is_empty());
        follow(&mut second, behind)?;
    }
}

#[test]
fn what_was_remembered_decides_the_year() {
    // Under a clock of 2030 the stream stays where it was cut, in 2020.
    let mut first = Calendar::default();
    first.set_now(at("2020-12-31T23:00:00Z"));
    assert_eq!(read(&mut first, "Dec 31 22:00:00").unwrap(), "2020-12-31T22:00:00.000Z");
    let mut state = SnapshotWriter::new();
    first.snapshot(&mut state);
    let mut second = Calendar::default();
    second.set_now(at("2030-06-01T00:00:00Z"));
    second.restore(&mut SnapshotReader::new(&state.into_bytes())).unwrap();
    second.begin_source(None);
    assert_eq!(read(&mut second, "Jan  1 00:00:00").unwrap(), "2021-01-01T00:00:00.000Z");
}
