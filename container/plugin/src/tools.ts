/**
 * Which role has which tools (api.md 8). A tool is added as one row in `agent.ts` or `mayor.ts` and one word here;
 * `core::prompt::tools` describes the same lists to the agents, and `tests/wire/tools.json` holds both to it.
 */

import * as agent from "./agent.ts";
import * as mayor from "./mayor.ts";
import * as beads from "./mayor_beads.ts";
import * as convoys from "./mayor_convoys.ts";
import * as town from "./mayor_town.ts";
import type { Role } from "./session.ts";
import type { Tool } from "./tool.ts";

export const TOOLS: Readonly<Record<Role, readonly Tool[]>> = {
  polecat: [
    agent.prime,
    agent.beadStatus,
    agent.beadClose,
    agent.done,
    agent.mailSend,
    agent.mailCheck,
    agent.escalate,
    agent.checkpoint,
    agent.molCurrent,
    agent.molAdvance,
    agent.status,
    agent.nudge,
  ],
  refinery: [
    agent.prime,
    agent.beadStatus,
    agent.approve,
    agent.requestChanges,
    agent.reject,
    agent.mailSend,
    agent.mailCheck,
    agent.escalate,
    agent.checkpoint,
    agent.status,
    agent.nudge,
  ],
  triage: [
    agent.prime,
    agent.beadStatus,
    agent.beadClose,
    agent.triageResolve,
    agent.done,
    agent.mailSend,
    agent.mailCheck,
    agent.escalate,
    agent.status,
    agent.nudge,
  ],
  mayor: [
    mayor.sling,
    convoys.slingBatch,
    mayor.listRigs,
    mayor.listBeads,
    mayor.listAgents,
    beads.beadExplain,
    mayor.mailSend,
    beads.nudge,
    beads.beadUpdate,
    beads.beadReassign,
    beads.beadRetry,
    beads.beadDelete,
    convoys.listConvoys,
    convoys.convoyStatus,
    convoys.convoyStart,
    convoys.convoyClose,
    convoys.convoyUpdate,
    convoys.convoyAddBead,
    convoys.convoyRemoveBead,
    convoys.convoyRetry,
    convoys.convoySkip,
    convoys.convoyAbort,
    beads.agentReset,
    town.listEscalations,
    town.escalationAcknowledge,
    town.townStatus,
    town.configGet,
    town.configSet,
    town.uiAction,
    agent.status,
  ],
};
