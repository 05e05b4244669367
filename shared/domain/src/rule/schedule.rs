//! When a rule looks: periods of days, in the city's time, with holidays and make-up days. As written in documents;
//! [`super::Hours`] answers with it.

use super::RuleError;
use jiff::civil;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Periods in which a rule looks. A document is whole: days of a calendar stand in it, so that what was in force can be read from it alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// When, on which days; several a day.
    pub periods: Vec<Period>,
    /// The city's calendar the days below are of, for people; its days are put in when the document is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// Days off, whatever day of the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Date>,
    /// Days worked, though at a weekend (make-up days, 调休).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workdays: Vec<Date>,
}

/// Days of a city that are not what their day of the week says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Days off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Date>,
    /// Days worked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workdays: Vec<Date>,
}

impl Schedule {
    /// Puts in the days of the calendar it names, unless it has days already.
    pub fn fill(&mut self, calendars: &BTreeMap<String, Calendar>) -> Result<(), RuleError> {
        let Some(name) = self.calendar.as_ref().filter(|_| self.holidays.is_empty() && self.workdays.is_empty()) else {
            return Ok(());
        };
        let Some(calendar) = calendars.get(name) else {
            let known: Vec<&str> = calendars.keys().map(String::as_str).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            let detail = format!("{name} is no calendar of this city; {known}");
            return Err(RuleError { field: "schedule.calendar".to_owned(), detail });
        };
        (self.holidays, self.workdays) = (calendar.holidays.clone(), calendar.workdays.clone());
        Ok(())
    }
}

/// A part of certain days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// On days of any of these kinds; every day when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<DayKind>,
    /// From this minute on.
    pub from: TimeOfDay,
    /// Up to this minute, itself not in it; one not after `from` is of the next day.
    pub to: TimeOfDay,
}

/// A kind of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DayKind {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
    /// Monday to Friday but for holidays, and make-up days.
    Workday,
    /// All other days.
    Restday,
}

/// A minute of a day, `"00:00"` to `"24:00"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// Minutes since the day began, 0 to 1440.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let two = |tens: u8, ones: u8| {
            (tens.is_ascii_digit() && ones.is_ascii_digit())
                .then(|| u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
        };
        let minutes = match *text.as_bytes() {
            [h1, h2, b':', m1, m2] => two(h1, h2).zip(two(m1, m2)),
            _ => None,
        };
        match minutes {
            Some((hours, minutes)) if minutes < 60 && (hours < 24 || (hours, minutes) == (24, 0)) => {
                Ok(Self(hours * 60 + minutes))
            }
            _ => Err(format!("{text:?} is not a time of day, 00:00 to 24:00")),
        }
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        format!("{:02}:{:02}", time.0 / 60, time.0 % 60)
    }
}

/// A day, `"2026-10-01"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(pub(super) civil::Date);

impl TryFrom<String> for Date {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The reader takes more forms than one; a document has one.
        let written: Option<civil::Date> = text.parse().ok().filter(|date: &civil::Date| date.to_string() == text);
        written.map(Self).ok_or_else(|| format!("{text:?} is not a day, as in 2026-10-01"))
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_and_days_have_one_form() {
        let time = |text: &str| TimeOfDay::try_from(text.to_owned());
        for text in ["00:00", "09:30", "23:59", "24:00"] {
            assert_eq!(time(text).map(String::from), Ok(text.to_owned()));
        }
        for text in ["24:01", "9:30", "09:60", "25:00", "", "09-30", "0９:30"] {
            assert!(time(text).is_err(), "{text}");
        }
        let date = |text: &str| Date::try_from(text.to_owned());
        assert_eq!(date("2026-10-01").map(String::from), Ok("2026-10-01".to_owned()));
        for text in ["2026-10-1", "20261001", "2026-02-29", "2026-10-01T00:00", "2026-10-01 ", ""] {
            assert!(date(text).is_err(), "{text}");
        }
    }
}
