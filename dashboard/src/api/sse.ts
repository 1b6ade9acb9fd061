/**
 * Reads one connection of a server-sent event stream (api.md 6.1) to its end and says how it ended.
 *
 * It uses `fetch` and not `EventSource`, because the page has to see what that type hides: the status of a
 * refusal, and the heartbeat comments whose absence is the only sign of a dead connection. It never reconnects;
 * `town/sync.ts` decides that.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { type ApiError, errorOf } from "./client";

/** Two and a half heartbeats of 15 s: one may be late, two in a row mean that the connection is gone. */
export const SILENCE_MAX_MS = 38_000;

export interface StreamEvent {
  id: string | null;
  event: string;
  data: unknown;
}

export type StreamEnd =
  /** The server or the network closed the connection; it can be resumed. */
  | { kind: "closed" }
  /** Nothing was heard for `SILENCE_MAX_MS`; it can be resumed. */
  | { kind: "silent" }
  /** The server could not be reached. */
  | { kind: "unreachable" }
  /** The server refused the stream. */
  | { kind: "refused"; error: ApiError }
  /** The caller aborted. */
  | { kind: "aborted" };

export interface StreamOptions {
  url: string;
  /** Resume point: sent as `Last-Event-ID`. */
  lastEventId: string | null;
  signal: AbortSignal;
  /** Called once, when the server has accepted the stream. */
  onOpen?: () => void;
  /** Called with all events that arrived together, so that the reader renders once for them. */
  onEvents: (events: StreamEvent[]) => void;
  silenceMaxMs?: number;
}

/** Reads until the connection ends; never throws. */
export async function readStream(options: StreamOptions): Promise<StreamEnd> {
  const inner = new AbortController();
  const abort = () => inner.abort();
  if (options.signal.aborted) return { kind: "aborted" };
  options.signal.addEventListener("abort", abort, { once: true });

  let silent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      silent = true;
      inner.abort();
    }, options.silenceMaxMs ?? SILENCE_MAX_MS);
  };

  const endOf = (otherwise: StreamEnd): StreamEnd => {
    if (options.signal.aborted) return { kind: "aborted" };
    return silent ? { kind: "silent" } : otherwise;
  };

  let opened = false;
  try {
    heard();
    const headers = new Headers({ Accept: "text/event-stream" });
    if (options.lastEventId !== null) headers.set("Last-Event-ID", options.lastEventId);
    const response = await fetch(options.url, {
      headers,
      signal: inner.signal,
      credentials: "same-origin",
      cache: "no-store",
    });
    if (!response.ok) return { kind: "refused", error: await errorOf(response) };
    if (response.body === null) return { kind: "closed" };
    opened = true;
    options.onOpen?.();
    await readBody(response.body, heard, options.onEvents);
    return endOf({ kind: "closed" });
  } catch {
    return endOf({ kind: opened ? "closed" : "unreachable" });
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", abort);
    inner.abort();
  }
}

async function readBody(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
  onEvents: (events: StreamEvent[]) => void,
): Promise<void> {
  let batch: StreamEvent[] = [];
  const parser = createParser({
    onEvent: (message) => {
      const event = decode(message);
      if (event !== null) batch.push(event);
    },
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    parser.feed(decoder.decode(value, { stream: true }));
    if (batch.length > 0) {
      const events = batch;
      batch = [];
      onEvents(events);
    }
  }
}

/** One event with its JSON read; an event whose data is no JSON is dropped, the next snapshot repairs it. */
function decode(message: EventSourceMessage): StreamEvent | null {
  try {
    return {
      id: message.id ?? null,
      event: message.event ?? "message",
      data: JSON.parse(message.data) as unknown,
    };
  } catch {
    return null;
  }
}
