/** The towns of a person: where work is going on, and where someone is needed. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight, CirclePause, House, TriangleAlert } from "lucide-react";
import type { Town } from "../../api/types";
import { townsQuery } from "../../app/queries";
import { TopBar } from "../../app/TopBar";
import { ErrorNotice, Notice, Skeleton } from "../../ui/Notice";
import page from "../page.module.css";
import styles from "./TownsPage.module.css";

export function TownsPage() {
  return (
    <div className={page.page}>
      <title>Gastown Dashboard · Towns</title>
      <TopBar />
      <main className={styles.main}>
        <h1 className={styles.heading}>Towns</h1>
        <TownList />
      </main>
    </div>
  );
}

function TownList() {
  const towns = useQuery(townsQuery);
  if (towns.isPending) return <Skeleton rows={3} label="Loading towns" />;
  if (towns.isError) {
    return (
      <ErrorNotice what="The towns could not be loaded" error={towns.error} onRetry={() => towns.refetch()} />
    );
  }
  if (towns.data.length === 0) {
    return (
      <Notice icon={<House size={18} />} title="No town yet">
        A town holds the repositories and the agents of one team. Create the first one with{" "}
        <code>POST /api/towns</code>, or run <code>cargo xtask demo</code> to see one at work.
      </Notice>
    );
  }
  return (
    <ul className={styles.list}>
      {towns.data.map((town) => (
        <li key={town.id}>
          <TownRow town={town} />
        </li>
      ))}
    </ul>
  );
}

function TownRow({ town }: { town: Town }) {
  const { rigs, working_agents, open_beads, needs_attention } = town.counts;
  return (
    <Link to="/t/$townId" params={{ townId: town.id }} className={styles.town}>
      <span className={styles.name}>
        {town.name}
        {town.paused && (
          <span className={styles.paused}>
            <CirclePause size={13} /> Paused
          </span>
        )}
        {needs_attention > 0 && (
          <span className={styles.attention}>
            <TriangleAlert size={13} /> {needs_attention} {needs_attention === 1 ? "needs" : "need"} attention
          </span>
        )}
      </span>
      <span className={styles.counts}>
        {count(rigs, "rig")} · {count(working_agents, "agent")} working · {count(open_beads, "open bead")}
      </span>
      <ChevronRight size={16} className={styles.chevron} aria-hidden />
    </Link>
  );
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
