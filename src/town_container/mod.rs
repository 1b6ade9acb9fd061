//! The keeper of a town's runtime.

pub mod calls;
