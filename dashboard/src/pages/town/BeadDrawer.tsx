/** One bead in full, beside the page that it was opened from; its address is `?bead=`. */
import { Dialog } from "@base-ui/react/dialog";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { CircleAlert, Clock3, X } from "lucide-react";
import type { Bead } from "../../api/types";
import { useTown } from "../../town/context";
import { Avatar } from "../../ui/Avatar";
import { Notice } from "../../ui/Notice";
import { PriorityIcon } from "../../ui/PriorityIcon";
import { RichText } from "../../ui/RichText";
import { STATUS_NAMES, StatusIcon } from "../../ui/StatusIcon";
import { Age } from "../../ui/time";
import { Labels } from "./BeadCard";
import styles from "./BeadDrawer.module.css";
import { costWords, modelOf, phaseWords, shortId } from "./words";

export function BeadDrawer() {
  const { bead: beadId } = useSearch({ from: "/session/t/$townId" });
  const navigate = useNavigate({ from: "/t/$townId" });
  const close = () => void navigate({ to: ".", search: (previous) => ({ ...previous, bead: undefined }) });
  return (
    <Dialog.Root open={beadId !== undefined} onOpenChange={(isOpen) => !isOpen && close()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={styles.backdrop} />
        <Dialog.Popup className={styles.drawer}>
          {beadId !== undefined && <Contents beadId={beadId} />}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Contents({ beadId }: { beadId: string }) {
  const bead = useTown((state) => state.data?.beads.get(beadId));
  return (
    <>
      <header className={styles.header}>
        <span className={styles.id}>{shortId(beadId)}</span>
        <Dialog.Close aria-label="Close" className={styles.close}>
          <X size={16} />
        </Dialog.Close>
      </header>
      {bead === undefined ? (
        <Notice title="This bead is not here">
          <Dialog.Title className="visually-hidden">Bead {shortId(beadId)}</Dialog.Title>
          It was deleted, or it was finished too long ago to be loaded with the town.
        </Notice>
      ) : (
        <BeadView bead={bead} />
      )}
    </>
  );
}

function BeadView({ bead }: { bead: Bead }) {
  return (
    <div className={styles.body}>
      <Dialog.Title className={styles.title}>{bead.title}</Dialog.Title>
      <Hold bead={bead} />
      <Facts bead={bead} />
      {bead.body !== null && bead.body.trim() !== "" && (
        <section className={styles.text} aria-label="Description">
          <RichText text={bead.body} />
        </section>
      )}
      <Timeline beadId={bead.bead_id} />
    </div>
  );
}

function Hold({ bead }: { bead: Bead }) {
  if (bead.failure !== null) {
    return (
      <p className={styles.failure}>
        <CircleAlert size={15} aria-hidden />
        <span>
          {bead.failure.message} <code>{bead.failure.code}</code>
        </span>
      </p>
    );
  }
  if (bead.wait === null) return null;
  return (
    <p className={styles.wait}>
      <Clock3 size={15} aria-hidden />
      <span>
        {bead.wait.message} <Age at={bead.wait.since} className={styles.faint} />
      </span>
    </p>
  );
}

function Facts({ bead }: { bead: Bead }) {
  const rigName = useTown((state) =>
    bead.rig_id === null ? null : (state.data?.rigs.get(bead.rig_id)?.name ?? null),
  );
  const agent = useTown((state) =>
    bead.assignee_agent_bead_id === null ? undefined : state.data?.agents.get(bead.assignee_agent_bead_id),
  );
  const name = agent?.name ?? bead.assignee_name;
  const live = agent?.assignment?.bead_id === bead.bead_id ? agent.assignment : null;
  const facts: [string, React.ReactNode][] = [
    [
      "Status",
      <span key="status" className={styles.fact}>
        <StatusIcon status={bead.status} /> {STATUS_NAMES[bead.status]}
        {live !== null && <span className={styles.faint}>{phaseWords(live)}</span>}
      </span>,
    ],
    [
      "Priority",
      <span key="priority" className={styles.fact}>
        <PriorityIcon priority={bead.priority} /> {bead.priority}
      </span>,
    ],
    [
      "Agent",
      name && (
        <span key="agent" className={styles.fact}>
          <Avatar name={name} role={agent?.role ?? "polecat"} /> {name}
        </span>
      ),
    ],
    ["Model", modelOf(bead, agent)],
    ["Rig", rigName],
    ["Branch", bead.branch && <code key="branch">{bead.branch}</code>],
    ["Review", bead.review_state?.replaceAll("_", " ")],
    ["Attempt", bead.attempt > 1 ? String(bead.attempt) : null],
    ["Cost", costWords(bead.cost_usd)],
    ["Labels", bead.labels.length > 0 && <Labels key="labels" labels={bead.labels} />],
    ["Created", <Age key="created" at={bead.created_at} />],
  ];
  return (
    <dl className={styles.facts}>
      {facts.map(
        ([term, value]) =>
          Boolean(value) && (
            <div key={term} className={styles.row}>
              <dt>{term}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function Timeline({ beadId }: { beadId: string }) {
  const events = useTown((state) => state.data?.events);
  const own = (events ?? []).filter((event) => event.bead_id === beadId);
  if (own.length === 0) return null;
  return (
    <section aria-label="Recent activity" className={styles.timeline}>
      <h3 className={styles.heading}>Recent activity</h3>
      <ol>
        {own.map((event) => (
          <li key={event.bead_event_id} className={styles.event}>
            <span>{event.text}</span>
            <Age at={event.created_at} className={styles.faint} />
          </li>
        ))}
      </ol>
    </section>
  );
}
