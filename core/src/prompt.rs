//! What agents read: typed arguments in, finished text out (container.md 11).
//!
//! The words live in `core/prompts/*.md`; each function here fills one of them. Text that somebody else wrote enters
//! only through a marked block ([`mark`]), never by concatenation, and a block never grows past its limit.
//! Nothing here knows a rig, a town or the wire: callers pass plain strings and ids. The nonce of the blocks is an
//! argument, like every other random thing in this crate.
//!
//! Reading order: [`mark`] (blocks), [`tools`] (what each role may call), [`role`] (the text that stands in every
//! request), [`order`] (the first message of an assignment), [`message`] (what is pushed into a running session).

#[macro_use]
mod template;
pub mod mark;
pub mod message;
pub mod order;
pub mod role;
pub mod tools;

pub use mark::{Label, Nonce, block};
