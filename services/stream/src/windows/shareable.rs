//! A value that is copied at once, however large: both hold the same until the owner changes its own (`CKP-5`).

use std::sync::Arc;

/// A value of an owner, and of copies made of it. As long as there are none it costs what the value alone costs.
pub(super) enum Shareable<T> {
    /// Of the owner alone.
    Own(T),
    /// Of copies too, as far as they are not dropped.
    Shared(Arc<T>),
}

impl<T: Clone + Default> Shareable<T> {
    #[inline]
    pub(super) fn get(&self) -> &T {
        match self {
            Self::Own(value) => value,
            Self::Shared(value) => value,
        }
    }

    /// To change: copies keep it as it is.
    #[inline]
    pub(super) fn change(&mut self) -> &mut T {
        if let Self::Shared(shared) = self {
            *self = Self::alone(shared);
        }
        match self {
            Self::Own(value) => value,
            // It was made its own just now.
            Self::Shared(value) => Arc::make_mut(value),
        }
    }

    #[cold]
    fn alone(shared: &mut Arc<T>) -> Self {
        Self::Own(Arc::unwrap_or_clone(std::mem::take(shared)))
    }

    /// A copy of it as it is now.
    pub(super) fn share(&mut self) -> Self {
        let shared = match self {
            Self::Own(value) => Arc::new(std::mem::take(value)),
            Self::Shared(value) => Arc::clone(value),
        };
        *self = Self::Shared(Arc::clone(&shared));
        Self::Shared(shared)
    }
}

impl<T: Default> Default for Shareable<T> {
    fn default() -> Self {
        Self::Own(T::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_as_it_was_and_costs_nothing_before_a_change() {
        let mut value = Shareable::Own(vec![1]);
        let place = value.get().as_ptr();
        let (first, second) = (value.share(), value.share());
        assert!([&value, &first, &second].iter().all(|one| one.get().as_ptr() == place));
        value.change().push(2);
        assert_eq!(
            (value.get().as_slice(), first.get().as_slice(), second.get().as_slice()),
            (&[1, 2][..], &[1][..], &[1][..])
        );
        assert_eq!(first.get().as_ptr(), place);
    }

    #[test]
    fn what_no_copy_holds_any_more_is_changed_where_it_lies() {
        let mut value = Shareable::Own(vec![1]);
        let place = value.get().as_ptr();
        drop(value.share());
        value.change()[0] = 2;
        assert_eq!((value.get().as_ptr(), value.get().as_slice()), (place, &[2][..]));
        assert!(matches!(value, Shareable::Own(_)));
    }
}
