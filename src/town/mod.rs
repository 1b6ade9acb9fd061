//! The town's object.

pub mod store;
