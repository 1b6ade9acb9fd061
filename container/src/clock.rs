//! The only reader of the wall clock and the only maker of ids. Everything else gets them from here, so that a reader
//! sees at a glance what is not a function of its arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gastown_core::time::Timestamp;

/// The present instant.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A new random id of the wanted kind.
pub fn new_id<T: gastown_core::id::MadeFrom>() -> T {
    T::made_from(uuid::Uuid::new_v4().as_u128())
}

/// 32 random bytes in base64url, for passwords and capabilities.
pub fn random_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
