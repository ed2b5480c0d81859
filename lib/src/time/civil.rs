//! Dates of the proleptic Gregorian calendar as day numbers.
//!
//! Years are counted from 1 March inside, so that the leap day is the last day
//! of its year and months have a fixed pattern of lengths. Source: Howard
//! Hinnant, *chrono-Compatible Low-Level Date Algorithms*.

/// A date of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CivilDate {
    /// Astronomical year; 0 is 1 BC.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i64 = 719_468;

/// Days from 1970-01-01 to the date, or `None` if there is no such date
/// (month 13, 30 February).
pub fn days_from_civil(year: i32, month: u8, day: u8) -> Option<i64> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * DAYS_PER_ERA + day_of_era - EPOCH_SHIFT)
}

impl CivilDate {
    /// The date `days` after 1970-01-01.
    pub fn from_days(days: i64) -> Self {
        let days = days + EPOCH_SHIFT;
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
        let month =
            (if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 }) as u8;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year: year as i32, month, day }
    }
}

fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Datelike;

    #[test]
    fn every_day_of_six_centuries_agrees_with_chrono() {
        let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for days in -110_000..110_000 {
            let theirs = epoch + chrono::Duration::days(days);
            let ours = CivilDate::from_days(days);
            assert_eq!(
                (ours.year, u32::from(ours.month), u32::from(ours.day)),
                (theirs.year(), theirs.month(), theirs.day())
            );
            assert_eq!(days_from_civil(ours.year, ours.month, ours.day), Some(days));
        }
    }

    #[test]
    fn impossible_dates_are_none() {
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (2024, 1, 0)]
        {
            assert_eq!(days_from_civil(year, month, day), None, "{year}-{month}-{day}");
        }
        assert!(days_from_civil(2000, 2, 29).is_some());
    }
}
