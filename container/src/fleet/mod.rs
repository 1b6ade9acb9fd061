//! Agent sessions: one `session` value that everybody may look at, one `actor` that owns it, one pure `machine` that
//! decides. `boot` brings a session to its first prompt, `stop` brings it to its end, `inbox` carries its messages,
//! `env` lists what its processes may know, `process` and `tree` touch the machine.

pub mod actor;
pub mod boot;
pub mod delivery;
pub mod desk;
pub mod env;
pub mod inbox;
pub mod machine;
mod observe;
pub mod process;
pub mod session;
pub mod stop;
pub mod tree;

pub use session::Session;
