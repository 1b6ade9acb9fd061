//! The Worker.
pub mod sql;
