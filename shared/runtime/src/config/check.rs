//! What a file of defaults owes its reader: it is complete, nothing in it is unknown, every key is explained.
//! Services call [`faults_in_defaults`] in a test.

use super::reader;
use serde::de::DeserializeOwned;

/// Every broken promise of `defaults`, one sentence each. An optional key counts as given by a comment `# key = …`.
pub fn faults_in_defaults<T: DeserializeOwned>(defaults: &str) -> Vec<String> {
    let tree = match reader::tree_of(defaults) {
        Ok(tree) => tree,
        Err(error) => return vec![error.to_string()],
    };
    let (value, notes) = reader::survey::<T>(&tree);
    let mut faults: Vec<String> = value.err().into_iter().collect();
    faults.extend(notes.unread.take().into_iter().map(|(key, _)| format!("{key}: nobody reads it")));
    faults.extend(unexplained(defaults));
    for (place, fields) in notes.structs.take() {
        let absent = fields.iter().filter(|field| !names(defaults, &place, field));
        faults.extend(absent.map(|field| format!("{place}.{field}: not in the defaults, not even as a comment")));
    }
    faults
}

/// Whether the section at `place` names the key, as a value, a table or in a comment.
fn names(defaults: &str, place: &str, field: &str) -> bool {
    let full = if place.is_empty() { field.to_owned() } else { format!("{place}.{field}") };
    let mut section = String::new();
    for line in defaults.lines().map(str::trim) {
        let bare = line.trim_start_matches('#').trim();
        let header =
            bare.strip_prefix('[').and_then(|rest| rest.split(']').next()).map(|name| name.trim_start_matches('['));
        if let Some(name) = header {
            if name == full || name.starts_with(&format!("{full}.")) {
                return true;
            }
            section = name.to_owned();
        }
        let key = bare.split_once('=').map(|(key, _)| key.trim());
        if section == place && key.is_some_and(|key| key == field || key.starts_with(&format!("{field}."))) {
            return true;
        }
    }
    false
}

/// Keys and sections without a comment above (a block of keys shares one) or beside them.
fn unexplained(defaults: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut explained = false;
    for line in defaults.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('[') && !line.contains('=') {
            explained = line.contains('#') || (!line.is_empty() && explained);
        } else if line.starts_with('#') {
            explained = true;
        } else if let Some((key, value)) = line.split_once('=')
            && !explained
            && !value.contains('#')
        {
            faults.push(format!("{}: has no comment", key.trim()));
        }
    }
    faults
}
