/** The bar above every page of a signed-in person: where am I, is it current, who am I. */
import { Menu } from "@base-ui/react/menu";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { LogOut, UserRound } from "lucide-react";
import { api } from "../api/client";
import { Logo } from "../ui/Logo";
import { queries, sessionQuery } from "./queries";
import styles from "./TopBar.module.css";

export function TopBar({ title, children }: { title?: React.ReactNode; children?: React.ReactNode }) {
  return (
    <header className={styles.bar}>
      <nav aria-label="Location" className={styles.crumbs}>
        <Link to="/" className={styles.home} aria-label="Gastown: all towns">
          <Logo />
          <span className={styles.brand}>Gastown</span>
        </Link>
        {title !== undefined && (
          <>
            <span aria-hidden className={styles.slash}>
              /
            </span>
            <h1 className={styles.title}>{title}</h1>
          </>
        )}
      </nav>
      <div className={styles.right}>
        {children}
        <UserMenu />
      </div>
    </header>
  );
}

function UserMenu() {
  const { data: session } = useQuery(sessionQuery);
  const name = session?.user.name ?? session?.user.email ?? session?.user.id;
  return (
    <Menu.Root>
      <Menu.Trigger className={styles.user} aria-label="Account">
        <UserRound size={15} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={6} align="end" className={styles.positioner}>
          <Menu.Popup className={styles.menu}>
            <Menu.Group>
              <Menu.GroupLabel className={styles.who}>{name ?? "Signed in"}</Menu.GroupLabel>
              <Menu.Item className={styles.item} onClick={signOut}>
                <LogOut size={14} /> Sign out
              </Menu.Item>
            </Menu.Group>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}

/** Leaves by a full page load, so that nothing of the session stays in memory. */
async function signOut(): Promise<void> {
  try {
    await api.delete("/api/session");
  } finally {
    queries.clear();
    window.location.assign("/sign-in");
  }
}
