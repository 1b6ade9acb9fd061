import { Link } from "@tanstack/react-router";
import { CircleAlert, Clock3 } from "lucide-react";
import { memo } from "react";
import type { Bead } from "../../api/types";
import { useTown } from "../../town/context";
import { Avatar } from "../../ui/Avatar";
import { PriorityIcon } from "../../ui/PriorityIcon";
import { Age } from "../../ui/time";
import styles from "./BeadCard.module.css";
import { costWords, modelOf, shortId, shortModel } from "./words";

/** A bead at a glance: what, who with which model, and why it is not moving. Opens its drawer. */
export const BeadCard = memo(function BeadCard({ bead }: { bead: Bead }) {
  const rigCount = useTown((state) => state.data?.rigs.size ?? 0);
  const rigName = useTown((state) =>
    bead.rig_id === null ? undefined : state.data?.rigs.get(bead.rig_id)?.name,
  );
  const cost = costWords(bead.cost_usd);
  return (
    <Link
      from="/t/$townId"
      to="."
      search={(previous) => ({ ...previous, bead: bead.bead_id })}
      className={styles.card}
    >
      <span className={styles.top}>
        <PriorityIcon priority={bead.priority} />
        <span className={styles.id}>{shortId(bead.bead_id)}</span>
        {rigCount > 1 && rigName !== undefined && <span className={styles.rig}>{rigName}</span>}
        <Age at={bead.closed_at ?? bead.updated_at} className={styles.age} />
      </span>
      <span className={styles.title}>{bead.title}</span>
      <Labels labels={bead.labels} attempt={bead.attempt} />
      <Hold bead={bead} />
      <span className={styles.foot}>
        <Worker bead={bead} />
        {cost !== null && <span className={styles.cost}>{cost}</span>}
      </span>
    </Link>
  );
});

export function Labels({ labels, attempt = 1 }: { labels: readonly string[]; attempt?: number }) {
  if (labels.length === 0 && attempt <= 1) return null;
  return (
    <span className={styles.labels}>
      {attempt > 1 && <span className={styles.attempt}>attempt {attempt}</span>}
      {labels.map((label) => (
        <span key={label} className={styles.label}>
          {label}
        </span>
      ))}
    </span>
  );
}

/** Why nothing happens: the reason of a failure, or the first wait. */
function Hold({ bead }: { bead: Bead }) {
  if (bead.failure !== null) {
    return (
      <span className={styles.failure}>
        <CircleAlert size={12} aria-hidden /> <span className={styles.reason}>{bead.failure.message}</span>
      </span>
    );
  }
  if (bead.wait === null || bead.wait.code === "agent_running") return null;
  return (
    <span className={styles.wait}>
      <Clock3 size={12} aria-hidden /> <span className={styles.reason}>{bead.wait.message}</span>
    </span>
  );
}

function Worker({ bead }: { bead: Bead }) {
  const agent = useTown((state) =>
    bead.assignee_agent_bead_id === null ? undefined : state.data?.agents.get(bead.assignee_agent_bead_id),
  );
  const name = agent?.name ?? bead.assignee_name;
  const model = modelOf(bead, agent);
  return (
    <span className={styles.worker}>
      {name !== null && (
        <>
          <Avatar name={name} role={agent?.role ?? "polecat"} />
          <span className={styles.name}>{name}</span>
        </>
      )}
      {model !== null && (
        <span className={styles.model} title={model}>
          {shortModel(model)}
        </span>
      )}
    </span>
  );
}
