import { useId } from "react";
import styles from "./Panel.module.css";

interface PanelProps {
  title: string;
  count?: number;
  /** Stands at the right end of the heading. */
  aside?: React.ReactNode;
  children: React.ReactNode;
}

/** One named part of the overview that scrolls by itself. */
export function Panel({ title, count, aside, children }: PanelProps) {
  const headingId = useId();
  return (
    <section aria-labelledby={headingId} className={styles.panel}>
      <header className={styles.header}>
        <h2 id={headingId} className={styles.title}>
          {title}
          {count !== undefined && <span className={styles.count}>{count}</span>}
        </h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
