/** Words of the API as people read them. */
import type { Agent, Assignment, AssignmentKind, Bead, MayorStatus } from "../../api/types";

/** "anthropic/claude-sonnet-4" is shown as "claude-sonnet-4"; the whole id stands in the title. */
export function shortModel(model: string): string {
  return model.slice(model.lastIndexOf("/") + 1);
}

/** The model that works on a bead, or else the last one that did, or else the one that was asked for. */
export function modelOf(bead: Bead, agent: Agent | undefined): string | null {
  const live = agent?.assignment;
  if (live?.bead_id === bead.bead_id && live.model !== null) return live.model;
  return bead.last_model ?? bead.requested_model;
}

export function shortId(id: string): string {
  return id.slice(0, 8);
}

const KIND_WORDS: Record<AssignmentKind, string> = {
  mayor: "talking with you",
  work: "Working on",
  rework: "Reworking",
  review: "Reviewing",
  landing: "Landing",
  conflict: "Resolving conflicts of",
  feedback: "Answering feedback on",
  fixup: "Fixing up",
  triage: "Triaging",
};

export function kindWords(kind: AssignmentKind): string {
  return KIND_WORDS[kind] ?? kind;
}

/** Where an assignment is: "running"; while it starts, the step of the start: "cloning". */
export function phaseWords({ phase, phase_detail }: Assignment): string {
  return phase === "starting" ? (phase_detail ?? phase) : phase;
}

export function mayorWords(mayor: MayorStatus | null): string {
  if (mayor?.error) return mayor.error.message;
  switch (mayor?.session?.status) {
    case "active":
      return "Thinking";
    case "starting":
      return "Starting";
    case "idle":
      return "Ready";
    case undefined:
      return "Asleep";
  }
}

const MONEY = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 2 });

export function costWords(cost: number | null): string | null {
  if (cost === null || cost === 0) return null;
  return cost < 0.01 ? "< $0.01" : MONEY.format(cost);
}
