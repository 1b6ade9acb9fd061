import { describe, expect, test } from "vitest";
import type { Frame } from "../src/api/types";
import {
  addMessages,
  applyFrames,
  EVENTS_MAX,
  fromSnapshot,
  replaceMessages,
  type TownData,
} from "../src/town/data";
import { agent, assignment, bead, event, frame, message, snapshot, town } from "./make";

/** What a person sees of the data, one line per row, so that a test reads as data in, data out. */
function show(data: TownData): string[] {
  return [
    `seq ${data.seq}`,
    ...[...data.beads.values()].map((row) => `bead ${row.bead_id} ${row.status} v${row.version}`),
    ...[...data.agents.values()].map(
      (row) => `agent ${row.id} ${row.status} v${row.version} ${row.assignment?.phase ?? "-"}`,
    ),
    ...[...data.messages.values()].map(({ message }) => `message ${message.id} ${message.state}`),
    ...data.events.map((row) => `event ${row.bead_event_id}`),
  ].sort();
}

function check(start: Parameters<typeof snapshot>[0], frames: Frame[], expected: string[]): void {
  expect(show(applyFrames(fromSnapshot(snapshot(start)), frames))).toEqual([...expected].sort());
}

describe("rows", () => {
  test("are created, replaced and removed", () => {
    check(
      { beads: [bead("b1"), bead("b2")] },
      [
        frame(11, "bead.updated", bead("b1", { status: "in_progress", version: 2 })),
        frame(12, "bead.created", bead("b3")),
        frame(13, "bead.deleted", { bead_id: "b2", rig_id: "rig" }),
      ],
      ["seq 13", "bead b1 in_progress v2", "bead b3 open v1"],
    );
  });

  test("keep the higher version, whatever comes last", () => {
    check(
      { beads: [bead("b1", { status: "closed", version: 5 })] },
      [
        frame(11, "bead.updated", bead("b1", { status: "in_progress", version: 3 })),
        frame(12, "bead.updated", bead("b1", { status: "in_review", version: 4 })),
      ],
      ["seq 12", "bead b1 closed v5"],
    );
  });

  test("of one version follow the feed, because what is derived from others changes without them", () => {
    const start = fromSnapshot(snapshot({ beads: [bead("b1", { assignee_name: null })] }));
    const next = applyFrames(start, [
      frame(11, "bead.updated", bead("b1", { assignee_name: "Toast" })),
      frame(12, "bead.updated", bead("b1", { assignee_name: "Maple" })),
    ]);
    expect(next.beads.get("b1")?.assignee_name).toBe("Maple");
  });

  test("stay as they are when a frame is heard again", () => {
    const start = applyFrames(fromSnapshot(snapshot()), [
      frame(11, "bead.created", bead("b1")),
      frame(12, "bead.deleted", { bead_id: "b1", rig_id: "rig" }),
    ]);
    expect(applyFrames(start, [frame(11, "bead.created", bead("b1"))])).toBe(start);
  });

  test("share tables that did not change", () => {
    const start = fromSnapshot(snapshot({ beads: [bead("b1")], agents: [agent("a1")] }));
    const next = applyFrames(start, [frame(11, "bead.created", bead("b2"))]);
    expect(next.agents).toBe(start.agents);
    expect(next.beads).not.toBe(start.beads);
    expect(start.beads.size).toBe(1);
  });

  test("of types that this page does not know only move the resume point", () => {
    check({ beads: [bead("b1")] }, [frame(11, "weather.changed", {})], ["seq 11", "bead b1 open v1"]);
  });
});

describe("agents", () => {
  const working = (phase: "starting" | "running") =>
    agent("a1", { status: "working", version: 4, assignment: assignment("s1", "a1", { phase }) });

  test("move forward with their assignment", () => {
    check(
      { agents: [working("starting")] },
      [frame(11, "assignment.updated", assignment("s1", "a1", { phase: "running" }))],
      ["seq 11", "agent a1 working v4 running"],
    );
  });

  test("never move back to an earlier phase or to another assignment", () => {
    check(
      { agents: [working("running")] },
      [
        frame(11, "assignment.updated", assignment("s1", "a1", { phase: "starting" })),
        frame(12, "assignment.updated", assignment("s0", "a1", { phase: "running" })),
        frame(13, "assignment.updated", assignment("s0", "a1", { phase: "ended" })),
      ],
      ["seq 13", "agent a1 working v4 running"],
    );
  });

  test("lose an assignment that ended", () => {
    check(
      { agents: [working("running")] },
      [frame(11, "assignment.updated", assignment("s1", "a1", { phase: "ended" }))],
      ["seq 11", "agent a1 working v4 -"],
    );
  });

  test("show the newest status message", () => {
    const said = (at: string, text: string) => ({ agent_id: "a1", message: text, at });
    const data = applyFrames(fromSnapshot(snapshot({ agents: [agent("a1")] })), [
      frame(11, "agent.status", said("2026-01-02T00:00:02.000Z", "testing")),
      frame(12, "agent.status", said("2026-01-02T00:00:01.000Z", "reading")),
      frame(13, "agent.status", { agent_id: "unknown", message: "lost", at: "2026-01-02T00:00:09.000Z" }),
    ]);
    expect(data.agents.get("a1")?.agent_status_message).toBe("testing");
  });
});

describe("activity", () => {
  test("is newest first, without doubles", () => {
    const data = applyFrames(fromSnapshot(snapshot({ events: [event("e10", 10), event("e9", 9)] })), [
      frame(11, "activity", event("e10", 10)),
      frame(12, "activity", event("e12", 12)),
    ]);
    expect(data.events.map((row) => row.bead_event_id)).toEqual(["e12", "e10", "e9"]);
  });

  test("is bounded", () => {
    const frames = Array.from({ length: EVENTS_MAX + 20 }, (_, n) =>
      frame(11 + n, "activity", event(`e${n}`, 11 + n)),
    );
    expect(applyFrames(fromSnapshot(snapshot()), frames).events).toHaveLength(EVENTS_MAX);
  });
});

describe("messages", () => {
  const start = fromSnapshot(snapshot());
  const streaming = frame(11, "mayor.message", message("m1", { state: "streaming" }));
  const complete = frame(12, "mayor.message", message("m1", { state: "complete" }));

  test("grow by frames", () => {
    expect(show(applyFrames(start, [streaming, complete]))).toContain("message m1 complete");
  });

  test("that a request returned do not undo what a later frame said", () => {
    const data = addMessages(
      applyFrames(start, [streaming, complete]),
      [message("m1", { state: "streaming" })],
      11,
    );
    expect(show(data)).toContain("message m1 complete");
  });

  test("that a request returned replace what was known before it was sent", () => {
    const data = addMessages(applyFrames(start, [streaming]), [message("m1", { state: "complete" })], 11);
    expect(show(data)).toContain("message m1 complete");
  });

  test("survive a reset until they are loaded again", () => {
    const before = addMessages(start, [message("old")], 10);
    const reset = fromSnapshot(snapshot({ seq: 90 }), before);
    expect(show(reset)).toContain("message old complete");
    const later = applyFrames(reset, [frame(91, "mayor.message", message("newer"))]);
    const loaded = replaceMessages(later, [message("m7")], 90);
    expect(show(loaded)).toEqual(["message m7 complete", "message newer complete", "seq 91"]);
  });
});

describe("snapshot and stream", () => {
  test("a reset forgets what the new snapshot does not name", () => {
    const before = applyFrames(fromSnapshot(snapshot({ beads: [bead("gone")] })), [
      frame(11, "town.updated", town({ version: 9, name: "Old" })),
    ]);
    const after = fromSnapshot(
      snapshot({ seq: 40, beads: [bead("b1")], town: town({ version: 12 }) }),
      before,
    );
    expect(show(after)).toEqual(["bead b1 open v1", "seq 40"]);
    expect(after.town.version).toBe(12);
  });

  test("end in the same state from every cut point, also when rows are newer than the snapshot's seq", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const history = randomHistory(seed, 60);
      const whole = show(applyFrames(fromSnapshot(snapshot({ seq: 0 })), history));
      for (let cut = 0; cut <= history.length; cut += 3) {
        // The seq is read first: the rows may already know of up to four later frames.
        const rows = applyFrames(fromSnapshot(snapshot({ seq: 0 })), history.slice(0, cut + (seed % 5)));
        const taken = fromSnapshot(
          snapshot({
            seq: cut,
            beads: [...rows.beads.values()],
            agents: [...rows.agents.values()],
            events: [...rows.events],
          }),
        );
        const messages = [...rows.messages.values()].map((heard) => heard.message);
        const resumedFrom = Math.max(0, cut - (seed % 3));
        const end = applyFrames(addMessages(taken, messages, cut), history.slice(resumedFrom));
        expect(show(end), `seed ${seed}, cut ${cut}`).toEqual(whole);
      }
    }
  });

  test("end in the same state however the frames are batched", () => {
    const history = randomHistory(7, 80);
    const start = fromSnapshot(snapshot({ seq: 0 }));
    const whole = applyFrames(start, history);
    let data = start;
    for (const each of history) data = applyFrames(data, [each]);
    expect(show(data)).toEqual(show(whole));
  });
});

/** A town's feed as the server would write it: every row change has the next version, deleted ids are not used again. */
function randomHistory(seed: number, length: number): Frame[] {
  let state = seed * 2_654_435_761;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const statuses = ["open", "in_progress", "in_review", "closed", "failed"] as const;
  const versions = new Map<string, number>();
  const dead = new Set<string>();
  const frames: Frame[] = [];
  const next = (id: string) => {
    versions.set(id, (versions.get(id) ?? 0) + 1);
    return versions.get(id) ?? 1;
  };
  for (let seq = 1; seq <= length; seq += 1) {
    const id = `b${random(8)}`;
    const agentId = `a${random(3)}`;
    const roll = random(10);
    if (dead.has(id) && roll < 6) {
      frames.push(frame(seq, "town.status", {}));
    } else if (roll < 5) {
      const row = bead(id, { status: statuses[random(5)] ?? "open", version: next(id) });
      frames.push(frame(seq, row.version === 1 ? "bead.created" : "bead.updated", row));
    } else if (roll < 6) {
      dead.add(id);
      frames.push(frame(seq, "bead.deleted", { bead_id: id, rig_id: "rig" }));
    } else if (roll < 8) {
      frames.push(frame(seq, "agent.updated", agent(agentId, { version: next(agentId) })));
    } else if (roll < 9) {
      const isDone = random(2) === 0;
      frames.push(
        frame(seq, "mayor.message", message(`m${random(4)}`, { state: isDone ? "complete" : "streaming" })),
      );
    } else {
      frames.push(frame(seq, "activity", event(`e${seq}`, seq)));
    }
  }
  return frames;
}
