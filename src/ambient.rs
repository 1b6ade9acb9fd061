//! Time and randomness: the only place that reads a clock, draws random bits, or arms an alarm.
//!
//! Two times. **Wall time** is the time of the machine: the ends of credentials are judged by it, because other
//! machines write them. **Town time** is what everything else lives in. The two are the same unless
//! `GASTOWN_TIME_SCALE` is set, which development alone may do: then town time runs that many times faster from
//! `GASTOWN_TIME_ANCHOR_MS` on, so that a test can see hours.

use std::time::Duration;

use gastown_core::time::Timestamp;
use wasm_bindgen::prelude::*;
use worker::js_sys;

/// How town time follows from wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    scale: u32,
    anchor: Timestamp,
}

/// The fastest that a town may live: a second is an hour.
const SCALE_MAX: u32 = 3600;

impl Clock {
    /// Town time is wall time.
    pub const REAL: Self = Self { scale: 1, anchor: Timestamp::from_ms(0) };

    /// Town time runs `scale` times faster from `anchor` on.
    pub fn scaled(scale: u32, anchor: Timestamp) -> Option<Self> {
        (1..=SCALE_MAX).contains(&scale).then_some(Self { scale, anchor })
    }

    /// The town time of an instant of wall time.
    pub fn town(&self, wall: Timestamp) -> Timestamp {
        Timestamp::from_ms(self.anchor.ms() + (wall.ms() - self.anchor.ms()) * i64::from(self.scale))
    }

    /// The wall time of an instant of town time, rounded up, so that no alarm comes early.
    pub fn wall(&self, town: Timestamp) -> Timestamp {
        let scale = i64::from(self.scale);
        let passed = town.ms() - self.anchor.ms();
        Timestamp::from_ms(self.anchor.ms() + passed.div_euclid(scale) + i64::from(passed.rem_euclid(scale) > 0))
    }

    /// How long a span of town time takes.
    pub fn wall_span(&self, town: Duration) -> Duration {
        town / self.scale
    }

    /// The present, in town time.
    pub fn now(&self) -> Timestamp {
        self.town(wall_now())
    }

    /// Wakes the object at this instant of town time, or never. Takes effect with the writes of this turn.
    pub fn set_alarm(&self, state: &worker::State, at: Option<Timestamp>) -> Result<(), worker::Error> {
        let storage = state.storage();
        let none: js_sys::Object = JsValue::UNDEFINED.unchecked_into();
        match at {
            Some(at) => {
                let wall = self.wall(at).ms();
                #[expect(clippy::cast_precision_loss, reason = "instants in ms are below 2^53")]
                let date = js_sys::Date::new(&JsValue::from_f64(wall as f64));
                drop(storage.as_raw().set_alarm(date, none)?);
            }
            None => drop(storage.as_raw().delete_alarm(none)?),
        }
        Ok(())
    }

    /// Waits for a span of wall time.
    pub async fn pause(&self, wall: Duration) {
        worker::Delay::from(wall).await;
    }
}

/// The time of the machine.
pub fn wall_now() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds far below 2^63")]
    Timestamp::from_ms(js_sys::Date::now() as i64)
}

/// 128 random bits: the seed of a plan's ids, or of one id.
pub fn seed() -> u128 {
    u128::from_le_bytes(random())
}

/// Random bytes of the platform.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    get_random_values(&mut bytes);
    bytes
}

/// A new name for a request.
pub fn request_id() -> String {
    gastown_core::id::IdSeed::new(seed()).mint::<gastown_core::id::FactId>().to_string()
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn town_time_runs_faster_from_its_anchor_on() {
        let clock = Clock::scaled(60, Timestamp::from_ms(1_000)).unwrap();
        assert_eq!(clock.town(Timestamp::from_ms(1_000)), Timestamp::from_ms(1_000));
        assert_eq!(clock.town(Timestamp::from_ms(2_000)), Timestamp::from_ms(61_000));
        assert_eq!(clock.wall(Timestamp::from_ms(61_000)), Timestamp::from_ms(2_000));
        assert_eq!(clock.wall(Timestamp::from_ms(61_001)), Timestamp::from_ms(2_001));
        assert_eq!(clock.wall_span(Duration::from_secs(60)), Duration::from_secs(1));
    }

    #[test]
    fn without_a_scale_both_times_are_the_same() {
        let now = Timestamp::from_ms(1_790_000_000_123);
        assert_eq!((Clock::REAL.town(now), Clock::REAL.wall(now)), (now, now));
        assert_eq!(Clock::scaled(0, now), None);
        assert_eq!(Clock::scaled(1_000_000, now), None);
    }
}
