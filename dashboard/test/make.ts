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
const NO_TOKENS = { input: 0, output: 0, cache_read: 0, cache_write: 0 };

export function town(more: Partial<Town> = {}): Town {
  return {
    id: "town",
    name: "Town",
    owner_user_id: "user",
    role: "owner",
    created_at: AT,
    updated_at: AT,
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
    metadata: {},
    parent_bead_id: null,
    dispatch_attempts: 0,
    last_dispatch_attempt_at: null,
    created_by: "user",
    created_at: AT,
    updated_at: AT,
    closed_at: null,
    version: 1,
    attempt: 1,
    held: false,
    staged: false,
    blocked_by: [],
    convoy_id: null,
    skipped: false,
    assignee_name: null,
    branch: null,
    pr_url: null,
    review_state: null,
    requested_model: null,
    last_model: null,
    outcome: null,
    failure: null,
    wait: null,
    tokens: NO_TOKENS,
    cost_usd: null,
    budget_usd: null,
    ...more,
  };
}

export function agent(id: string, more: Partial<Agent> = {}): Agent {
  return {
    id,
    rig_id: "rig",
    role: "polecat",
    name: id,
    identity: `${id}-polecat-rig@town`,
    status: "idle",
    dispatch_attempts: 0,
    checkpoint: null,
    created_at: AT,
    current_hook_bead_id: null,
    last_activity_at: null,
    agent_status_message: null,
    agent_status_updated_at: null,
    version: 1,
    assignment: null,
    state_reason: null,
    current_tool: null,
    context_used_percent: null,
    rss_bytes: null,
    pending_nudges: 0,
    undelivered_mail: 0,
    tokens: NO_TOKENS,
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
    small_model: "maker/small",
    model_source: "profile",
    model_reason: "default",
    branch: "polecat/toast/b1",
    base: "main",
    commit: null,
    lease_until: null,
    queued_at: AT,
    started_at: null,
    running_at: null,
    ended_at: null,
    outcome: null,
    reason: null,
    summary: null,
    tokens: NO_TOKENS,
    cost_usd: null,
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
    old_value: null,
    new_value: null,
    metadata: {},
    convoy_id: null,
    rule: null,
    cause_seq: null,
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
    mayor: {
      configured: true,
      townId: "town",
      agentId: "mayor",
      session: null,
      model: null,
      modelReason: null,
      modelPending: null,
      error: null,
      wait: null,
    },
    convoys: [],
    escalations: [],
    merge_queue: { needs_attention: [], in_flight: [] },
    status: {
      seq: 10,
      agents: { total: 0, idle: 0, working: 0, waiting: 0, stalled: 0, dead: 0 },
      beads: { open: 0, inProgress: 0, inReview: 0, failed: 0, triageRequests: 0 },
      paused: false,
      pauseReason: null,
      draining: false,
      drainStartedAt: null,
      slots: { used: 0, total: 0 },
      alarm: { nextFireAt: null, intervalMs: 0, intervalLabel: "idle" },
      patrol: { guppWarnings: 0, guppEscalations: 0, stalledAgents: 0, orphanedHooks: 0 },
      reconciler: null,
      recentEvents: [],
      breaker: { state: "closed", opens_until: null, failures: 0, last_error: null },
      budget: [],
      runtime: null,
      needsAttention: 0,
    },
    events: [],
    truncated: false,
    ...more,
  };
}

export function frame(seq: number, type: string, data: unknown): Frame {
  return { seq, at: AT, type, rig_id: null, data };
}
