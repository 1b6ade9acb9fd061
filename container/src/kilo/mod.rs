//! kilo as an outside program: its configuration (pure), its HTTP calls, its event stream.

pub mod client;
pub mod config;
pub mod events;
