//! Bugs on purpose: what the suite of faults must find (`make chaos-selftest`). They are there under the feature `seeded-bugs` alone, which
//! no build but the self-test's turns on; one of them is awake then, the one `GRIDWARDEN_SEEDED_BUG` names.
//!
//! Without the feature this is `false`, and the branches that ask for it are not compiled.

/// Whether the bug of this name is awake.
#[cfg(feature = "seeded-bugs")]
pub fn seeded(name: &str) -> bool {
    static AWAKE: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    AWAKE.get_or_init(|| std::env::var("GRIDWARDEN_SEEDED_BUG").ok()).as_deref() == Some(name)
}

/// Whether the bug of this name is awake: never.
#[cfg(not(feature = "seeded-bugs"))]
#[inline(always)]
pub const fn seeded(_name: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_build_of_the_tests_has_bugs_in_it() {
        let is_on = std::hint::black_box(cfg!(feature = "seeded-bugs"));
        assert!(!is_on, "only the self-test's build turns the feature on");
    }
}
