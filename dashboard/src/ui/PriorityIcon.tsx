import type { Priority } from "../api/types";
import styles from "./PriorityIcon.module.css";

const BARS: Record<Priority, number> = { low: 1, medium: 2, high: 3, critical: 4 };

/** Signal bars; a critical bead gets a filled mark instead, so that it stands out without colour as well. */
export function PriorityIcon({ priority }: { priority: Priority }) {
  const label = `Priority ${priority}`;
  if (priority === "critical") {
    return (
      <svg
        viewBox="0 0 16 16"
        width="14"
        height="14"
        role="img"
        aria-label={label}
        className={styles.critical}
      >
        <rect x="1.5" y="1.5" width="13" height="13" rx="3.5" fill="currentColor" />
        <path
          d="M8 4.500v4.200M8 11.300v.2"
          stroke="var(--surface)"
          strokeWidth="1.8"
          strokeLinecap="round"
        />
      </svg>
    );
  }
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" role="img" aria-label={label} className={styles.bars}>
      {[1, 2, 3].map((bar) => (
        <rect
          key={bar}
          x={bar * 4.5 - 2.5}
          y={12.5 - bar * 3}
          width="3"
          height={bar * 3}
          rx="1"
          fill="currentColor"
          opacity={bar <= BARS[priority] ? 1 : 0.28}
        />
      ))}
    </svg>
  );
}
