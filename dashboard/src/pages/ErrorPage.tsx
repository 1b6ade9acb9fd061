import type { ErrorComponentProps } from "@tanstack/react-router";
import { ErrorNotice } from "../ui/Notice";
import styles from "./page.module.css";

/** When a page itself breaks: says so, and offers to build it anew. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  return (
    <main className={styles.middle}>
      <title>Gastown Dashboard · Error</title>
      <ErrorNotice what="This page could not be shown" error={error} onRetry={reset} />
    </main>
  );
}
