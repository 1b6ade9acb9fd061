/**
 * Which role has which tools (api.md 8). A tool is added as one row in `agent.ts` or `mayor.ts` and one word here;
 * `core::prompt::tools` describes the same lists to the agents, and `tests/wire/tools.json` holds both to it.
 */

import * as agent from "./agent.ts";
import * as mayor from "./mayor.ts";
import type { Role } from "./session.ts";
import type { Tool } from "./tool.ts";

export const TOOLS: Readonly<Record<Role, readonly Tool[]>> = {
  polecat: [
    agent.prime,
    agent.beadStatus,
    agent.done,
    agent.mailSend,
    agent.mailCheck,
    agent.checkpoint,
    agent.status,
  ],
  refinery: [
    agent.prime,
    agent.beadStatus,
    agent.approve,
    agent.requestChanges,
    agent.reject,
    agent.mailSend,
    agent.mailCheck,
    agent.checkpoint,
    agent.status,
  ],
  triage: [
    agent.prime,
    agent.beadStatus,
    agent.triageResolve,
    agent.done,
    agent.mailSend,
    agent.mailCheck,
    agent.status,
  ],
  mayor: [mayor.sling, mayor.listRigs, mayor.listBeads, mayor.listAgents, mayor.mailSend, agent.status],
};
