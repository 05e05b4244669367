//! The fence: what a position does to an entity that was, or was not, inside before.

use gridwarden_domain::rule::Crossing;

/// What is known of an entity and a fence when a position comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// Whether it was inside.
    pub(crate) inside: bool,
    /// Whether this is the first position the rule sees of it.
    pub(crate) first: bool,
    /// Whether its alert is raised.
    pub(crate) open: bool,
}

/// What a position does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Stay,
    /// The alert is raised.
    Raise,
    /// The alert is cleared.
    Clear,
}

/// Decides.
pub(crate) fn step(on: Crossing, first_counts: bool, before: Before, inside: bool) -> Step {
    // The side of the fence that offends.
    let offends = match on {
        Crossing::Enter => inside,
        Crossing::Exit => !inside,
    };
    if before.open {
        return if offends { Step::Stay } else { Step::Clear };
    }
    let crossed = if before.first { first_counts } else { before.inside != inside };
    if offends && crossed { Step::Raise } else { Step::Stay }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(on: Crossing, first_counts: bool, positions: &[bool]) -> String {
        let mut before = Before { inside: false, first: true, open: false };
        let mut said = String::new();
        for inside in positions {
            let step = step(on, first_counts, before, *inside);
            said.push(match step {
                Step::Stay => '.',
                Step::Raise => 'R',
                Step::Clear => 'C',
            });
            before.open = step == Step::Raise || before.open && step != Step::Clear;
            before.inside = *inside;
            before.first = false;
        }
        said
    }

    #[test]
    fn crossings_raise_and_the_way_back_clears() {
        const I: bool = true;
        const O: bool = false;
        assert_eq!(run(Crossing::Enter, false, &[O, I, I, O, O, I]), ".R.C.R");
        assert_eq!(run(Crossing::Enter, false, &[I, O, I]), "..R");
        assert_eq!(run(Crossing::Enter, true, &[I, O, I]), "RCR");
        assert_eq!(run(Crossing::Exit, false, &[I, O, O, I]), ".R.C");
        assert_eq!(run(Crossing::Exit, false, &[O, I, O]), "..R");
        assert_eq!(run(Crossing::Exit, true, &[O, I, O]), "RCR");
    }
}
