//! What only memory holds, taken off before a state is compared with its rows.

use gastown_core::id::AssignmentId;
use gastown_core::protocol::{Outbox, RigToTown, Spending};
use gastown_core::rig::State;
use gastown_core::time::Timestamp;

/// The state without what lives in memory only: waits, what the town was told, and when to send again.
pub(super) fn without_marks(mut state: State) -> State {
    state.waits.clear();
    state.reported = None;
    state.reported_spending = Spending::default();
    state.told_tasks.clear();
    state.told_landings.clear();
    state.outbox = Outbox::new(state.outbox.rows().to_vec(), next_number(&state));
    state
}

/// The number that the next message to the town would get.
pub(super) fn next_number(state: &State) -> u64 {
    let released = RigToTown::SlotReleased { assignment_id: AssignmentId::from_u128(1) };
    state.outbox.clone().post(released, Timestamp::from_ms(0)).seq
}
