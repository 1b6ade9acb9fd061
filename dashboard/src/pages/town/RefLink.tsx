/** A chip that names a thing of the town and opens it where there is something to open. */
import { Link } from "@tanstack/react-router";
import type { MessageRef } from "../../api/types";
import { useTown } from "../../town/context";
import { Avatar } from "../../ui/Avatar";
import { STATUS_NAMES, StatusIcon } from "../../ui/StatusIcon";
import styles from "./RefLink.module.css";
import { shortId } from "./words";

export function RefLink({ reference }: { reference: MessageRef }) {
  switch (reference.kind) {
    case "bead":
      return <BeadRef beadId={reference.id} />;
    case "agent":
      return <AgentRef agentId={reference.id} />;
    case "rig":
      return <RigRef rigId={reference.id} />;
    case "convoy":
      return <span className={styles.ref}>Convoy {shortId(reference.id)}</span>;
  }
}

export function BeadRef({ beadId }: { beadId: string }) {
  const bead = useTown((state) => state.data?.beads.get(beadId));
  if (bead === undefined) return <span className={styles.ref}>Bead {shortId(beadId)}</span>;
  return (
    <Link
      from="/t/$townId"
      to="."
      search={(previous) => ({ ...previous, bead: beadId })}
      className={styles.ref}
    >
      <StatusIcon status={bead.status} label={STATUS_NAMES[bead.status]} />
      <span className={styles.name}>{bead.title}</span>
    </Link>
  );
}

function AgentRef({ agentId }: { agentId: string }) {
  const agent = useTown((state) => state.data?.agents.get(agentId));
  if (agent === undefined) return <span className={styles.ref}>Agent {shortId(agentId)}</span>;
  return (
    <span className={styles.ref}>
      <Avatar name={agent.name} role={agent.role} />
      <span className={styles.name}>{agent.name}</span>
    </span>
  );
}

function RigRef({ rigId }: { rigId: string }) {
  const name = useTown((state) => state.data?.rigs.get(rigId)?.name);
  return <span className={styles.ref}>{name ?? `Rig ${shortId(rigId)}`}</span>;
}
