/** Which of kilo's sessions is the main one. Asked until it is known, then kept: it never changes within a process. */

import type { Broker } from "./client.ts";
import type { LocalSession } from "./wire.ts";

export class MainSession {
  private known: LocalSession | undefined;

  constructor(private readonly broker: Broker) {}

  /** The main session, if it is this one. */
  async if(sessionId: string, signal: AbortSignal): Promise<LocalSession | undefined> {
    if (!this.known?.root_session_id) this.known = await this.broker.localSession(signal);
    return this.known.root_session_id === sessionId ? this.known : undefined;
  }
}
