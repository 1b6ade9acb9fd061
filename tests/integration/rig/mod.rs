//! The rig's store on real SQLite.

mod memory;
mod model;
mod retention;
mod rows;
mod wishes;
