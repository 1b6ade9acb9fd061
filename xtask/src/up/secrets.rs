//! Development secrets: random, made once per state directory, readable by their owner only.

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::{self, StateDir};

/// The shortest secret that the Worker and the runtime accept.
const LENGTH_MIN: usize = 32;

/// What signs tokens, and what the Worker and the runtime share. `Debug` shows nothing of them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    #[serde(rename = "USER_JWT_SECRET")]
    pub(crate) user_jwt_secret: String,
    #[serde(rename = "GASTOWN_JWT_SECRET")]
    pub(crate) gastown_jwt_secret: String,
    #[serde(rename = "GASTOWN_CONTROL_SECRET")]
    pub(crate) control_secret: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("«secrets»")
    }
}

impl Secrets {
    /// The secrets of a state directory, made if it has none. One that the environment names is used in its place.
    pub(crate) fn ensure(state: &StateDir) -> Result<Self> {
        let path = state.path().join("secrets.json");
        let mut secrets = if path.exists() {
            Self::read(state)?
        } else {
            Self { user_jwt_secret: random(), gastown_jwt_secret: random(), control_secret: random() }
        };
        for (name, secret) in [
            ("USER_JWT_SECRET", &mut secrets.user_jwt_secret),
            ("GASTOWN_JWT_SECRET", &mut secrets.gastown_jwt_secret),
            ("GASTOWN_CONTROL_SECRET", &mut secrets.control_secret),
        ] {
            if let Some(given) = super::setting(name) {
                *secret = given;
            }
            if secret.len() < LENGTH_MIN {
                bail!("{name} is shorter than {LENGTH_MIN} bytes");
            }
        }
        let text = serde_json::to_string_pretty(&secrets).context("could not write the secrets")?;
        state::write_private(&path, &text)?;
        Ok(secrets)
    }

    /// The secrets of a stack that was started before.
    pub(crate) fn read(state: &StateDir) -> Result<Self> {
        let path = state.path().join("secrets.json");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("could not read {}; has `cargo xtask up` run?", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("could not understand {}", path.display()))
    }
}

/// 64 hexadecimal digits, 244 of their bits random.
fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
