//! The town's store on real SQLite.

mod convoys;
mod model;
mod rows;
