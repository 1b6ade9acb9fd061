/**
 * Text that was written as Markdown. The module that reads it is loaded with the first such text; until it is there,
 * and if it cannot be loaded, the text stands as it was written.
 */
import { lazy, Suspense } from "react";
import styles from "./RichText.module.css";

interface TextProps {
  text: string;
}

const Markdown = lazy<React.ComponentType<TextProps>>(() =>
  import("./Markdown").catch(() => ({ default: PlainText })),
);

export function RichText({ text }: TextProps) {
  return (
    <Suspense fallback={<PlainText text={text} />}>
      <Markdown text={text} />
    </Suspense>
  );
}

export function PlainText({ text }: TextProps) {
  return <p className={styles.plain}>{text}</p>;
}
