//! The town's store on real SQLite.

mod model;
mod rows;
