//! What a schedule may say.

use super::{RuleError, wrong};
use crate::{
    decode::check,
    rule::{Date, Schedule},
};

/// Most periods: several a day for every kind of day.
const MAX_PERIODS: usize = 100;

/// Most days a calendar may name: some years' worth.
const MAX_DAYS: usize = 1_000;

pub(super) fn check(schedule: &Schedule) -> Result<(), RuleError> {
    if schedule.periods.is_empty() || schedule.periods.len() > MAX_PERIODS {
        return wrong("schedule.periods", format!("must be 1 to {MAX_PERIODS}"));
    }
    for (number, period) in schedule.periods.iter().enumerate() {
        if period.from.minutes() == 24 * 60 {
            return wrong(format!("schedule.periods[{number}].from"), "24:00 is the end of a day; 00:00 is its begin");
        }
    }
    if schedule.calendar.as_deref().is_some_and(|name| !check::is_line(name, check::MAX_NAME)) {
        return wrong("schedule.calendar", super::NAME_IN_WORDS);
    }
    days("schedule.holidays", &schedule.holidays)?;
    days("schedule.workdays", &schedule.workdays)?;
    match schedule.workdays.iter().position(|day| schedule.holidays.contains(day)) {
        Some(number) => wrong(format!("schedule.workdays[{number}]"), "is a holiday as well"),
        None => Ok(()),
    }
}

fn days(field: &str, days: &[Date]) -> Result<(), RuleError> {
    if days.len() > MAX_DAYS { wrong(field, format!("{} days; at most {MAX_DAYS}", days.len())) } else { Ok(()) }
}
