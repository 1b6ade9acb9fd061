/**
 * Keeps a town's store current: snapshot, then the event stream from its `seq`, for as long as it is wanted.
 *
 * One loop, one connection, no polling. Everything that can end a connection is a case of `afterEnd`; everything
 * from outside (time, network, visibility) comes in through `Environment`, so that tests hold the clock.
 */
import { ApiError, api, type Page, townPath } from "../api/client";
import { readStream, type StreamEnd, type StreamEvent, type StreamOptions } from "../api/sse";
import type { Frame, MayorMessage, Snapshot } from "../api/types";
import { addMessages, applyFrames, fromSnapshot, replaceMessages } from "./data";
import type { TownStore } from "./store";

/** A connection that lived this long was healthy: the next attempt after it starts without back-off. */
const HEALTHY_AFTER_MS = 10_000;
const RETRY_FIRST_MS = 400;
/** Longer waits than this feel broken to someone who watches the pill. */
const RETRY_MAX_MS = 15_000;
/** A hidden page keeps its stream this long, then gives the connection back (api.md 7.1). */
export const HIDDEN_MAX_MS = 5 * 60_000;
/** One page of the conversation: more than a tall screen shows. */
const MESSAGES_PAGE = 100;

export interface Environment {
  now(): number;
  random(): number;
  setTimeout(run: () => void, ms: number): () => void;
  isOnline(): boolean;
  isHidden(): boolean;
  /** Calls back whenever one of the two above changed. */
  onChange(run: () => void): () => void;
  loadSnapshot(townId: string, signal: AbortSignal): Promise<Snapshot>;
  loadMessages(townId: string, cursor: string | null): Promise<Page<MayorMessage>>;
  readStream(options: StreamOptions): Promise<StreamEnd>;
}

export class TownSync {
  private readonly stopped = new AbortController();
  private readonly offChange: () => void;
  private connection = new AbortController();
  private attempt = 0;
  private needsSnapshot = true;
  private isFirstConnection = true;
  private endsForGood = false;
  /** Ends the current pause between two attempts. */
  private wake: () => void = () => {};
  private cancelRest: () => void = () => {};

  private readonly townId: string;
  private readonly store: TownStore;
  private readonly environment: Environment;

  constructor(townId: string, store: TownStore, environment: Environment = browserEnvironment) {
    this.townId = townId;
    this.store = store;
    this.environment = environment;
    this.offChange = environment.onChange(() => this.surroundingsChanged());
  }

  /** Runs until `stop`, or until the server says that this person may not see the town. */
  async run(): Promise<void> {
    this.surroundingsChanged();
    while (!this.isDone()) {
      if (!this.mayConnect()) {
        await this.pause(null);
        continue;
      }
      if (this.needsSnapshot && !(await this.reload())) continue;
      await this.follow();
    }
  }

  stop(): void {
    this.stopped.abort();
    this.connection.abort();
    this.cancelRest();
    this.offChange();
    this.wake();
  }

  /** A person asks for another attempt at once. */
  retry(): void {
    this.attempt = 0;
    this.wake();
  }

  async loadOlderMessages(): Promise<void> {
    const { history } = this.store.getState();
    if (history.nextCursor !== null) await this.loadMessages(history.nextCursor);
  }

  /** Loads the newest messages again after a failure. */
  async reloadMessages(): Promise<void> {
    await this.loadMessages(null);
  }

  private isDone(): boolean {
    return this.stopped.signal.aborted || this.endsForGood;
  }

  private mayConnect(): boolean {
    const { kind } = this.store.getState().connection;
    return kind !== "offline" && kind !== "resting";
  }

  /** Snapshot into the store. False: it did not work, and the pause before the next attempt is over. */
  private async reload(): Promise<boolean> {
    try {
      const snapshot = await this.environment.loadSnapshot(this.townId, this.stopped.signal);
      if (this.isDone()) return false;
      this.store.setState((state) => ({ data: fromSnapshot(snapshot, state.data), loadError: null }));
      this.needsSnapshot = false;
      this.isFirstConnection = true;
      void this.loadMessages(null);
      return true;
    } catch (cause) {
      if (this.isDone()) return false;
      const error = asApiError(cause);
      this.store.setState({ loadError: error });
      if (this.refused(error)) return false;
      await this.pause(this.backOff());
      return false;
    }
  }

  private async follow(): Promise<void> {
    const { data } = this.store.getState();
    if (data === null) return;
    const seq = String(data.seq);
    const startedAt = this.environment.now();
    this.connection = new AbortController();
    const end = await this.environment.readStream({
      url: `${townPath(this.townId)}/events/stream?after=${seq}`,
      lastEventId: this.isFirstConnection ? null : seq,
      signal: this.connection.signal,
      onEvents: (events) => this.receive(events),
    });
    this.isFirstConnection = false;
    if (this.environment.now() - startedAt >= HEALTHY_AFTER_MS) this.attempt = 0;
    await this.afterEnd(end);
  }

  private receive(events: readonly StreamEvent[]): void {
    const frames: Frame[] = [];
    for (const event of events) {
      switch (event.event) {
        case "hello":
          this.store.setState({ connection: { kind: "live" } });
          break;
        case "reset":
          this.needsSnapshot = true;
          this.connection.abort();
          return;
        case "bye":
          if ((event.data as { reason?: string } | null)?.reason === "unauthorized") this.signedOut();
          this.connection.abort();
          break;
        default:
          frames.push(event.data as Frame);
      }
    }
    if (frames.length === 0) return;
    this.store.setState((state) => (state.data === null ? {} : { data: applyFrames(state.data, frames) }));
  }

  private async afterEnd(end: StreamEnd): Promise<void> {
    if (this.isDone()) return;
    if (end.kind === "refused" && this.refused(end.error)) return;
    // The page itself closed it: for a reset or a farewell it goes on at once, at rest or offline the loop waits.
    if (end.kind === "aborted") {
      if (this.attempt > 0) await this.pause(this.backOff());
      this.attempt += 1;
      return;
    }
    this.lostTouch("reconnecting");
    await this.pause(this.backOff());
  }

  private refused(error: ApiError): boolean {
    if (error.status === 401) {
      this.signedOut();
      return true;
    }
    if (error.status === 403 || error.status === 404) {
      this.endsForGood = true;
      this.store.setState({ connection: { kind: "refused", error } });
      return true;
    }
    return false;
  }

  private signedOut(): void {
    this.endsForGood = true;
    this.store.setState({ connection: { kind: "signed_out" } });
  }

  private surroundingsChanged(): void {
    if (this.isDone()) return;
    this.cancelRest();
    if (!this.environment.isOnline()) {
      this.lostTouch("offline");
      this.connection.abort();
      return;
    }
    if (this.environment.isHidden()) {
      this.cancelRest = this.environment.setTimeout(() => {
        this.lostTouch("resting");
        this.connection.abort();
      }, HIDDEN_MAX_MS);
    } else if (!this.mayConnect()) {
      this.lostTouch("reconnecting");
      this.retry();
    }
  }

  /** Shows that the page is no longer current, and since when; before the first data it is just connecting. */
  private lostTouch(kind: "reconnecting" | "offline" | "resting"): void {
    this.store.setState(({ connection, data }) => {
      const heardAt = "heardAt" in connection ? connection.heardAt : this.environment.now();
      if (kind === "reconnecting" && data === null) return { connection: { kind: "connecting" } };
      return { connection: { kind, heardAt } };
    });
  }

  private async loadMessages(cursor: string | null): Promise<void> {
    const asOf = this.store.getState().data?.seq ?? 0;
    this.store.setState(({ history }) => ({ history: { ...history, state: "loading", error: null } }));
    try {
      const page = await this.environment.loadMessages(this.townId, cursor);
      const add = cursor === null ? replaceMessages : addMessages;
      this.store.setState((state) => ({
        data: state.data === null ? null : add(state.data, page.rows, asOf),
        history: { state: "ready", error: null, nextCursor: page.nextCursor },
      }));
    } catch (cause) {
      const error = asApiError(cause);
      this.store.setState(({ history }) => ({ history: { ...history, state: "failed", error } }));
    }
  }

  private backOff(): number {
    const ms = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.attempt);
    this.attempt += 1;
    // A restarted server must not meet all its pages in the same instant.
    return ms * (0.5 + this.environment.random() / 2);
  }

  /** Waits for `ms`, or without a limit, and in any case not longer than until `wake`. */
  private pause(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const cancel = ms === null ? () => {} : this.environment.setTimeout(() => this.wake(), ms);
      this.wake = () => {
        cancel();
        this.wake = () => {};
        resolve();
      };
      if (this.isDone()) this.wake();
    });
  }
}

function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError(0, "unreachable", "The answer could not be read.");
}

export const browserEnvironment: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (run, ms) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  isOnline: () => navigator.onLine,
  isHidden: () => document.visibilityState === "hidden",
  onChange: (run) => {
    window.addEventListener("online", run);
    window.addEventListener("offline", run);
    document.addEventListener("visibilitychange", run);
    return () => {
      window.removeEventListener("online", run);
      window.removeEventListener("offline", run);
      document.removeEventListener("visibilitychange", run);
    };
  },
  loadSnapshot: (townId, signal) => api.get<Snapshot>(`${townPath(townId)}/snapshot`, { signal }),
  loadMessages: (townId, cursor) => {
    const after = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    return api.list<MayorMessage>(`${townPath(townId)}/mayor/messages?limit=${MESSAGES_PAGE}${after}`);
  },
  readStream,
};
