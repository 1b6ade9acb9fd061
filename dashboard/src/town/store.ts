/**
 * The one store of a town (api.md 7.1): the data, how current it is, and what the person has sent but not seen
 * confirmed. `sync.ts` writes the first two, `outbox.ts` the third; components only read, by selector.
 */
import { createStore, type StoreApi } from "zustand/vanilla";
import type { ApiError } from "../api/client";
import type { TownData } from "./data";

/** What the connection pill shows. `heardAt` is when the page last knew that it was current, in local ms. */
export type Connection =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "reconnecting"; heardAt: number }
  | { kind: "offline"; heardAt: number }
  /** Closed by the page because nobody looks at it; resumed when it is visible. */
  | { kind: "resting"; heardAt: number }
  /** The credential ended. */
  | { kind: "signed_out" }
  /** The server refuses this town to this person, or it does not exist. */
  | { kind: "refused"; error: ApiError };

export interface History {
  state: "loading" | "ready" | "failed";
  error: ApiError | null;
  /** Where older messages begin; null when there are none. */
  nextCursor: string | null;
}

export interface OutgoingMessage {
  /** Also the `Idempotency-Key`: a repeat of the same message is never a second message. */
  key: string;
  text: string;
  at: string;
  state: "sending" | "sent" | "failed";
  error: ApiError | null;
  messageId: string | null;
  /** The ids that were there when it was written: an equal text outside this set is this message's echo. */
  knownIds: ReadonlySet<string>;
}

export interface TownState {
  data: TownData | null;
  /** Why there is no data yet; the page keeps trying while this is transient. */
  loadError: ApiError | null;
  connection: Connection;
  history: History;
  outbox: readonly OutgoingMessage[];
}

export type TownStore = StoreApi<TownState>;

export function createTownStore(): TownStore {
  return createStore<TownState>(() => ({
    data: null,
    loadError: null,
    connection: { kind: "connecting" },
    history: { state: "loading", error: null, nextCursor: null },
    outbox: [],
  }));
}
