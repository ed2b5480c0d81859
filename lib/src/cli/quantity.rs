//! Numbers as people read them.

/// A number with its thousands set apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of which only the size matters: `950`, `92,300`, `1.2 M`.
pub(super) fn rounded(count: f64) -> String {
    const MILLION: f64 = 1e6;
    if count >= 1e3 * MILLION {
        format!("{:.1} G", count / MILLION / 1e3)
    } else if count >= MILLION {
        format!("{:.1} M", count / MILLION)
    } else if count >= 1e3 {
        grouped((count / 100.0).round() as u64 * 100)
    } else {
        format!("{:.0}", count.max(0.0))
    }
}

/// A number of bytes: `512 B`, `1.2 GiB`, `310 MiB`.
pub(super) fn bytes(count: f64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024.0 {
        return format!("{:.0} B", count.max(0.0));
    }
    let mut count = count / 1024.0;
    let mut unit = 0;
    // What would be rounded to 1024 belongs to the next unit.
    while count >= 1023.5 && unit + 1 < UNITS.len() {
        count /= 1024.0;
        unit += 1;
    }
    // 99.95 is 100 in either form.
    let digits = usize::from(count < 99.95);
    format!("{count:.digits$} {}", UNITS[unit])
}

/// A length of time: `42 s`, `3:20`, `1:02:03`, `5 d`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{minutes}:{seconds:02}"),
        3_600..172_800 => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{} d", grouped(whole / 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (number, text) in [
            (-1.0, "0"),
            (999.4, "999"),
            (92_345.0, "92,300"),
            (999_949.0, "999,900"),
            (1.25e6, "1.2 M"),
            (2e9, "2.0 G"),
        ] {
            assert_eq!(rounded(number), text);
        }
        for (number, text) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1024.0, "1.0 KiB"),
            (102_345.0, "99.9 KiB"),
            (102_400.0, "100 KiB"),
            (1_048_575.0, "1.0 MiB"),
            (1.3e9, "1.2 GiB"),
            (1.9e19, "16.5 EiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        for (seconds, text) in [
            (-5.0, "0 s"),
            (59.4, "59 s"),
            (59.6, "1:00"),
            (200.0, "3:20"),
            (3_723.0, "1:02:03"),
            (172_800.0, "2 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
