/** Rows with every field filled, of which a test names only what it is about. */
import type {
  Agent,
  Assignment,
  Bead,
  Frame,
  MayorMessage,
  Snapshot,
  Town,
  TownEvent,
} from "../src/api/types";

const AT = "2026-01-02T03:04:05.000Z";

export function town(more: Partial<Town> = {}): Town {
  return {
    id: "town",
    name: "Town",
    version: 1,
    paused: false,
    counts: { rigs: 1, working_agents: 0, open_beads: 0, escalations: 0, needs_attention: 0 },
    ...more,
  };
}

export function bead(id: string, more: Partial<Bead> = {}): Bead {
  return {
    bead_id: id,
    type: "issue",
    status: "open",
    title: `Title of ${id}`,
    body: null,
    rig_id: "rig",
    assignee_agent_bead_id: null,
    priority: "medium",
    labels: [],
    created_at: AT,
    updated_at: AT,
    closed_at: null,
    version: 1,
    attempt: 1,
    held: false,
    assignee_name: null,
    branch: null,
    pr_url: null,
    review_state: null,
    requested_model: null,
    last_model: null,
    failure: null,
    wait: null,
    tokens: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    cost_usd: null,
    ...more,
  };
}

export function agent(id: string, more: Partial<Agent> = {}): Agent {
  return {
    id,
    rig_id: "rig",
    role: "polecat",
    name: id,
    status: "idle",
    current_hook_bead_id: null,
    last_activity_at: null,
    agent_status_message: null,
    agent_status_updated_at: null,
    version: 1,
    assignment: null,
    state_reason: null,
    current_tool: null,
    cost_usd: null,
    ...more,
  };
}

export function assignment(id: string, agentId: string, more: Partial<Assignment> = {}): Assignment {
  return {
    assignment_id: id,
    epoch: 1,
    bead_id: "b1",
    bead_title: "Title of b1",
    agent_id: agentId,
    agent_name: agentId,
    rig_id: "rig",
    kind: "work",
    phase: "queued",
    phase_detail: null,
    attempt: 1,
    model: "maker/model",
    model_reason: "default",
    branch: "polecat/toast/b1",
    queued_at: AT,
    started_at: null,
    ended_at: null,
    outcome: null,
    ...more,
  };
}

export function message(id: string, more: Partial<MayorMessage> = {}): MayorMessage {
  return {
    id,
    at: AT,
    role: "mayor",
    author: null,
    parts: [{ type: "text", text: `Text of ${id}` }],
    state: "complete",
    ...more,
  };
}

export function event(id: string, seq: number): TownEvent {
  return {
    bead_event_id: id,
    bead_id: null,
    agent_id: null,
    event_type: "created",
    new_value: null,
    created_at: AT,
    seq,
    rig_id: null,
    actor: { kind: "user", id: null, name: null },
    title: null,
    text: `Event ${id}`,
  };
}

export function snapshot(more: Partial<Snapshot> = {}): Snapshot {
  return {
    seq: 10,
    town: town(),
    rigs: [],
    agents: [],
    beads: [],
    mayor: null,
    events: [],
    truncated: false,
    ...more,
  };
}

export function frame(seq: number, type: string, data: unknown): Frame {
  return { seq, at: AT, type, rig_id: null, data };
}
