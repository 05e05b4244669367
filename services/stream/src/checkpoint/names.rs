//! Names of objects: claims, manifests and pieces. Numbers have ten digits, so that names sort as numbers do.

use super::protocol::Mark;

pub(crate) const CLAIMS: &str = "claims";
pub(crate) const MANIFESTS: &str = "manifests";
pub(crate) const PIECES: &str = "pieces";

pub(crate) fn claim(generation: u32) -> String {
    format!("{CLAIMS}/{generation:010}")
}

pub(crate) fn manifest(mark: Mark) -> String {
    format!("{MANIFESTS}/{:010}-{:010}", mark.generation, mark.number)
}

pub(crate) fn piece(mark: Mark, number: usize) -> String {
    format!("{PIECES}/{:010}-{:010}-{number:06}", mark.generation, mark.number)
}

/// The generation a claim's name says.
pub(crate) fn claimed(name: &str) -> Option<u32> {
    name.strip_prefix(CLAIMS)?.strip_prefix('/')?.parse().ok()
}

/// The checkpoint a manifest's or a piece's name says.
pub(crate) fn marked(name: &str) -> Option<Mark> {
    let (_, file) = name.rsplit_once('/')?;
    let mut numbers = file.split('-');
    let generation = numbers.next()?.parse().ok()?;
    Some(Mark { generation, number: numbers.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_were_made_from() {
        let mark = Mark { generation: 12, number: 345 };
        assert_eq!(marked(&manifest(mark)), Some(mark));
        assert_eq!(marked(&piece(mark, 3)), Some(mark));
        assert_eq!(claimed(&claim(7)), Some(7));
        assert_eq!((marked("manifests/x"), claimed("manifests/7"), marked("stray")), (None, None, None));
        assert!(manifest(mark) < manifest(Mark { generation: 100, number: 1 }), "sorted as numbers");
    }
}
