/**
 * The shapes of api.md 4 that the dashboard reads, reduced to the fields it shows.
 *
 * Written by hand. TO BE REPLACED by the types generated from the OpenAPI document (api.md 1.10) as soon as the
 * Worker serves it: nothing but types may stand in this file, so that the swap is a change of imports.
 */

export type Instant = string;

export interface Tokens {
  input: number;
  output: number;
  cache_read: number;
  cache_write: number;
}

export interface Failure {
  code: string;
  message: string;
  source: string;
  at: Instant;
}

export interface Wait {
  code: string;
  message: string;
  since: Instant;
  until: Instant | null;
  scope: "bead" | "agent" | "rig" | "town";
  bead_id: string | null;
  agent_id: string | null;
}

export type BeadStatus = "open" | "in_progress" | "in_review" | "closed" | "failed";
export type BeadType = "issue" | "message" | "escalation" | "merge_request" | "convoy" | "molecule" | "agent";
export type Priority = "low" | "medium" | "high" | "critical";

export interface Bead {
  bead_id: string;
  type: BeadType;
  status: BeadStatus;
  title: string;
  body: string | null;
  rig_id: string | null;
  assignee_agent_bead_id: string | null;
  priority: Priority;
  labels: string[];
  created_at: Instant;
  updated_at: Instant;
  closed_at: Instant | null;
  version: number;
  attempt: number;
  held: boolean;
  assignee_name: string | null;
  branch: string | null;
  pr_url: string | null;
  review_state: string | null;
  requested_model: string | null;
  last_model: string | null;
  failure: Failure | null;
  wait: Wait | null;
  tokens: Tokens;
  cost_usd: number | null;
}

export type AssignmentKind =
  | "work"
  | "rework"
  | "review"
  | "landing"
  | "conflict"
  | "feedback"
  | "fixup"
  | "triage";
export type AssignmentPhase = "queued" | "starting" | "running" | "finishing" | "ended";

export interface Assignment {
  assignment_id: string;
  epoch: number;
  bead_id: string;
  bead_title: string;
  agent_id: string;
  agent_name: string;
  rig_id: string;
  kind: AssignmentKind;
  phase: AssignmentPhase;
  phase_detail: string | null;
  attempt: number;
  model: string | null;
  model_reason: string | null;
  branch: string | null;
  queued_at: Instant;
  started_at: Instant | null;
  ended_at: Instant | null;
  outcome: string | null;
}

export type AgentRole = "mayor" | "refinery" | "polecat";
export type AgentStatus = "idle" | "working" | "waiting" | "stalled" | "dead";

export interface Agent {
  id: string;
  rig_id: string | null;
  role: AgentRole;
  name: string;
  status: AgentStatus;
  current_hook_bead_id: string | null;
  last_activity_at: Instant | null;
  agent_status_message: string | null;
  agent_status_updated_at: Instant | null;
  version: number;
  assignment: Assignment | null;
  state_reason: string | null;
  current_tool: string | null;
  cost_usd: number | null;
}

export interface Town {
  id: string;
  name: string;
  version: number;
  paused: boolean;
  owner_org_id?: string | null;
  counts: {
    rigs: number;
    working_agents: number;
    open_beads: number;
    escalations: number;
    needs_attention: number;
  };
}

export interface Rig {
  id: string;
  town_id: string;
  name: string;
  git_url: string;
  version: number;
}

export interface TownEvent {
  bead_event_id: string;
  bead_id: string | null;
  agent_id: string | null;
  event_type: string;
  new_value: string | null;
  created_at: Instant;
  seq: number;
  rig_id: string | null;
  actor: { kind: string; id: string | null; name: string | null };
  title: string | null;
  text: string;
}

export interface MayorStatus {
  configured: boolean;
  session: {
    agentId: string;
    sessionId: string | null;
    status: "idle" | "active" | "starting";
    lastActivityAt: Instant | null;
  } | null;
  model?: string | null;
  modelReason?: string | null;
  error?: Failure | null;
  wait?: Wait | null;
}

export interface MessageRef {
  kind: "bead" | "convoy" | "agent" | "rig";
  id: string;
  rig_id?: string | null;
}

export type MessagePart =
  | { type: "text"; text: string }
  | {
      type: "tool";
      tool: string;
      state: "pending" | "running" | "completed" | "error";
      title: string;
      refs: MessageRef[];
      error?: string | null;
    };

export interface MayorMessage {
  id: string;
  at: Instant;
  role: "user" | "mayor" | "system";
  author: string | null;
  parts: MessagePart[];
  state: "queued" | "delivered" | "streaming" | "complete" | "failed";
}

export interface Snapshot {
  seq: number;
  town: Town;
  rigs: Rig[];
  agents: Agent[];
  beads: Bead[];
  mayor: MayorStatus | null;
  events: TownEvent[];
  truncated: boolean;
}

/** What a `data:` line of the town channel holds (api.md 6.2). */
export interface Frame<T = unknown> {
  seq: number;
  at: Instant;
  type: string;
  rig_id: string | null;
  data: T;
}

export interface Session {
  user: { id: string; name: string | null; email: string | null; is_admin: boolean };
  expires_at: Instant;
}

export interface ErrorBody {
  success: false;
  error: string;
  code: string;
  request_id?: string;
}
