//! Asking memory ahead: what lies anywhere in hundreds of megabytes is asked for some records before its turn comes.
//!
//! It knows how a processor is asked; it refuses to know for what. A plain load would do as well if a processor did not wait for it: it
//! holds a few hundred instructions in hand, so loads for sixteen records stand in line for each other, requests do not.
//!
//! * `ASK-1` asking changes nothing but time: no value is read, nothing faults.

#![allow(unsafe_code, reason = "the standard library offers the processor's request for raw pointers only")]

/// Bytes memory brings at once.
const LINE: usize = 64;
/// More of one thing is not asked for: it would push out what was asked for before.
const MOST: usize = 8 * LINE;

/// Asks for the lines of memory something lies in, the first half of a kibibyte of it. What it points to is not asked for.
#[inline(always)]
pub fn ask_for<T: ?Sized>(thing: &T) {
    let first = std::ptr::from_ref(thing).cast::<u8>();
    let bytes = size_of_val(thing).min(MOST);
    let before = first.addr() % LINE;
    for at in (0..before + bytes).step_by(LINE) {
        request(first.wrapping_sub(before).wrapping_add(at));
    }
}

/// Asks for one item of a list, if it is there.
#[inline(always)]
pub fn ask_for_item<T>(list: &[T], at: usize) {
    if let Some(item) = list.get(at) {
        ask_for(item);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn request(line: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // Sound: a request is a hint. It reads no value and does not fault, wherever it points.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
}

/// There is no stable way to ask other processors.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn request(_: *const u8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_stays_as_it_is() {
        let list: Vec<u64> = (0..1_000).collect();
        ask_for(list.as_slice());
        ask_for(&[0u8; 0]);
        ask_for("");
        (0..2_000).for_each(|at| ask_for_item(&list, at));
        assert_eq!(list.iter().sum::<u64>(), 499_500);
    }
}
