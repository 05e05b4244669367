//! Parameters of a question: read by name, checked, and named when wrong.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use gridwarden_runtime::http::Problem;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The latest moment that can be asked for: 2255, as far as ClickHouse counts in milliseconds.
pub const EVER_MS: i64 = 9_000_000_000_000;

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

/// The parameters in the path, by name.
#[derive(Debug)]
pub struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(found) = Path::<T>::from_request_parts(parts, state).await.map_err(|wrong| in_path(&wrong))?;
        Ok(Self(found))
    }
}

fn in_path(rejection: &PathRejection) -> Problem {
    let PathRejection::FailedToDeserializePathParams(cause) = rejection else {
        return Problem::bad_request("the path is not understood");
    };
    match cause.kind() {
        ErrorKind::ParseErrorAtKey { key, value, .. } => wrong(key, format!("must be a number, not {value:?}")),
        ErrorKind::InvalidUtf8InPathParam { key } => wrong(key, "is not UTF-8"),
        _ => Problem::bad_request("the path is not understood"),
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

    /// One of a few numbers.
    pub fn one_of(&self, name: &str, default: u32, allowed: &[u32]) -> Result<u32, Problem> {
        let number = self.number(name, default, 0..=u32::MAX)?;
        if allowed.contains(&number) {
            return Ok(number);
        }
        let known: Vec<String> = allowed.iter().map(u32::to_string).collect();
        Err(wrong(name, format!("must be {}", known.join(" or "))))
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

    /// A moment: RFC 3339 or epoch milliseconds, from 1970 on.
    pub fn moment(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        let ms = match text.parse::<i64>() {
            Ok(ms) => ms,
            Err(_) => {
                // A + that was not escaped arrives as a space.
                let moment = text.replace(' ', "+").parse::<Timestamp>();
                let moment = moment.map_err(|_| wrong(name, "must be a time after RFC 3339, or epoch milliseconds"))?;
                moment.as_millisecond()
            }
        };
        if (0..=EVER_MS).contains(&ms) {
            return Ok(Some(ms));
        }
        Err(wrong(name, "must lie between 1970 and 2255"))
    }

    /// The span of time from `from` (included) to `to` (not included); what is missing is open.
    pub fn between(&self, from: &str, to: &str) -> Result<(Option<i64>, Option<i64>), Problem> {
        let (begin, end) = (self.moment(from)?, self.moment(to)?);
        match (begin, end) {
            (Some(begin), Some(end)) if begin >= end => Err(wrong(to, format!("must be later than {from}"))),
            _ => Ok((begin, end)),
        }
    }

    /// West, south, east, north in degrees.
    pub fn bbox(&self, name: &str) -> Result<Option<[f64; 4]>, Problem> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse::<f64>()).collect();
        let corners = numbers.ok().and_then(|numbers| <[f64; 4]>::try_from(numbers).ok());
        match corners {
            Some([west, south, east, north])
                if (-180.0..=180.0).contains(&west)
                    && (west..=180.0).contains(&east)
                    && (-90.0..=90.0).contains(&south)
                    && (south..=90.0).contains(&north) =>
            {
                Ok(corners)
            }
            _ => Err(wrong(name, "must be west,south,east,north in degrees, west and south first")),
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
        let ask = ask(&[
            ("limit", "many"),
            ("big", "900"),
            ("open", "maybe"),
            ("at", "noon"),
            ("ancient", "-5"),
            ("bbox", "1,2,3"),
            ("typo", "1,2,x,3,4"),
            ("east_first", "5,2,1,4"),
            ("window", "30"),
            ("from", "2000"),
            ("to", "1000"),
        ]);
        assert_eq!(field(ask.number("limit", 1u32, 1..=5)), "limit");
        assert_eq!(field(ask.number("big", 1u32, 1..=5)), "big");
        assert_eq!(field(ask.flag("open")), "open");
        assert_eq!(field(ask.moment("at")), "at");
        assert_eq!(field(ask.moment("ancient")), "ancient");
        for name in ["bbox", "typo", "east_first"] {
            assert_eq!(field(ask.bbox(name)), name);
        }
        assert_eq!(field(ask.one_of("window", 60, &[10, 60])), "window");
        assert_eq!(field(ask.between("from", "to")), "to");
        assert_eq!(field(ask.text("layer")), "layer");
        assert_eq!(field(ask.only(&["limit", "big", "open", "at"])), "ancient");
    }

    #[test]
    fn what_is_right_is_read() {
        let ask = ask(&[("n", "3"), ("open", "true"), ("from", "1970-01-01T00:00:01Z"), ("to", "5"), ("b", "1,2,3,4")]);
        assert_eq!(ask.number("n", 1u32, 1..=5).expect("number"), 3);
        assert_eq!(ask.number("m", 2u32, 1..=5).expect("default"), 2);
        assert_eq!(ask.flag("open").expect("flag"), Some(true));
        assert_eq!(ask.moment("from").expect("moment"), Some(1000));
        assert_eq!(ask.moment("to").expect("moment"), Some(5));
        assert_eq!(ask.between("to", "from").expect("span"), (Some(5), Some(1000)));
        assert_eq!(ask.one_of("w", 60, &[10, 60]).expect("default"), 60);
        assert_eq!(ask.bbox("b").expect("bbox"), Some([1.0, 2.0, 3.0, 4.0]));
    }
}
