//! The rig's store on real SQLite.

mod convoys;
mod model;
mod retention;
mod rows;
mod wishes;
