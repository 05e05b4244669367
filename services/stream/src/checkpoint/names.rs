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

/// `process`: whose it is; that of the process that leads is not said.
pub(crate) fn piece(mark: Mark, process: usize, number: usize) -> String {
    let of = if process == 0 { String::new() } else { format!("-of-{process}") };
    format!("{PIECES}/{:010}-{:010}-{number:06}{of}", mark.generation, mark.number)
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
        assert_eq!((marked(&piece(mark, 0, 3)), marked(&piece(mark, 2, 3))), (Some(mark), Some(mark)));
        assert_ne!(piece(mark, 1, 3), piece(mark, 2, 3));
        assert_eq!(claimed(&claim(7)), Some(7));
        assert_eq!((marked("manifests/x"), claimed("manifests/7"), marked("stray")), (None, None, None));
        assert!(manifest(mark) < manifest(Mark { generation: 100, number: 1 }), "sorted as numbers");
    }
}
