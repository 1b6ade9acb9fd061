//! Everything that can happen, as one closed list: what the world's queue holds.

use gastown_core::container;
use gastown_core::id::{InstanceId, JobId};
use gastown_core::protocol::{Batch, BatchReply, RigToTown, TownToRig};
use gastown_core::rig::command::{Done, Judge, NewMail};
use gastown_core::rig::event::ForgeFact;
use gastown_core::rig::triage::Decide;
use gastown_core::session::{JobAnswer, SessionAnswer, SessionKey, StartAnswer};
use gastown_core::town::escalation::AgentEscalation;
use gastown_core::wire::control::JobOrder;
use gastown_core::wire::order::SessionOrder;
use gastown_core::{rig, town};

use crate::forge::Ask;
use crate::people::Deed;
use crate::runtime::Report;

/// Which rig, in the order in which they were connected.
pub(crate) type RigNo = usize;

/// One life of an object: what it had in mind dies with it.
pub(crate) type Life = u32;

/// An object that gives orders to the runtime and hears its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Rig(RigNo, Life),
    Town(Life),
}

/// An order to the runtime's keeper.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    Start(Box<SessionOrder>),
    Stop(SessionKey),
    Query(SessionKey),
    WrapUp(SessionKey),
    Job(Box<JobOrder>),
    CancelJob(JobId),
    Push(SessionKey, Vec<String>),
    SetNeeded(bool),
    Sleep,
}

/// The keeper's answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Start(SessionKey, StartAnswer),
    Query(SessionKey, SessionAnswer),
    Job(JobId, JobAnswer),
    Delivered(SessionKey, Vec<String>),
    Gone(SessionKey),
}

/// What an agent asks of its rig.
#[derive(Debug, Clone)]
pub(crate) enum AgentCall {
    Done(Done),
    Judge(Judge),
    SetStatus(SessionKey),
    SetCheckpoint(SessionKey),
    /// It has done the step of this place.
    Advance(SessionKey, u32),
    ReadMail(SessionKey),
    ReadNudge(SessionKey),
    Mail(SessionKey, NewMail),
    Resolve(Decide),
    Escalate(Box<AgentEscalation>),
}

/// How an agent's call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentHeard {
    Taken,
    Stale,
    Refused,
    Silence,
}

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    RigAlarm { rig: RigNo, turn: u32 },
    RigActs { rig: RigNo, life: Life, effect: rig::Effect },
    RigCrashes { rig: RigNo },
    TownAlarm { turn: u32 },
    TownActs { life: Life, effect: town::Effect },
    TownCrashes,

    TownHears { rig: RigNo, life: Life, batch: Batch<RigToTown> },
    RigHearsBack { rig: RigNo, life: Life, reply: BatchReply<TownToRig> },
    RigHears { rig: RigNo, life: Life, batch: Batch<TownToRig> },
    TownHearsBack { rig: RigNo, life: Life, reply: BatchReply<RigToTown> },

    KeeperHears { from: Caller, order: Order },
    KeeperAnswers { to: Caller, answer: Answer },
    KeeperLooks { turn: u32 },
    KeeperActs { object: u32, effect: container::Effect },
    KeeperCrashes,

    RuntimeBoots,
    RuntimeDies,
    RuntimeDrains,
    RuntimeWedges,
    RuntimeRecovers { instance_id: InstanceId },
    RuntimeExits { instance_id: InstanceId },
    RuntimeSaysEviction { instance_id: InstanceId },
    RuntimeBeats { instance_id: InstanceId, is_early: bool },
    BeatsArrive { instance_id: InstanceId },
    ReportsLeave { instance_id: InstanceId },
    ReportsArrive { instance_id: InstanceId, reports: Vec<Report> },
    ReportsAnswered { instance_id: InstanceId, last: u64, stale: Vec<SessionKey> },
    SessionMoves { instance_id: InstanceId, key: SessionKey, turn: u32 },
    JobMoves { instance_id: InstanceId, job_id: JobId },
    AgentCalls { key: SessionKey, call: AgentCall, tries: u32 },
    AgentHears { key: SessionKey, call: AgentCall, tries: u32, heard: AgentHeard },

    ForgeHears { rig: RigNo, life: Life, ask: Ask },
    ForgeAnswers { rig: RigNo, life: Life, ask: Ask, fact: ForgeFact },
    ForgeSuffers { rig: RigNo },
    ForgeMends { rig: RigNo },

    PersonActs { deed: Deed },
    BranchLost { rig: RigNo },
    RigWiped { rig: RigNo },
    ClockJumps,
    Heal,
    Look,
}
