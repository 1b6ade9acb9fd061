/** The states of a page that has nothing to show: empty, failed, loading. */
import { useEffect, useState } from "react";
import { ApiError } from "../api/client";
import { Button } from "./Button";
import { cx } from "./cx";
import styles from "./Notice.module.css";

interface NoticeProps {
  icon?: React.ReactNode;
  title: string;
  children?: React.ReactNode;
  action?: React.ReactNode;
  tone?: "neutral" | "bad";
}

export function Notice({ icon, title, children, action, tone = "neutral" }: NoticeProps) {
  return (
    <div className={styles.notice} role={tone === "bad" ? "alert" : undefined}>
      {icon !== undefined && <span className={cx(styles.icon, styles[tone])}>{icon}</span>}
      <p className={styles.title}>{title}</p>
      {children !== undefined && <div className={styles.text}>{children}</div>}
      {action}
    </div>
  );
}

/** What went wrong, with what a bug report needs, and a way to try again. */
export function ErrorNotice({
  error,
  what,
  onRetry,
}: {
  error: unknown;
  what: string;
  onRetry?: () => void;
}) {
  return (
    <Notice
      tone="bad"
      title={what}
      action={onRetry !== undefined && <Button onClick={onRetry}>Try again</Button>}
    >
      <ErrorDetail error={error} />
    </Notice>
  );
}

export function ErrorDetail({ error }: { error: unknown }) {
  if (!(error instanceof ApiError)) return <>Something unexpected happened.</>;
  return (
    <>
      {error.message}{" "}
      <code className={styles.code}>
        {error.code}
        {error.requestId !== null && ` · ${error.requestId}`}
      </code>
    </>
  );
}

/** Faster answers than this come without a flash of grey. */
const SKELETON_AFTER_MS = 200;

export function Skeleton({ rows, label }: { rows: number; label: string }) {
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), SKELETON_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div role="status" aria-label={label} className={styles.skeleton}>
      {isShown &&
        Array.from({ length: rows }, (_, row) => row).map((row) => (
          <span key={row} className={styles.bone} />
        ))}
    </div>
  );
}
