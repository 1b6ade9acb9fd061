//! What crosses a process boundary. The top layer of this crate: it may name the domain, to convert it; nothing else
//! in the crate may name it.
//!
//! `control` is Worker → runtime, `report` is runtime → Worker, `api` is what people, agents and the dashboard see,
//! `envelope` wraps every answer, `code` is the closed list of error codes that all of them share. `order` and `fact`
//! convert: the domain's assignments and jobs to orders, and reports to the domain's events.

pub mod api;
pub mod code;
pub mod control;
pub mod envelope;
pub mod fact;
pub mod order;
pub mod report;
