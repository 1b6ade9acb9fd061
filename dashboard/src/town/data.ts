/**
 * What the page knows of one town, as a value, and how a snapshot and frames change it (api.md 6.2, 7.1).
 *
 * Pure: no clock, no network, no React. Every function returns a new value and shares the tables that it did not
 * change, so that a component that reads one table renders only when that table changed.
 */
import type {
  Agent,
  Assignment,
  AssignmentPhase,
  Bead,
  Frame,
  MayorMessage,
  MayorStatus,
  Rig,
  Snapshot,
  Town,
  TownEvent,
} from "../api/types";

/** Enough to fill a tall feed; older activity is loaded on demand. */
export const EVENTS_MAX = 200;

type Table<T> = ReadonlyMap<string, T>;

/** A message with the feed position that it was read at: the later reading wins, because messages carry no version. */
export interface HeardMessage {
  message: MayorMessage;
  asOf: number;
}

export interface TownData {
  /** The newest frame that is part of this value: where a stream resumes. */
  seq: number;
  town: Town;
  rigs: Table<Rig>;
  agents: Table<Agent>;
  beads: Table<Bead>;
  /** Newest first. */
  events: readonly TownEvent[];
  mayor: MayorStatus | null;
  messages: Table<HeardMessage>;
  /** Whether the snapshot left rows out, so that lists have to say that they are not complete. */
  truncated: boolean;
}

interface VersionedRows {
  beads: Bead;
  agents: Agent;
  rigs: Rig;
}

/** The town as the snapshot tells it. Messages are no part of a snapshot and stay. */
export function fromSnapshot(snapshot: Snapshot, previous: TownData | null = null): TownData {
  return {
    seq: snapshot.seq,
    town: snapshot.town,
    rigs: tableOf(snapshot.rigs, (rig) => rig.id),
    agents: tableOf(snapshot.agents, (agent) => agent.id),
    beads: tableOf(snapshot.beads, (bead) => bead.bead_id),
    events: newestEvents([], snapshot.events ?? []),
    mayor: snapshot.mayor,
    messages: previous?.messages ?? new Map(),
    truncated: snapshot.truncated ?? false,
  };
}

/**
 * Applies frames in the order in which they arrived. Frames at or below `seq` are old news and change nothing, so
 * that a stream may be resumed from any earlier point.
 */
export function applyFrames(data: TownData, frames: readonly Frame[]): TownData {
  const draft = new Draft(data);
  for (const frame of frames) {
    if (frame.seq <= draft.next.seq) continue;
    draft.apply(frame);
    draft.next.seq = frame.seq;
  }
  return draft.next.seq === data.seq ? data : draft.next;
}

/**
 * Adds messages that a request returned. `asOf` is the feed position when the request was sent: what a later frame
 * said wins over the answer.
 */
export function addMessages(data: TownData, rows: readonly MayorMessage[], asOf: number): TownData {
  const messages = new Map(data.messages);
  for (const message of rows) {
    const known = messages.get(message.id);
    if (known === undefined || known.asOf <= asOf) messages.set(message.id, { message, asOf });
  }
  return { ...data, messages };
}

/** As `addMessages`, but forgets what was read before: the first page after a reset starts the list again. */
export function replaceMessages(data: TownData, rows: readonly MayorMessage[], asOf: number): TownData {
  const later = new Map([...data.messages].filter(([, heard]) => heard.asOf > asOf));
  return addMessages({ ...data, messages: later }, rows, asOf);
}

/** A copy of the town that copies a table on the first write to it. */
class Draft {
  readonly next: TownData;
  private readonly owned = new Set<string>();

  constructor(base: TownData) {
    this.next = { ...base };
  }

  apply(frame: Frame): void {
    switch (frame.type) {
      case "bead.created":
      case "bead.updated": {
        const bead = frame.data as Bead;
        this.put("beads", bead.bead_id, bead);
        break;
      }
      case "bead.deleted":
        this.remove("beads", (frame.data as { bead_id: string }).bead_id);
        break;
      case "agent.updated": {
        const agent = frame.data as Agent;
        this.put("agents", agent.id, agent);
        break;
      }
      case "agent.deleted":
        this.remove("agents", (frame.data as { agent_id: string }).agent_id);
        break;
      case "agent.status":
        this.noteStatus(frame.data as { agent_id: string; message: string; at: string });
        break;
      case "assignment.updated":
        this.noteAssignment(frame.data as Assignment);
        break;
      case "rig.updated": {
        const rig = frame.data as Rig;
        this.put("rigs", rig.id, rig);
        break;
      }
      case "rig.deleted":
        this.remove("rigs", (frame.data as { rig_id: string }).rig_id);
        break;
      case "town.updated": {
        const town = frame.data as Town;
        if (town.version >= this.next.town.version) this.next.town = town;
        break;
      }
      case "mayor.updated":
        this.next.mayor = frame.data as MayorStatus;
        break;
      case "mayor.message": {
        const message = frame.data as MayorMessage;
        this.own("messages").set(message.id, { message, asOf: frame.seq });
        break;
      }
      case "activity":
        this.next.events = newestEvents(this.next.events, [frame.data as TownEvent]);
        break;
      // The types of pages that are not built and those of later servers: they only move `seq`.
      default:
        break;
    }
  }

  /**
   * Keeps the row with the higher version. At equal versions the later frame wins: fields that are derived from other
   * rows (an assignee's name, a wait) can change without the row itself, and frames arrive in the order of the feed.
   */
  private put<K extends keyof VersionedRows>(table: K, id: string, row: VersionedRows[K]): void {
    const known = this.next[table].get(id);
    if (known !== undefined && known.version > row.version) return;
    this.own<VersionedRows[K]>(table).set(id, row);
  }

  private remove(table: keyof VersionedRows, id: string): void {
    if (this.next[table].has(id)) this.own(table).delete(id);
  }

  private noteStatus(status: { agent_id: string; message: string; at: string }): void {
    const agent = this.next.agents.get(status.agent_id);
    if (agent === undefined || (agent.agent_status_updated_at ?? "") > status.at) return;
    this.own<Agent>("agents").set(agent.id, {
      ...agent,
      agent_status_message: status.message,
      agent_status_updated_at: status.at,
    });
  }

  /**
   * Moves the live assignment of an agent forward by phase. Another assignment than the one that is known is left
   * to the agent's own row, which has a version to compare.
   */
  private noteAssignment(assignment: Assignment): void {
    const agent = this.next.agents.get(assignment.agent_id);
    if (agent === undefined) return;
    const known = agent.assignment;
    const isEnded = assignment.phase === "ended";
    if (known === null ? isEnded : !supersedes(assignment, known)) return;
    this.own<Agent>("agents").set(agent.id, { ...agent, assignment: isEnded ? null : assignment });
  }

  private own<T>(table: keyof VersionedRows | "messages"): Map<string, T> {
    if (!this.owned.has(table)) {
      Object.assign(this.next, { [table]: new Map(this.next[table] as Table<unknown>) });
      this.owned.add(table);
    }
    return this.next[table] as unknown as Map<string, T>;
  }
}

const PHASE_ORDER: Record<AssignmentPhase, number> = {
  queued: 0,
  starting: 1,
  running: 2,
  finishing: 3,
  ended: 4,
};

function supersedes(assignment: Assignment, known: Assignment): boolean {
  return (
    assignment.assignment_id === known.assignment_id &&
    PHASE_ORDER[assignment.phase] >= PHASE_ORDER[known.phase]
  );
}

function tableOf<T>(rows: readonly T[] | undefined, id: (row: T) => string): Table<T> {
  return new Map((rows ?? []).map((row) => [id(row), row]));
}

function newestEvents(known: readonly TownEvent[], added: readonly TownEvent[]): readonly TownEvent[] {
  const byId = new Map<string, TownEvent>();
  for (const event of [...added, ...known]) byId.set(event.bead_event_id, event);
  return [...byId.values()].sort((a, b) => b.seq - a.seq).slice(0, EVENTS_MAX);
}
