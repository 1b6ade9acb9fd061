/** All work of the town by status, live. Records that only carry mail, agents or convoys are not work and not here. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListTodo, Search } from "lucide-react";
import { useDeferredValue, useMemo, useState } from "react";
import type { Bead, BeadStatus } from "../../api/types";
import { useTown } from "../../town/context";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { STATUS_NAMES, StatusIcon } from "../../ui/StatusIcon";
import { BeadCard } from "./BeadCard";
import styles from "./BoardPanel.module.css";
import { COLUMNS, columnsOf } from "./board";
import { Panel } from "./Panel";
import { focusMayor } from "./shortcuts";

/** Cards that a column shows at first; a finished day can hold hundreds. */
const COLUMN_CARDS = 60;

export function BoardPanel() {
  const beads = useTown((state) => state.data?.beads);
  const isTruncated = useTown((state) => state.data?.truncated ?? false);
  const { q } = useSearch({ from: "/session/t/$townId" });
  const words = useDeferredValue(q ?? "");

  const columns = useMemo(() => columnsOf(beads?.values() ?? [], words), [beads, words]);
  const total = COLUMNS.reduce((sum, status) => sum + columns[status].length, 0);
  const isEmpty = total === 0 && words === "";
  return (
    <Panel title="Beads" count={total} aside={<SearchField />}>
      {isTruncated && <p className={styles.partial}>Older finished beads are not shown.</p>}
      <div className={styles.board} data-empty={isEmpty}>
        {COLUMNS.map((status) => (
          <Column key={status} status={status} beads={columns[status]} isFiltered={words !== ""} />
        ))}
      </div>
      {isEmpty && (
        <Notice
          icon={<ListTodo size={18} />}
          title="No work yet"
          action={
            <Button look="primary" onClick={focusMayor}>
              Write to the mayor
            </Button>
          }
        >
          Tasks appear here as soon as the mayor has slung them, and move as agents work on them.
        </Notice>
      )}
    </Panel>
  );
}

function Column({ status, beads, isFiltered }: { status: BeadStatus; beads: Bead[]; isFiltered: boolean }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? beads : beads.slice(0, COLUMN_CARDS);
  const name = STATUS_NAMES[status];
  return (
    <section
      aria-label={`${name}, ${beads.length}`}
      className={styles.column}
      data-empty={beads.length === 0}
    >
      <h3 className={styles.columnTitle}>
        <StatusIcon status={status} />
        {name}
        <span className={styles.columnCount}>{beads.length}</span>
      </h3>
      <div className={styles.cards}>
        {shown.length > 0 ? (
          <ul className={styles.cardList}>
            {shown.map((bead) => (
              <li key={bead.bead_id} className={styles.cardItem}>
                <BeadCard bead={bead} />
              </li>
            ))}
          </ul>
        ) : (
          <p className={styles.nothing}>{isFiltered ? "No match" : "Nothing here"}</p>
        )}
        {shown.length < beads.length && (
          <Button look="quiet" className={styles.more} onClick={() => setWhole(true)}>
            Show {beads.length - shown.length} more
          </Button>
        )}
      </div>
    </section>
  );
}

function SearchField() {
  const { q } = useSearch({ from: "/session/t/$townId" });
  const navigate = useNavigate({ from: "/t/$townId" });
  const change = (value: string) =>
    void navigate({
      to: ".",
      search: (previous) => ({ ...previous, q: value === "" ? undefined : value }),
      replace: true,
    });
  return (
    <label className={styles.search}>
      <Search size={13} aria-hidden />
      <input
        type="search"
        aria-label="Filter beads"
        data-shortcut="/"
        className={styles.searchField}
        placeholder="Filter"
        value={q ?? ""}
        onChange={(event) => change(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          change("");
          event.currentTarget.blur();
        }}
      />
      <kbd aria-hidden className={styles.key}>
        /
      </kbd>
    </label>
  );
}
