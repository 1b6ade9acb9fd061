//! Reports to the Worker: the durable `outbox` of facts and outcomes, the `heartbeat`, and the transcript `events`
//! (container.md 9). What is sent has passed the redactor; nothing here decides what a report means.

pub mod events;
pub mod heartbeat;
pub mod outbox;
