//! One file per rule, named as in [`super::RULES`]; the module doc of each says what it is for (domain.md 9.1).

pub(super) mod account;
pub(super) mod attention;
pub(super) mod breaker;
pub(super) mod budget;
pub(super) mod container_needed;
pub(super) mod drain;
pub(super) mod edges;
pub(super) mod grant;
pub(super) mod idle_stop;
pub(super) mod landing;
pub(super) mod mayor_deliver;
pub(super) mod mayor_lease;
pub(super) mod mayor_model;
pub(super) mod mayor_notify;
pub(super) mod mayor_start;
pub(super) mod outbox;
pub(super) mod progress;
pub(super) mod prune;
pub(super) mod re_escalate;
pub(super) mod reclaim;
pub(super) mod rig_watch;
pub(super) mod route_mail;
pub(super) mod settle;
pub(super) mod tell_rigs;
pub(super) mod triage;
pub(super) mod wake;
