/**
 * The prime block: what is on the agent's hook, as a marked block in the system texts of its main session.
 *
 * It is fetched once and then repeated byte for byte, so that role text and block stay a prefix that the provider can
 * cache; after a compaction it is fetched anew. Hooks never throw: an error here would end the model request.
 */

import type { Hooks } from "@kilocode/plugin";

import { get, type Broker } from "./client.ts";
import { block } from "./mark.ts";
import type { MainSession } from "./root.ts";
import type { Session } from "./session.ts";
import type { PrimeContext } from "./wire.ts";

/** A model request waits at most this long for the block; without it the role text and first message are enough. */
const PRIME_MS_MAX = 10_000;
/** After so many failures the session goes on without the block: gt_prime is still there. */
const PRIME_FAILURES_MAX = 3;

type PrimeHooks = Pick<
  Hooks,
  "experimental.chat.system.transform" | "experimental.session.compacting" | "chat.headers"
>;

export function primeHooks(session: Session, broker: Broker, main: MainSession): PrimeHooks {
  const headers: PrimeHooks = {
    "chat.headers": async ({ sessionID }, output) => {
      output.headers["x-gastown-session"] = sessionID;
    },
  };
  // The mayor belongs to no rig and has nothing on a hook.
  if (session.role === "mayor") return headers;

  const cache = new PrimeBlock(session, broker, main);
  return {
    ...headers,
    "experimental.chat.system.transform": async ({ sessionID }, output) => {
      // Titles and compactions of the main session do not carry the role text; sub-agents are other sessions.
      if (!sessionID || !output.system.some((text) => text.includes(`# Gas Town role: ${session.role}`))) return;
      const text = await cache.of(sessionID);
      if (text) output.system.push(text);
    },
    "experimental.session.compacting": async ({ sessionID }, output) => {
      cache.forget();
      const text = await cache.of(sessionID);
      if (text) output.context.push(text);
    },
  };
}

class PrimeBlock {
  private text: string | undefined;
  private failures = 0;

  constructor(
    private readonly session: Session,
    private readonly broker: Broker,
    private readonly main: MainSession,
  ) {}

  forget(): void {
    this.text = undefined;
    this.failures = 0;
  }

  /** The block, if `sessionId` is the main session and the block can be had. */
  async of(sessionId: string): Promise<string | undefined> {
    if (!this.text && this.failures >= PRIME_FAILURES_MAX) return undefined;
    const signal = AbortSignal.timeout(PRIME_MS_MAX);
    try {
      if (!(await this.main.if(sessionId, signal))) return undefined;
      this.text ??= await this.fetched(signal);
      return this.text;
    } catch {
      this.failures += 1;
      return this.text;
    }
  }

  private async fetched(signal: AbortSignal): Promise<string> {
    const { data } = await this.broker.call<PrimeContext>(get(`${this.session.paths.agent}/prime`, { peek: "true" }), { signal });
    // Mail changes and is delivered by messages or by gt_prime, which acknowledges it; the block must stay the same.
    const { undelivered_mail: _, ...context } = data;
    return block("prime", JSON.stringify(context, null, 2));
  }
}
