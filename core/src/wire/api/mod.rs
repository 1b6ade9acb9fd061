//! The public HTTP API: request bodies and reply shapes (api.md 3 and 4).
//!
//! Reading order: [`read`] (how a body is validated), then one file per resource. A reply shape is what a client sees;
//! where a domain row has one, the conversion stands beside the shape. Fields keep the letter case of api.md 1.1.

pub mod agent;
pub mod bead;
pub mod control;
pub mod convoy;
pub mod escalation;
pub mod event;
pub mod explain;
pub mod hand;
pub mod mail;
pub mod mayor;
pub mod metrics;
pub mod model;
pub mod molecule;
pub mod nudge;
pub mod prime;
pub mod read;
#[cfg(feature = "schema")]
pub mod record;
pub mod review;
pub mod service;
pub mod session;
pub mod sling;
pub mod snapshot;
pub mod stream;
pub mod town;
pub mod ui;
