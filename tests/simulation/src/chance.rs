//! Chance from a seed. Each part of the world draws from a stream of its own, so that switching one kind of fault off
//! leaves most of the rest of a run as it was.

use std::time::Duration;

/// One stream of random numbers.
pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    /// The stream of this number of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (stream << 56) ^ stream))
    }

    /// True with this probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        // A stream that is never asked keeps its place.
        probability > 0.0 && self.0.f64() < probability
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high)
    }

    /// A span between two numbers of milliseconds, short ones more often than long ones.
    pub(crate) fn span(&mut self, low_ms: u64, high_ms: u64) -> Duration {
        let share = self.0.f64();
        let width = high_ms.saturating_sub(low_ms) as f64;
        Duration::from_millis(low_ms + (width * share * share) as u64)
    }

    /// One of these, if there are any.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.0.usize(..from.len())) }
    }

    /// 128 bits.
    pub(crate) fn bits(&mut self) -> u128 {
        self.0.u128(..)
    }

    /// A well-formed UUID v4, as the number that ids are made of.
    pub(crate) fn id(&mut self) -> u128 {
        (self.bits() & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62)
    }
}
