//! The rig's store on real SQLite.

mod model;
mod retention;
mod rows;
mod wishes;
