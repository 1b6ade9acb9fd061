//! The names of bindings, variables and secrets, read into types. The only reader of `worker::Env`.

use std::cell::{OnceCell, RefCell};

use gastown_core::time::Timestamp;
use gastown_core::wire::code::Code;
use worker::{Env, ObjectNamespace, Stub};

use crate::ambient::{self, Clock};
use crate::error::{Fault, Refusal, Result};
use crate::token::Keys;

/// The object classes, as `wrangler.toml` binds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// One per user or organisation.
    Account,
    /// One per town.
    Town,
    /// One per rig.
    Rig,
    /// One per town: its runtime.
    TownContainer,
}

impl Object {
    const fn binding(self) -> &'static str {
        match self {
            Self::Account => "ACCOUNT",
            Self::Town => "TOWN",
            Self::Rig => "RIG",
            Self::TownContainer => "TOWN_CONTAINER",
        }
    }
}

/// A stub of the object with this name.
pub fn stub(env: &Env, object: Object, name: &str) -> Result<Stub> {
    let namespace: ObjectNamespace =
        env.durable_object(object.binding()).map_err(|e| Fault::new(format!("bind {}", object.binding()), e))?;
    namespace.get_by_name(name).map_err(|e| Fault::new(format!("address {name}"), e).into())
}

/// The dashboard's files.
pub fn assets(env: &Env) -> Result<worker::Fetcher> {
    env.assets("ASSETS").map_err(|e| Fault::new("bind ASSETS", e).into())
}

/// Everything that a deployment sets, checked once. Never printed: it holds secrets.
pub struct Settings {
    /// Whether this is a development deployment.
    pub is_development: bool,
    /// How town time follows from wall time.
    pub clock: Clock,
    /// Secrets of tokens.
    pub keys: Keys,
    /// What the control secrets of containers derive from.
    pub gastown_secret: String,
    /// Origins that may call from browsers, besides our own.
    pub cors_origins: Vec<String>,
    /// Remotes on this machine are accepted (demo, tests).
    pub allow_local_git: bool,
    /// The runtime at a fixed address, when one is configured.
    pub container_url: Option<String>,
    /// Secret of that runtime's control API.
    pub control_secret: Option<String>,
    /// Our own address as the runtime reaches it.
    pub public_url: Option<String>,
    /// The deployment's model gateway.
    pub llm_base_url: Option<String>,
    /// Its key.
    pub llm_api_key: Option<String>,
    /// Commit that this build was made of.
    pub commit: String,
}

thread_local! {
    static OWN_ORIGIN: RefCell<Option<String>> = const { RefCell::new(None) };
    static SETTINGS: OnceCell<std::result::Result<&'static Settings, String>> = const { OnceCell::new() };
}

/// The settings of this deployment; they cannot change while an isolate lives. A deployment that is set up wrongly
/// answers 503 `misconfigured` to everything, and says what is wrong in the log and to nobody else.
pub fn settings(env: &Env) -> Result<&'static Settings> {
    let read = SETTINGS.with(|cell| {
        cell.get_or_init(|| {
            let read = |name: &str| {
                let value = env.var(name).ok().map(|value| value.to_string());
                value.filter(|value| !value.is_empty())
            };
            // Lives as long as the isolate: one allocation, never repeated.
            Settings::read(read, ambient::wall_now).map(|settings| &*Box::leak(Box::new(settings)))
        })
        .clone()
    });
    read.map_err(|why| {
        crate::log::error("misconfigured", &[("why", &why)]);
        Refusal::new(Code::Misconfigured, "This deployment is not set up correctly").into()
    })
}

/// Remembers the address under which the newest request reached us.
pub fn remember_origin(origin: &str) {
    OWN_ORIGIN.with(|known| {
        if known.borrow().as_deref() != Some(origin) {
            known.replace(Some(origin.to_owned()));
        }
    });
}

/// Our own address as the runtime reaches it: as it is set, else as a request last reached this isolate.
pub fn public_url(env: &Env) -> Result<String> {
    let known = OWN_ORIGIN.with(|known| known.borrow().clone());
    settings(env)?.public_url.clone().or(known).ok_or_else(|| {
        Fault::new("tell the runtime our address", "GASTOWN_PUBLIC_URL is not set, and no request came yet").into()
    })
}

impl Settings {
    /// Reads and checks every variable; the error names the variable and the rule.
    pub fn read(
        var: impl Fn(&str) -> Option<String>,
        wall_now: impl FnOnce() -> Timestamp,
    ) -> std::result::Result<Self, String> {
        let is_development = var("ENVIRONMENT").as_deref() == Some("development");
        let clock = match var("GASTOWN_TIME_SCALE") {
            None => Clock::REAL,
            Some(_) if !is_development => {
                return Err("GASTOWN_TIME_SCALE is for ENVIRONMENT=development only".to_owned());
            }
            Some(scale) => {
                let anchor = match var("GASTOWN_TIME_ANCHOR_MS") {
                    Some(ms) => Timestamp::from_ms(ms.parse().map_err(|_| "GASTOWN_TIME_ANCHOR_MS is no number")?),
                    None => wall_now(),
                };
                scale
                    .parse()
                    .ok()
                    .and_then(|scale| Clock::scaled(scale, anchor))
                    .ok_or("GASTOWN_TIME_SCALE must be a whole number of 1 to 3600")?
            }
        };
        let container_url = var("CONTAINER_URL").map(|url| url.trim_end_matches('/').to_owned());
        let control_secret = var("GASTOWN_CONTROL_SECRET");
        if container_url.is_some() && control_secret.as_ref().is_none_or(|secret| secret.len() < 32) {
            return Err("GASTOWN_CONTROL_SECRET must have at least 32 characters where CONTAINER_URL is set".to_owned());
        }
        Ok(Self {
            is_development,
            clock,
            keys: Keys::read(&var)?,
            gastown_secret: var("GASTOWN_JWT_SECRET").unwrap_or_default(),
            cors_origins: var("CORS_ORIGINS")
                .map(|list| list.split(',').map(|origin| origin.trim().to_owned()).collect())
                .unwrap_or_default(),
            allow_local_git: var("GASTOWN_ALLOW_LOCAL_GIT").as_deref() == Some("1"),
            container_url,
            control_secret,
            public_url: var("GASTOWN_PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned()),
            llm_base_url: var("GASTOWN_LLM_BASE_URL").map(|url| url.trim_end_matches('/').to_owned()),
            llm_api_key: var("GASTOWN_LLM_API_KEY"),
            commit: var("GASTOWN_COMMIT").unwrap_or_else(|| "unknown".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    fn read(vars: &[(&str, &str)]) -> std::result::Result<Settings, String> {
        let secret = "0123456789abcdef0123456789abcdef";
        let all: Vec<(&str, &str)> =
            [("USER_JWT_SECRET", secret), ("GASTOWN_JWT_SECRET", OTHER)].iter().chain(vars).copied().collect();
        let var = |name: &str| all.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Settings::read(var, || Timestamp::from_ms(5))
    }

    #[test]
    fn time_runs_faster_in_development_only() {
        assert_eq!(read(&[]).unwrap().clock, Clock::REAL);
        let fast = read(&[("ENVIRONMENT", "development"), ("GASTOWN_TIME_SCALE", "60")]).unwrap();
        assert_eq!(Some(fast.clock), Clock::scaled(60, Timestamp::from_ms(5)));
        assert!(read(&[("ENVIRONMENT", "production"), ("GASTOWN_TIME_SCALE", "60")]).is_err());
        assert!(read(&[("ENVIRONMENT", "development"), ("GASTOWN_TIME_SCALE", "-1")]).is_err());
    }

    #[test]
    fn a_bad_setting_is_named() {
        for (vars, expected) in [
            (("USER_JWT_SECRET", "short"), "USER_JWT_SECRET"),
            (("CONTAINER_URL", "http://127.0.0.1:8080"), "GASTOWN_CONTROL_SECRET"),
        ] {
            assert!(read(&[vars]).err().unwrap().contains(expected));
        }
    }
}
