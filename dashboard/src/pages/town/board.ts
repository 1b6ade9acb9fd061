/** Which beads a board shows, in which column and order. Pure. */
import type { Bead, BeadStatus, Priority } from "../../api/types";

export const COLUMNS: readonly BeadStatus[] = ["open", "in_progress", "in_review", "closed", "failed"];

/** The work among the beads that contains all the words, by status. */
export function columnsOf(beads: Iterable<Bead>, words: string): Record<BeadStatus, Bead[]> {
  const columns: Record<BeadStatus, Bead[]> = {
    open: [],
    in_progress: [],
    in_review: [],
    closed: [],
    failed: [],
  };
  const needles = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const bead of beads) {
    if (isWork(bead) && matches(bead, needles)) columns[bead.status]?.push(bead);
  }
  for (const status of COLUMNS)
    columns[status].sort(status === "closed" || status === "failed" ? byEnd : byTurn);
  return columns;
}

function isWork(bead: Bead): boolean {
  return bead.type === "issue" || bead.type === "molecule";
}

function matches(bead: Bead, needles: readonly string[]): boolean {
  if (needles.length === 0) return true;
  const text = [bead.bead_id, bead.title, bead.assignee_name ?? "", ...bead.labels].join("\n").toLowerCase();
  return needles.every((needle) => text.includes(needle));
}

const URGENCY: Record<Priority, number> = { critical: 0, high: 1, medium: 2, low: 3 };

/** The order in which work is dispatched: priority, then age. */
function byTurn(a: Bead, b: Bead): number {
  return URGENCY[a.priority] - URGENCY[b.priority] || a.created_at.localeCompare(b.created_at);
}

function byEnd(a: Bead, b: Bead): number {
  return (b.closed_at ?? b.updated_at).localeCompare(a.closed_at ?? a.updated_at);
}
