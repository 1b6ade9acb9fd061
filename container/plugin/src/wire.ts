/** The parts of the API's shapes (api.md 4) that results show. A field that is not read is not named. */

export interface LocalSession {
  role: string;
  kind: string;
  root_session_id: string | null;
}

export interface Wait {
  code: string;
  message: string;
}

export interface Bead {
  bead_id: string;
  type: string;
  status: string;
  title: string;
  priority: string;
  rig_id: string | null;
  rig_name?: string | null;
  assignee_name?: string | null;
  branch?: string | null;
  review_state?: string | null;
  held?: boolean;
  wait?: Wait | null;
  failure?: { message: string } | null;
}

export interface Agent {
  id: string;
  rig_id: string | null;
  rig_name?: string | null;
  role: string;
  name: string;
  status: string;
  agent_status_message?: string | null;
  assignment?: { bead_id: string; bead_title: string; phase: string; kind: string } | null;
}

export interface Rig {
  id: string;
  name: string;
  git_url: string;
  default_branch: string;
  target_branch?: string;
  purpose?: string | null;
}

export interface Mail {
  id: string;
  from_agent_id: string | null;
  from_name?: string | null;
  subject: string;
  body: string;
  created_at: string;
}

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

export interface VerdictReply {
  verdict: string;
  review_state: string;
  rework_bead_id?: string | null;
  round?: number;
  rounds_max?: number;
}
