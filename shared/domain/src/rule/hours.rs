//! The hours in which a rule looks, ready to be asked by event time. Pure: the time zone is the city's, as this build knows it.
//!
//! * `HRS-1` whether a moment lies in the hours is a function of schedule, time zone and moment alone.
//! * `HRS-2` periods that touch or overlap are one: nothing ends where the next one begins.

use super::schedule::{Date, DayKind, Period, Schedule};
use jiff::{SignedDuration, Timestamp, ToSpan, civil, tz::TimeZone};
use std::collections::BTreeSet;

/// How far ahead an end or a beginning is looked for, in days: a year and some. What goes on for longer has no end.
const AHEAD_DAYS: i32 = 400;

/// Hours, ready.
#[derive(Clone, Debug)]
pub struct Hours {
    zone: TimeZone,
    periods: Vec<Period>,
    holidays: BTreeSet<Date>,
    workdays: BTreeSet<Date>,
}

impl Hours {
    /// The hours of a schedule in a time zone.
    pub fn of(schedule: &Schedule, zone: &TimeZone) -> Self {
        Self {
            zone: zone.clone(),
            periods: schedule.periods.clone(),
            holidays: schedule.holidays.iter().copied().collect(),
            workdays: schedule.workdays.iter().copied().collect(),
        }
    }

    /// Whether a moment (epoch ms) lies in them.
    pub fn hold(&self, moment: i64) -> bool {
        self.stretches(self.day_of(moment)).any(|(from, to)| from <= moment && moment < to)
    }

    /// When they end that a moment lies in, epoch ms: the moment itself outside of them, none when that is more than a year away.
    pub fn end_after(&self, moment: i64) -> Option<i64> {
        let mut end = moment;
        while end.saturating_sub(moment) < i64::from(AHEAD_DAYS) * 86_400_000 {
            let next = self.stretches(self.day_of(end)).find(|(from, to)| *from <= end && end < *to);
            let Some((_, to)) = next else { return Some(end) };
            end = to;
        }
        None
    }

    /// The first moment from this one on that lies in them; none within a year.
    pub fn first_from(&self, moment: i64) -> Option<i64> {
        if self.hold(moment) {
            return Some(moment);
        }
        let next = |day| self.stretches(Some(day)).map(|(from, _)| from).filter(|from| *from > moment).min();
        days_from(self.day_of(moment)?).filter_map(next).next()
    }

    /// Periods that touch a day, or the one before: `[from, to)` in epoch ms.
    fn stretches(&self, day: Option<civil::Date>) -> impl Iterator<Item = (i64, i64)> + '_ {
        let days = [day.and_then(|day| day.yesterday().ok()), day];
        let of = move |day: civil::Date| {
            let on = self.periods.iter().filter(move |period| self.is_on(period, day));
            on.filter_map(move |period| self.stretch(period, day))
        };
        days.into_iter().flatten().flat_map(of)
    }

    fn stretch(&self, period: &Period, day: civil::Date) -> Option<(i64, i64)> {
        let last = if period.to <= period.from { day.tomorrow().ok()? } else { day };
        Some((self.moment(day, period.from.minutes())?, self.moment(last, period.to.minutes())?))
    }

    /// A minute of a day; one the clocks leave out is the one after, of one they show twice the first counts.
    fn moment(&self, day: civil::Date, minutes: u16) -> Option<i64> {
        let at = day.at(0, 0, 0, 0).checked_add(SignedDuration::from_mins(i64::from(minutes))).ok()?;
        Some(self.zone.to_ambiguous_timestamp(at).compatible().ok()?.as_millisecond())
    }

    fn is_on(&self, period: &Period, day: civil::Date) -> bool {
        period.days.is_empty() || period.days.iter().any(|kind| self.is(*kind, day))
    }

    fn is(&self, kind: DayKind, day: civil::Date) -> bool {
        use civil::Weekday;
        let weekday = day.weekday();
        match kind {
            DayKind::Mon => weekday == Weekday::Monday,
            DayKind::Tue => weekday == Weekday::Tuesday,
            DayKind::Wed => weekday == Weekday::Wednesday,
            DayKind::Thu => weekday == Weekday::Thursday,
            DayKind::Fri => weekday == Weekday::Friday,
            DayKind::Sat => weekday == Weekday::Saturday,
            DayKind::Sun => weekday == Weekday::Sunday,
            DayKind::Workday => self.is_worked(day),
            DayKind::Restday => !self.is_worked(day),
        }
    }

    fn is_worked(&self, day: civil::Date) -> bool {
        let weekend = matches!(day.weekday(), civil::Weekday::Saturday | civil::Weekday::Sunday);
        self.workdays.contains(&Date(day)) || !weekend && !self.holidays.contains(&Date(day))
    }

    fn day_of(&self, moment: i64) -> Option<civil::Date> {
        Some(self.zone.to_datetime(Timestamp::from_millisecond(moment).ok()?).date())
    }
}

/// A day and those after it, as far as is looked ahead.
fn days_from(day: civil::Date) -> impl Iterator<Item = civil::Date> {
    (0..AHEAD_DAYS).filter_map(move |days| day.checked_add(days.days()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;
    use proptest::prelude::*;

    fn hours(schedule: &str, zone: &str) -> Hours {
        Hours::of(&serde_json::from_str(schedule).expect("a schedule"), &time::zone(zone).expect("a zone"))
    }

    fn at(text: &str) -> i64 {
        time::rfc3339(text).expect("a time")
    }

    const NIGHTS: &str = r#"{"periods": [{"from": "22:00", "to": "06:00"}]}"#;
    const OFFICE: &str = r#"{"periods": [
        {"days": ["workday"], "from": "08:30", "to": "12:00"}, {"days": ["workday"], "from": "14:00", "to": "18:00"}],
        "calendar": "cn", "holidays": ["2026-10-01", "2026-10-02"], "workdays": ["2026-10-10"]}"#;

    #[test]
    fn a_period_may_pass_midnight() {
        let nights = hours(NIGHTS, "Asia/Shanghai");
        for (moment, inside) in [
            ("2026-01-01T21:59:59+08:00", false),
            ("2026-01-01T22:00:00+08:00", true),
            ("2026-01-02T05:59:59+08:00", true),
            ("2026-01-02T06:00:00+08:00", false),
        ] {
            assert_eq!(nights.hold(at(moment)), inside, "{moment}");
        }
        assert_eq!(nights.end_after(at("2026-01-01T23:00:00+08:00")), Some(at("2026-01-02T06:00:00+08:00")));
        assert_eq!(nights.end_after(at("2026-01-02T03:00:00+08:00")), Some(at("2026-01-02T06:00:00+08:00")));
        assert_eq!(nights.end_after(at("2026-01-02T07:00:00+08:00")), Some(at("2026-01-02T07:00:00+08:00")));
        assert_eq!(nights.first_from(at("2026-01-02T07:00:00+08:00")), Some(at("2026-01-02T22:00:00+08:00")));
    }

    #[test]
    fn holidays_are_off_and_make_up_days_are_worked() {
        let office = hours(OFFICE, "Asia/Shanghai");
        let cases = [
            ("2026-09-30T09:00:00+08:00", true),
            ("2026-10-01T09:00:00+08:00", false),
            ("2026-10-10T09:00:00+08:00", true),
            ("2026-10-11T09:00:00+08:00", false),
            ("2026-09-30T13:00:00+08:00", false),
        ];
        for (moment, inside) in cases {
            assert_eq!(office.hold(at(moment)), inside, "{moment}");
        }
        // From the noon before the holidays over them and a weekend.
        assert_eq!(office.first_from(at("2026-09-30T18:00:00+08:00")), Some(at("2026-10-05T08:30:00+08:00")));
        let rest = hours(&OFFICE.replace("workday\"]", "restday\"]"), "Asia/Shanghai");
        assert!(rest.hold(at("2026-10-01T09:00:00+08:00")) && !rest.hold(at("2026-10-10T09:00:00+08:00")));
    }

    #[test]
    fn periods_that_touch_are_one_and_what_never_ends_has_no_end() {
        let touching =
            hours(r#"{"periods": [{"from": "12:00", "to": "18:00"}, {"from": "08:00", "to": "12:00"}]}"#, "UTC");
        assert_eq!(touching.end_after(at("2026-01-01T08:00:00Z")), Some(at("2026-01-01T18:00:00Z")));
        let week = hours(r#"{"periods": [{"days": ["mon", "tue"], "from": "00:00", "to": "24:00"}]}"#, "UTC");
        assert_eq!(week.end_after(at("2026-01-05T10:00:00Z")), Some(at("2026-01-07T00:00:00Z")));
        let always = hours(r#"{"periods": [{"from": "00:00", "to": "00:00"}]}"#, "UTC");
        assert_eq!((always.end_after(at("2026-01-01T08:00:00Z")), always.hold(0)), (None, true));
    }

    #[test]
    fn days_on_which_clocks_change_are_shorter_and_longer() {
        let nights = hours(r#"{"periods": [{"from": "02:30", "to": "04:00"}]}"#, "Europe/Berlin");
        // 02:30 does not exist on that day: it is 03:30 summer time.
        assert_eq!(nights.first_from(at("2026-03-29T00:00:00Z")), Some(at("2026-03-29T03:30:00+02:00")));
        // On the other 02:30 comes twice: the first counts.
        assert_eq!(nights.first_from(at("2026-10-25T00:00:00Z")), Some(at("2026-10-25T02:30:00+02:00")));
    }

    proptest! {
        /// The same, minute by minute.
        #[test]
        fn ends_and_beginnings_are_where_minutes_change(
            periods in prop::collection::vec((0u16..=47, 0u16..=48, prop::collection::vec(0usize..9, 0..3)), 1..4),
            begin in 0i64..(400 * 1440),
        ) {
            const KINDS: [&str; 9] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "workday", "restday"];
            let clock = |half: u16| format!("{:02}:{:02}", half / 2, half % 2 * 30);
            let period = |(from, to, days): &(u16, u16, Vec<usize>)| {
                let days: Vec<&str> = days.iter().map(|day| KINDS[*day]).collect();
                serde_json::json!({ "days": days, "from": clock(*from), "to": clock(*to) })
            };
            let schedule = serde_json::json!({ "periods": periods.iter().map(period).collect::<Vec<_>>(),
                "holidays": ["2026-01-07", "2026-04-06"], "workdays": ["2026-01-10"] });
            let hours = hours(&schedule.to_string(), "Europe/Berlin");
            let begin = at("2026-01-01T00:00:00Z") + begin * 60_000;
            let later = || (0..3 * 1440).map(|minute| begin + minute * 60_000);
            let end = later().find(|moment| !hours.hold(*moment));
            let first = later().find(|moment| hours.hold(*moment));
            if let Some(end) = end {
                prop_assert_eq!(hours.end_after(begin), Some(end));
            }
            if let Some(first) = first {
                prop_assert_eq!(hours.first_from(begin), Some(first));
            }
        }
    }
}
