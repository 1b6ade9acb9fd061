import { beforeEach, describe, expect, test } from "vitest";
import { ApiError, type Page } from "../src/api/client";
import type { StreamEnd, StreamEvent, StreamOptions } from "../src/api/sse";
import type { Frame, MayorMessage, Snapshot } from "../src/api/types";
import { createTownStore, type TownStore } from "../src/town/store";
import { type Environment, HIDDEN_MAX_MS, TownSync } from "../src/town/sync";
import { bead, frame, message, snapshot } from "./make";

/** One connection as the server sees it: the test decides what is sent and how it ends. */
interface Connection extends StreamOptions {
  end(how: StreamEnd): void;
}

/** The world around a sync: time moves by `advance`, answers are queued, connections wait for the test. */
class World implements Environment {
  time = 0;
  online = true;
  hidden = false;
  snapshots: (Snapshot | ApiError)[] = [];
  pages: (Page<MayorMessage> | ApiError)[] = [];
  connections: Connection[] = [];
  private timers = new Set<{ at: number; run: () => void }>();
  private listeners = new Set<() => void>();

  now = () => this.time;
  random = () => 1;
  isOnline = () => this.online;
  isHidden = () => this.hidden;

  setTimeout = (run: () => void, ms: number) => {
    const timer = { at: this.time + ms, run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  };

  onChange = (run: () => void) => {
    this.listeners.add(run);
    return () => this.listeners.delete(run);
  };

  loadSnapshot = async () => answer(this.snapshots.shift() ?? snapshot());
  loadMessages = async () => answer(this.pages.shift() ?? { rows: [], nextCursor: null });

  readStream = (options: StreamOptions) =>
    new Promise<StreamEnd>((resolve) => {
      this.connections.push({ ...options, end: resolve });
      options.signal.addEventListener("abort", () => resolve({ kind: "aborted" }));
    });

  async advance(ms: number) {
    this.time += ms;
    for (const timer of [...this.timers]) {
      if (timer.at <= this.time && this.timers.delete(timer)) timer.run();
    }
    await settle();
  }

  async change(what: Partial<Pick<World, "online" | "hidden">>) {
    Object.assign(this, what);
    for (const listener of this.listeners) listener();
    await settle();
  }

  get last(): Connection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error("nothing has connected");
    return connection;
  }

  async send(...frames: Frame[]) {
    this.last.onEvents(frames.map((each) => ({ id: String(each.seq), event: each.type, data: each })));
    await settle();
  }

  async sendControl(event: "hello" | "reset" | "bye", data: unknown) {
    this.last.onEvents([{ id: null, event, data } satisfies StreamEvent]);
    await settle();
  }

  async end(how: StreamEnd) {
    this.last.end(how);
    await settle();
  }
}

function answer<T>(value: T | ApiError): T {
  if (value instanceof ApiError) throw value;
  return value;
}

/** Lets everything that is already decided happen: nothing in these tests waits for real time. */
async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

let world: World;
let store: TownStore;
let sync: TownSync;

beforeEach(() => {
  world = new World();
  store = createTownStore();
});

async function start() {
  sync = new TownSync("town", store, world);
  const run = sync.run();
  await settle();
  return run;
}

async function startLive() {
  void start();
  await settle();
  await world.sendControl("hello", { seq: 10 });
}

const kind = () => store.getState().connection.kind;
const beads = () =>
  [...(store.getState().data?.beads.values() ?? [])].map((row) => `${row.bead_id} v${row.version}`);
const closed: StreamEnd = { kind: "closed" };

describe("a town's store", () => {
  test("loads the snapshot, follows the stream from its seq, and is live after hello", async () => {
    world.snapshots = [snapshot({ seq: 41, beads: [bead("b1")] })];
    void start();
    await settle();
    expect(kind()).toBe("connecting");
    expect(world.last.url).toBe("/api/towns/town/events/stream?after=41");
    expect(world.last.lastEventId).toBeNull();

    await world.sendControl("hello", { seq: 41 });
    expect(kind()).toBe("live");
    await world.send(
      frame(42, "bead.updated", bead("b1", { version: 2 })),
      frame(43, "bead.created", bead("b2")),
    );
    expect(beads()).toEqual(["b1 v2", "b2 v1"]);
  });

  test("resumes with the id of the last frame that it has, without a snapshot", async () => {
    await startLive();
    await world.send(frame(11, "bead.created", bead("b1")), frame(12, "town.status", {}));
    await world.end(closed);
    expect(kind()).toBe("reconnecting");
    await world.advance(400);
    expect(world.connections).toHaveLength(2);
    expect(world.last.lastEventId).toBe("12");
    expect(world.last.url).toContain("after=12");
    expect(beads()).toEqual(["b1 v1"]);
    await world.sendControl("hello", { seq: 12 });
    expect(kind()).toBe("live");
  });

  test("says since when it is out of touch, however often it tries", async () => {
    await startLive();
    await world.advance(60_000);
    await world.end({ kind: "silent" });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await world.advance(20_000);
      await world.end({ kind: "unreachable" });
    }
    expect(store.getState().connection).toEqual({ kind: "reconnecting", heardAt: 60_000 });
  });

  test("backs off, up to a limit, and starts again quickly after a healthy connection", async () => {
    await startLive();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await world.end({ kind: "unreachable" });
      const before = world.connections.length;
      let waited = 0;
      while (world.connections.length === before) {
        await world.advance(100);
        waited += 100;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000]);
    await world.advance(11_000);
    await world.end(closed);
    await world.advance(400);
    expect(world.connections).toHaveLength(10);
  });

  test("loads everything again on reset and goes on from the new seq", async () => {
    world.snapshots = [
      snapshot({ seq: 10, beads: [bead("gone")] }),
      snapshot({ seq: 500, beads: [bead("b1", { version: 7 })] }),
    ];
    world.pages = [
      { rows: [message("m1")], nextCursor: null },
      { rows: [message("m2")], nextCursor: "older" },
    ];
    await startLive();
    await world.sendControl("reset", { reason: "gone", seq: 500 });
    expect(beads()).toEqual(["b1 v7"]);
    expect([...(store.getState().data?.messages.keys() ?? [])]).toEqual(["m2"]);
    expect(store.getState().history).toMatchObject({ state: "ready", nextCursor: "older" });
    expect(world.last.url).toContain("after=500");
    expect(world.last.lastEventId).toBeNull();
  });

  test("comes back at once after a farewell", async () => {
    await startLive();
    await world.send(frame(11, "bead.created", bead("b1")));
    await world.advance(1_800_000);
    await world.sendControl("bye", {});
    expect(world.connections).toHaveLength(2);
    expect(world.last.lastEventId).toBe("11");
    expect(kind()).toBe("live");
  });

  test("does not hammer a server that only says farewell", async () => {
    await startLive();
    await world.sendControl("bye", {});
    await world.sendControl("bye", {});
    expect(world.connections).toHaveLength(2);
    await world.advance(1_000);
    expect(world.connections).toHaveLength(3);
  });

  test("stops when the credential ends", async () => {
    const run = start();
    await settle();
    await world.sendControl("bye", { reason: "unauthorized" });
    await run;
    expect(kind()).toBe("signed_out");
    expect(world.connections).toHaveLength(1);
  });

  test("stops when the town is refused, and says so", async () => {
    world.snapshots = [new ApiError(404, "not_found", "No such town")];
    await start();
    expect(store.getState().connection).toMatchObject({ kind: "refused", error: { code: "not_found" } });
  });

  test("keeps trying while the server is not there, shows why, and tries at once when asked", async () => {
    world.snapshots = [
      new ApiError(503, "draining", "Restarting"),
      new ApiError(0, "unreachable", "Nobody"),
      snapshot({ seq: 3 }),
    ];
    void start();
    await settle();
    expect(store.getState().loadError?.code).toBe("draining");
    await world.advance(400);
    expect(store.getState().loadError?.code).toBe("unreachable");
    sync.retry();
    await settle();
    expect(store.getState().loadError).toBeNull();
    expect(world.last.url).toContain("after=3");
  });

  test("closes while offline and resumes when the network is back", async () => {
    await startLive();
    await world.send(frame(11, "bead.created", bead("b1")));
    await world.change({ online: false });
    expect(kind()).toBe("offline");
    expect(world.last.signal.aborted).toBe(true);
    await world.advance(600_000);
    expect(world.connections).toHaveLength(1);
    await world.change({ online: true });
    expect(world.connections).toHaveLength(2);
    expect(world.last.lastEventId).toBe("11");
  });

  test("rests after five minutes in the background, not before, and resumes when looked at", async () => {
    await startLive();
    await world.change({ hidden: true });
    await world.advance(HIDDEN_MAX_MS - 1);
    expect(kind()).toBe("live");
    await world.advance(1);
    expect(kind()).toBe("resting");
    expect(world.last.signal.aborted).toBe(true);
    await world.change({ hidden: false });
    expect(world.connections).toHaveLength(2);
  });

  test("stays connected when a person only looks away for a moment", async () => {
    await startLive();
    await world.change({ hidden: true });
    await world.advance(60_000);
    await world.change({ hidden: false });
    await world.advance(HIDDEN_MAX_MS);
    expect(kind()).toBe("live");
    expect(world.connections).toHaveLength(1);
  });

  test("ends its connection and its loop when it is stopped", async () => {
    const run = start();
    await settle();
    sync.stop();
    await run;
    expect(world.last.signal.aborted).toBe(true);
    expect(world.connections).toHaveLength(1);
  });
});

describe("the conversation", () => {
  test("is loaded with the snapshot, older pages on demand", async () => {
    world.pages = [
      { rows: [message("m2")], nextCursor: "c" },
      { rows: [message("m1")], nextCursor: null },
    ];
    await startLive();
    await sync.loadOlderMessages();
    expect([...(store.getState().data?.messages.keys() ?? [])].sort()).toEqual(["m1", "m2"]);
    expect(store.getState().history.nextCursor).toBeNull();
  });

  test("can fail without the town, and be loaded again", async () => {
    world.pages = [new ApiError(500, "internal", "Broken"), { rows: [message("m1")], nextCursor: null }];
    await startLive();
    expect(store.getState().history).toMatchObject({ state: "failed", error: { code: "internal" } });
    expect(kind()).toBe("live");
    await sync.reloadMessages();
    expect(store.getState().history.state).toBe("ready");
  });
});
