//! The town's store on real SQLite.

mod convoys;
mod idle;
mod model;
mod rows;
