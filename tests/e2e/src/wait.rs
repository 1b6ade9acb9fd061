//! Waiting for a condition with a limit and a name. There are no fixed sleeps in tests: this is the only place that
//! pauses, and only between two looks.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks: short against everything that is waited for, long against the cost of a look.
const PAUSE: Duration = Duration::from_millis(100);

/// What one look found.
pub enum Look<T> {
    /// It is so.
    Found(T),
    /// Not yet; the text says what is the case, for the message if the limit passes.
    NotYet(String),
}

/// Looks until it is so. An error of a look is final; whoever expects failed looks says [`Look::NotYet`].
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Look<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        match look()? {
            Look::Found(found) => return Ok(found),
            Look::NotYet(seen) if start.elapsed() >= limit => {
                bail!("waited {} s for {what}; seen last: {seen}", limit.as_secs())
            }
            Look::NotYet(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_names_what_was_waited_for_and_what_was_seen() {
        let mut looks = 0;
        let found = until("three looks", Duration::from_secs(5), || {
            looks += 1;
            Ok(if looks == 3 { Look::Found("three") } else { Look::NotYet(looks.to_string()) })
        });
        assert_eq!(found.unwrap(), "three");
        let error = until::<()>("rain", Duration::ZERO, || Ok(Look::NotYet("sun".to_owned()))).unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s for rain; seen last: sun");
    }
}
