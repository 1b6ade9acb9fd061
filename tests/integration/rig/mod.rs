//! The rig's store on real SQLite.

mod convoys;
mod forge;
mod full;
mod idle;
mod marks;
mod memory;
mod model;
mod retention;
mod rows;
mod wishes;
