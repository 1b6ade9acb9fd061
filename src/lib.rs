//! The Worker.
pub mod sql;
pub mod town;
