import type { BeadStatus } from "../api/types";
import styles from "./StatusIcon.module.css";

export const STATUS_NAMES: Record<BeadStatus, string> = {
  open: "Open",
  in_progress: "In progress",
  in_review: "In review",
  closed: "Closed",
  failed: "Failed",
};

/** A bead's status as shape and colour. Its name is read from beside it, or else from `label`. */
export function StatusIcon({ status, label }: { status: BeadStatus; label?: string }) {
  if (label !== undefined) {
    return (
      <svg
        viewBox="0 0 16 16"
        width="14"
        height="14"
        fill="none"
        className={styles[status]}
        role="img"
        aria-label={label}
      >
        {SHAPES[status]}
      </svg>
    );
  }
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" fill="none" className={styles[status]} aria-hidden="true">
      {SHAPES[status]}
    </svg>
  );
}

const ring = <circle cx="8" cy="8" r="6.25" stroke="currentColor" strokeWidth="1.5" />;
const disc = <circle cx="8" cy="8" r="7" fill="currentColor" />;

const SHAPES: Record<BeadStatus, React.ReactNode> = {
  open: ring,
  in_progress: (
    <>
      {ring}
      <path d="M8 4.500a3.5 3.5 0 0 1 0 7Z" fill="currentColor" />
    </>
  ),
  in_review: (
    <>
      {ring}
      <path d="M8 4.500a3.5 3.5 0 1 1-3.5 3.500H8Z" fill="currentColor" />
    </>
  ),
  closed: (
    <>
      {disc}
      <path
        d="m5 8.2 2.1 2.100L11.1 6.1"
        stroke="var(--surface)"
        strokeWidth="1.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </>
  ),
  failed: (
    <>
      {disc}
      <path
        d="m5.7 5.7 4.6 4.600m0-4.6-4.6 4.6"
        stroke="var(--surface)"
        strokeWidth="1.6"
        strokeLinecap="round"
      />
    </>
  ),
};
