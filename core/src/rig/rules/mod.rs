//! One file per rule, named as in [`super::RULES`]; the module doc of each says what it is for (domain.md 6.2).

pub(super) mod ask_slot;
pub(super) mod assign_polecats;
pub(super) mod assign_review;
pub(super) mod breaker;
pub(super) mod cancel;
pub(super) mod caps;
pub(super) mod child;
pub(super) mod child_ended;
pub(super) mod deregister;
pub(super) mod dispatchable;
pub(super) mod expire;
pub(super) mod gates;
pub(super) mod gates_red;
pub(super) mod idle;
pub(super) mod jobs;
pub(super) mod lease_lost;
pub(super) mod lease_probe;
pub(super) mod merge;
pub(super) mod refinery;
pub(super) mod reorder;
pub(super) mod repair;
pub(super) mod report;
pub(super) mod review_policy;
pub(super) mod start;
pub(super) mod start_limit;
pub(super) mod wake;
