//! Makes a failing run smaller while it fails for the same reason: kinds of faults are switched off one after the other,
//! then tasks are left out.

use crate::faults::Fault;
use crate::{Options, run};

/// The smallest options of this seed that still show the failure of `options`.
pub fn shrink(seed: u64, options: &Options) -> Options {
    let mut smallest = Options { is_told: false, ..options.clone() };
    let Some(reason) = reason(seed, &smallest) else { return smallest };
    for &fault in Fault::ALL {
        let mut candidate = smallest.clone();
        if candidate.off.insert(fault) && self::reason(seed, &candidate).as_ref() == Some(&reason) {
            smallest = candidate;
        }
    }
    for beads in 1..smallest.beads {
        let candidate = Options { beads, ..smallest.clone() };
        if self::reason(seed, &candidate).as_ref() == Some(&reason) {
            return candidate;
        }
    }
    smallest
}

/// What a violation is about, without the names in it: its number, or its first words.
fn reason(seed: u64, options: &Options) -> Option<String> {
    let sentence = run(seed, options).violation?;
    let words: Vec<&str> =
        sentence.split(' ').filter(|word| word.chars().all(|c| c.is_alphabetic() || c == ':')).collect();
    let number = sentence.split(' ').find(|word| word.ends_with(':') && word.starts_with(|c: char| c.is_ascii_digit()));
    Some(number.map_or_else(|| words.join(" "), str::to_owned))
}
