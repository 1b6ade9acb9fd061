import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { TopBar } from "../app/TopBar";
import { Notice } from "../ui/Notice";
import styles from "./page.module.css";

export function NotFoundPage() {
  return (
    <div className={styles.page}>
      <title>Gastown Dashboard · Not found</title>
      <TopBar />
      <main className={styles.middle}>
        <Notice icon={<Compass size={18} />} title="There is nothing at this address">
          <Link to="/" className={styles.link}>
            Go to your towns
          </Link>
        </Notice>
      </main>
    </div>
  );
}
