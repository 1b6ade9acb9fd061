/**
 * Messages to the mayor on their way: shown at once, replaced by the server's row when it arrives.
 *
 * A message that failed keeps its text and its `Idempotency-Key`, so that sending it again is never a second
 * message, even if only the answer was lost.
 */
import { ApiError, api, townPath } from "../api/client";
import type { MayorMessage } from "../api/types";
import type { OutgoingMessage, TownState, TownStore } from "./store";

/** api.md 1.3 */
export const MESSAGE_LENGTH_MAX = 32_000;

/** Sends a text to the mayor; its progress is in the store. */
export async function sendMessage(townId: string, store: TownStore, text: string): Promise<void> {
  const message: OutgoingMessage = {
    key: crypto.randomUUID(),
    text,
    at: new Date().toISOString(),
    state: "sending",
    error: null,
    messageId: null,
    knownIds: new Set(store.getState().data?.messages.keys()),
  };
  store.setState(({ outbox }) => ({ outbox: [...outbox, message] }));
  await post(townId, store, message);
}

export async function resendMessage(
  townId: string,
  store: TownStore,
  message: OutgoingMessage,
): Promise<void> {
  amend(store, message.key, { state: "sending", error: null });
  await post(townId, store, message);
}

export function discardMessage(store: TownStore, key: string): void {
  store.setState(({ outbox }) => ({ outbox: outbox.filter((message) => message.key !== key) }));
}

/** What is sent but not part of the conversation yet, oldest first. */
export function pendingMessages({ data, outbox }: Pick<TownState, "data" | "outbox">): OutgoingMessage[] {
  const echoes = new Map(
    [...(data?.messages ?? [])].flatMap(([id, { message }]) =>
      message.role === "user" ? [[id, message]] : [],
    ),
  );
  return outbox.filter((pending) => {
    const echo = pending.messageId !== null ? pending.messageId : echoOf(pending, echoes);
    return echo === null || !echoes.delete(echo);
  });
}

/** The frame can be faster than the reply that names the message; until then its text tells. */
function echoOf(pending: OutgoingMessage, messages: ReadonlyMap<string, MayorMessage>): string | null {
  for (const [id, message] of messages) {
    if (!pending.knownIds.has(id) && textOf(message).trim() === pending.text.trim()) return id;
  }
  return null;
}

export function textOf(message: MayorMessage): string {
  return message.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

async function post(townId: string, store: TownStore, message: OutgoingMessage): Promise<void> {
  try {
    const reply = await api.post<{ messageId: string }>(`${townPath(townId)}/mayor/message`, {
      body: { message: message.text },
      idempotencyKey: message.key,
    });
    amend(store, message.key, { state: "sent", messageId: reply.messageId });
  } catch (cause) {
    const error =
      cause instanceof ApiError ? cause : new ApiError(0, "unreachable", "The answer could not be read.");
    amend(store, message.key, { state: "failed", error });
  }
}

function amend(store: TownStore, key: string, change: Partial<OutgoingMessage>): void {
  store.setState(({ outbox }) => ({
    outbox: outbox.map((message) => (message.key === key ? { ...message, ...change } : message)),
  }));
}
