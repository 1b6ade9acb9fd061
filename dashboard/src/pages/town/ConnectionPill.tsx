import { useCallback } from "react";
import { useTown, useTownHandle } from "../../town/context";
import type { Connection } from "../../town/store";
import { cx } from "../../ui/cx";
import { useTimeText } from "../../ui/time";
import styles from "./ConnectionPill.module.css";

/** Tells the truth about how current the page is. While it is not, pressing it tries again at once. */
export function ConnectionPill() {
  const connection = useTown((state) => state.connection);
  const { sync } = useTownHandle();
  const text = useTimeText(useCallback((now: number) => describe(connection, now), [connection]));
  const [state, ...detail] = text.split(" (");
  return (
    <>
      {/* Only changes of the state are read out, not the seconds. */}
      <span role="status" className="visually-hidden">
        {connection.kind === "live" || connection.kind === "connecting" ? "" : state}
      </span>
      <button
        type="button"
        className={cx(styles.pill, styles[connection.kind])}
        aria-label={`Connection: ${text}`}
        title={connection.kind === "live" ? "Every change arrives as it happens" : "Try again"}
        onClick={() => sync.current?.retry()}
      >
        <span className={styles.dot} aria-hidden />
        <span>{state}</span>
        {detail.length > 0 && <span className={styles.detail}>({detail.join(" (")}</span>}
      </button>
    </>
  );
}

export function describe(connection: Connection, now: number): string {
  switch (connection.kind) {
    case "connecting":
      return "Connecting";
    case "live":
      return "Live";
    case "reconnecting":
      return `Reconnecting (last update ${ago(connection.heardAt, now)})`;
    case "offline":
      return `Offline (last update ${ago(connection.heardAt, now)})`;
    case "resting":
      return "Paused in the background";
    case "signed_out":
      return "Signed out";
    case "refused":
      return "No access";
  }
}

function ago(then: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - then) / 1_000));
  return seconds < 60 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;
}
