//! The rig's store on real SQLite.

mod forge;
mod full;
mod model;
mod retention;
mod rows;
mod wishes;
