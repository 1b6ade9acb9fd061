/** Who is there, what each is doing, and how far it is. */
import { Users } from "lucide-react";
import { memo, useMemo } from "react";
import type { Agent, AgentRole, AgentStatus } from "../../api/types";
import { useTown } from "../../town/context";
import { Avatar } from "../../ui/Avatar";
import { cx } from "../../ui/cx";
import { Notice } from "../../ui/Notice";
import { Age } from "../../ui/time";
import styles from "./AgentsPanel.module.css";
import { Panel } from "./Panel";
import { BeadRef } from "./RefLink";
import { kindWords, phaseWords, shortModel } from "./words";

const ROLE_ORDER: Record<AgentRole, number> = { mayor: 0, polecat: 1, refinery: 2 };
const STATUS_ORDER: Record<AgentStatus, number> = { stalled: 0, working: 1, waiting: 2, idle: 3, dead: 4 };

export function AgentsPanel() {
  const agents = useTown((state) => state.data?.agents);
  const rows = useMemo(() => [...(agents?.values() ?? [])].sort(byAttention), [agents]);
  const working = rows.filter((agent) => agent.status === "working").length;
  return (
    <Panel
      title="Agents"
      count={rows.length}
      aside={<span className={styles.working}>{working} working</span>}
    >
      {rows.length === 0 ? (
        <Notice icon={<Users size={18} />} title="Nobody is here yet">
          Agents join when there is work for them.
        </Notice>
      ) : (
        <ul className={styles.list}>
          {rows.map((agent) => (
            <AgentRow key={agent.id} agent={agent} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const AgentRow = memo(function AgentRow({ agent }: { agent: Agent }) {
  const rigName = useTown((state) =>
    agent.rig_id === null ? undefined : state.data?.rigs.get(agent.rig_id)?.name,
  );
  const { assignment } = agent;
  const beadId = assignment?.bead_id ?? agent.current_hook_bead_id;
  return (
    <li className={cx(styles.agent, (agent.status === "idle" || agent.status === "dead") && styles.faint)}>
      <Avatar name={agent.name} role={agent.role} size={28} />
      <div className={styles.body}>
        <p className={styles.top}>
          <span className={styles.name}>{agent.name}</span>
          {(agent.role !== "mayor" || rigName !== undefined) && (
            <span className={styles.role}>{[agent.role, rigName].filter(Boolean).join(" · ")}</span>
          )}
          <span className={cx(styles.status, styles[agent.status])}>
            <span className={styles.dot} aria-hidden />
            {agent.status}
            {assignment !== null && <span className={styles.phase}>{phaseWords(assignment)}</span>}
          </span>
        </p>
        {beadId !== null && (
          <p className={styles.bead}>
            <span className={styles.kind}>{assignment === null ? "On" : kindWords(assignment.kind)}</span>
            <BeadRef beadId={beadId} />
          </p>
        )}
        <Detail agent={agent} />
      </div>
    </li>
  );
});

function Detail({ agent }: { agent: Agent }) {
  const message = agent.state_reason ?? agent.agent_status_message;
  const tool = agent.current_tool;
  const model = agent.assignment?.model;
  if (!message && !tool && !model) return null;
  return (
    <p className={styles.detail}>
      {model && <span title={agent.assignment?.model_reason ?? undefined}>{shortModel(model)}</span>}
      {tool && <code>{tool}</code>}
      {message && <span className={styles.message}>{message}</span>}
      {agent.last_activity_at !== null && <Age at={agent.last_activity_at} className={styles.age} />}
    </p>
  );
}

/** The mayor first, then whoever needs eyes, then the working, then the rest by name. */
function byAttention(a: Agent, b: Agent): number {
  const isMayor = (agent: Agent) => (agent.role === "mayor" ? 0 : 1);
  return (
    isMayor(a) - isMayor(b) ||
    STATUS_ORDER[a.status] - STATUS_ORDER[b.status] ||
    ROLE_ORDER[a.role] - ROLE_ORDER[b.role] ||
    a.name.localeCompare(b.name)
  );
}
