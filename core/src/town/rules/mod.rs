//! One file per rule, named as in [`super::RULES`]; the module doc of each says what it is for (domain.md 9.1).

pub(super) mod container_needed;
pub(super) mod drain;
pub(super) mod grant;
pub(super) mod mayor_deliver;
pub(super) mod mayor_lease;
pub(super) mod mayor_start;
pub(super) mod outbox;
pub(super) mod tell_rigs;
pub(super) mod wake;
