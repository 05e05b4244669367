//! Parameters of a question: read by name, checked, and named when wrong.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use gridwarden_runtime::http::Problem;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The parameters of a request.
#[derive(Debug)]
pub struct Ask(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Ask {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(pairs) = query.map_err(|_| Problem::bad_request("the part after ? is not a list of parameters"))?;
        let mut given = BTreeMap::new();
        for (name, value) in pairs {
            if given.insert(name.clone(), value).is_some() {
                return Err(wrong(&name, "is given twice"));
            }
        }
        Ok(Self(given))
    }
}

/// 400 that names a parameter.
pub fn wrong(name: &str, detail: impl Display) -> Problem {
    Problem::bad_request(format!("{name} {detail}")).field(name, detail.to_string())
}

impl Ask {
    /// Refuses parameters that are not known: a misspelt filter must not look like no filter.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(wrong(name, format!("is not known here; known are {}", known.join(", ")))),
            None => Ok(()),
        }
    }

    /// A text that may be missing; an empty one is missing.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str, Problem> {
        self.optional(name).ok_or_else(|| wrong(name, "is missing"))
    }

    /// A number within bounds.
    pub fn number<T>(&self, name: &str, default: T, bounds: RangeInclusive<T>) -> Result<T, Problem>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.optional(name) else { return Ok(default) };
        let number = text.parse::<T>().map_err(|_| wrong(name, format!("must be a number, not {text:?}")))?;
        if bounds.contains(&number) {
            return Ok(number);
        }
        Err(wrong(name, format!("must be from {} to {}", bounds.start(), bounds.end())))
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.optional(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(wrong(name, "must be true or false")),
        }
    }

    /// A moment: RFC 3339 or epoch milliseconds.
    pub fn moment(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        if let Ok(ms) = text.parse::<i64>() {
            return Ok(Some(ms));
        }
        // A + that was not escaped arrives as a space.
        let moment = text.replace(' ', "+").parse::<Timestamp>();
        let moment = moment.map_err(|_| wrong(name, "must be a time after RFC 3339, or epoch milliseconds"))?;
        Ok(Some(moment.as_millisecond()))
    }

    /// West, south, east, north in degrees.
    pub fn bbox(&self, name: &str) -> Result<Option<[f64; 4]>, Problem> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        let numbers: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
        match <[f64; 4]>::try_from(numbers) {
            Ok(bbox) if bbox.iter().all(|number| number.is_finite()) => Ok(Some(bbox)),
            _ => Err(wrong(name, "must be west,south,east,north in degrees")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: &[(&str, &str)]) -> Ask {
        Ask(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn field<T: std::fmt::Debug>(result: Result<T, Problem>) -> String {
        result.expect_err("a problem").errors[0].field.clone()
    }

    #[test]
    fn what_is_wrong_is_named() {
        let ask = ask(&[("limit", "many"), ("big", "900"), ("open", "maybe"), ("at", "noon"), ("bbox", "1,2,3")]);
        assert_eq!(field(ask.number("limit", 1u32, 1..=5)), "limit");
        assert_eq!(field(ask.number("big", 1u32, 1..=5)), "big");
        assert_eq!(field(ask.flag("open")), "open");
        assert_eq!(field(ask.moment("at")), "at");
        assert_eq!(field(ask.bbox("bbox")), "bbox");
        assert_eq!(field(ask.text("layer")), "layer");
        assert_eq!(field(ask.only(&["limit", "big", "open", "at"])), "bbox");
    }

    #[test]
    fn what_is_right_is_read() {
        let ask = ask(&[("n", "3"), ("open", "true"), ("from", "1970-01-01T00:00:01Z"), ("to", "5"), ("b", "1,2,3,4")]);
        assert_eq!(ask.number("n", 1u32, 1..=5).expect("number"), 3);
        assert_eq!(ask.number("m", 2u32, 1..=5).expect("default"), 2);
        assert_eq!(ask.flag("open").expect("flag"), Some(true));
        assert_eq!(ask.moment("from").expect("moment"), Some(1000));
        assert_eq!(ask.moment("to").expect("moment"), Some(5));
        assert_eq!(ask.bbox("b").expect("bbox"), Some([1.0, 2.0, 3.0, 4.0]));
    }
}
