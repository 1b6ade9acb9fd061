/**
 * The parts of the API's shapes that results show: named here by their fields, typed by the API document (`docs/openapi.ts`,
 * which `cargo xtask golden` writes). What only some replies carry is optional.
 */

import type { components } from "../../../docs/openapi.ts";

type Schemas = components["schemas"];
/** Some fields that are always there, and some that a reply may leave out. */
type Part<T, Always extends keyof T, Maybe extends keyof T = never> = Pick<T, Always> & Partial<Pick<T, Maybe>>;

/** What the broker says of this process; not of the API. */
export interface LocalSession {
  role: string;
  kind: string;
  root_session_id: string | null;
}

export type Wait = Pick<Schemas["Wait"], "code" | "message">;

export type Bead = Part<
  Omit<Schemas["Bead"], "wait" | "failure">,
  "bead_id" | "type" | "status" | "title" | "priority" | "rig_id",
  "assignee_name" | "branch" | "review_state" | "held"
> & { rig_name?: string | null; wait?: Wait | null; failure?: Pick<Schemas["Failure"], "message"> | null };

export type Agent = Part<
  Omit<Schemas["Agent"], "assignment">,
  "id" | "rig_id" | "role" | "name" | "status",
  "agent_status_message"
> & {
  rig_name?: string | null;
  assignment?: Pick<Schemas["Assignment"], "bead_id" | "bead_title" | "phase" | "kind"> | null;
};

export type Rig = Part<Schemas["Rig"], "id" | "name" | "git_url" | "default_branch", "target_branch" | "purpose">;

export type Mail = Part<Schemas["Mail"], "id" | "from_agent_id" | "subject" | "body" | "created_at", "from_name">;

export interface Molecule {
  currentStep: number;
  totalSteps: number;
  status: string;
}

export interface MoleculeStep extends Molecule {
  title: string;
  instructions: string;
}

export interface ConvoyTask {
  bead_id: string;
  title: string;
  status: string;
  assignee_agent_name?: string | null;
  wait?: Wait | null;
}

export interface Convoy {
  id: string;
  title: string;
  state: string;
  total_beads: number;
  closed_beads: number;
  failed_beads?: number;
  skipped_beads?: number;
  in_flight_beads?: number;
  failure?: { message: string } | null;
  beads?: ConvoyTask[];
  actions?: string[];
}

export interface Escalation {
  id: string;
  title?: string;
  message: string;
  severity: string;
  acknowledged: number;
  source_bead_id?: string | null;
  created_at: string;
}

export interface Attempt {
  kind: string;
  agent_name: string;
  model?: string | null;
  outcome?: string | null;
  cost_usd?: number | null;
}

export interface Explain {
  bead: Bead;
  waits: Wait[];
  blockers?: { bead_id: string; title: string; status: string }[];
  assignments: Attempt[];
}

export interface PrimeContext {
  undelivered_mail?: Mail[];
  [field: string]: unknown;
}

export interface SlingReply {
  bead: Bead;
  agent: Agent | null;
  model: string | { model: string };
  wait: Wait | null;
}

export interface VerdictReply extends Part<Schemas["Judged"], "verdict" | "review_state", "rework_bead_id"> {
  round?: number;
  rounds_max?: number;
}
