//! What a service answers at `/metrics`: a figure of it, and whether it is Prometheus's text format (version 0.0.4), names and types as Prometheus's own
//! linter wants them.

use std::collections::{BTreeMap, BTreeSet};

/// A family as read.
#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    samples: usize,
}

/// The sum of a figure's samples over all labels; 0 when there is none.
pub fn sum(text: &str, name: &str) -> f64 {
    let is_of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    text.lines().filter(is_of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Every fault, one sentence each; also when there is nothing to look at.
pub fn faults(text: &str) -> Vec<String> {
    let (mut families, mut seen, mut faults) = (BTreeMap::<String, Family>::new(), BTreeSet::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (what, name, value) =
                (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let family = families.entry(name.to_owned()).or_default();
            match what {
                Some("HELP") if family.help.is_empty() => family.help = value.to_owned(),
                Some("TYPE") if family.kind.is_empty() && family.samples == 0 => family.kind = value.to_owned(),
                _ => faults.push(format!("{line}: unexpected")),
            }
            continue;
        }
        match sample(line) {
            Err(why) => faults.push(format!("{line}: {why}")),
            Ok(series) => {
                if !seen.insert(series.to_owned()) {
                    faults.push(format!("{series}: there twice"));
                }
                let name = series.split('{').next().unwrap_or_default();
                match families.get_mut(&family_of(name, &families_of_histograms(&families))) {
                    Some(family) => family.samples += 1,
                    None => faults.push(format!("{name}: no HELP and TYPE before it")),
                }
            }
        }
    }
    faults.extend(families.iter().flat_map(|(name, family)| of_family(name, family)));
    if families.is_empty() {
        faults.push("there is nothing".to_owned());
    }
    faults
}

fn families_of_histograms(families: &BTreeMap<String, Family>) -> BTreeSet<String> {
    families.iter().filter(|(_, family)| family.kind == "histogram").map(|(name, _)| name.clone()).collect()
}

fn family_of(name: &str, histograms: &BTreeSet<String>) -> String {
    let parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|end| name.strip_suffix(end));
    parts.into_iter().find(|part| histograms.contains(*part)).unwrap_or(name).to_owned()
}

fn of_family(name: &str, family: &Family) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |why: &str| faults.push(format!("{name}: {why}"));
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(legal) {
        fault("not a legal name");
    }
    if family.help.is_empty() {
        fault("no HELP");
    }
    if !["counter", "gauge", "histogram"].contains(&family.kind.as_str()) {
        fault("no TYPE that is used here");
    }
    if (family.kind == "counter") != name.ends_with("_total") {
        fault("counters, and they alone, end in _total");
    }
    if family.samples == 0 {
        fault("no sample");
    }
    faults
}

/// `name{label="value",…} number` → name and labels.
fn sample(line: &str) -> Result<&str, &'static str> {
    let (series, number) = line.rsplit_once(' ').ok_or("no value")?;
    number.parse::<f64>().map_err(|_| "the value is no number")?;
    let Some((_, labels)) = series.split_once('{') else { return Ok(series) };
    let mut rest = labels.strip_suffix('}').ok_or("labels are not closed")?;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").ok_or("a label without value")?;
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(legal) {
            return Err("not a legal label");
        }
        let mut escaped = false;
        let end = after.char_indices().find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (end, _) = end.ok_or("a label's value is not closed")?;
        let (_, closed) = after.split_at(end);
        let next = closed.strip_prefix('"').unwrap_or_default();
        rest = next.strip_prefix(',').unwrap_or(next);
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use super::faults;

    #[test]
    fn what_is_right_passes_and_what_is_not_is_named() {
        let good = "# HELP a_total things\n# TYPE a_total counter\na_total{x=\"1\",y=\"q\\\"}\"} 1\na_total{x=\"2\",y=\"\"} 2e3\n\
            # HELP h waits\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 0.5\nh_count 1\n";
        assert_eq!(faults(good), Vec::<String>::new());
        let wrong = [
            ("", "there is nothing"),
            ("a 1\n", "no HELP and TYPE"),
            ("# HELP a x\n# TYPE a counter\na 1\n", "end in _total"),
            ("# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "end in _total"),
            ("# TYPE a gauge\na 1\n", "no HELP"),
            ("# HELP a x\n# TYPE a gauge\na{b=\"1} 1\n", "not closed"),
            ("# HELP a x\n# TYPE a gauge\na one\n", "no number"),
            ("# HELP a x\n# TYPE a gauge\na 1\na 2\n", "there twice"),
            ("# HELP a-b x\n# TYPE a-b gauge\na-b 1\n", "not a legal name"),
        ];
        for (text, why) in wrong {
            assert!(faults(text).iter().any(|fault| fault.contains(why)), "{text}: {:?}", faults(text));
        }
    }
}
