/** The overview of a town: what the mayor says, what is being done, who does it, and what just happened. */
import { Tabs } from "@base-ui/react/tabs";
import { Link, useParams } from "@tanstack/react-router";
import { CirclePause, Lock } from "lucide-react";
import { useEffect } from "react";
import { leaveToSignIn } from "../../app/queries";
import { TopBar } from "../../app/TopBar";
import { TownProvider, useTown, useTownHandle } from "../../town/context";
import { useMediaQuery } from "../../ui/media";
import { ErrorNotice, Notice, Skeleton } from "../../ui/Notice";
import page from "../page.module.css";
import { ActivityPanel } from "./ActivityPanel";
import { AgentsPanel } from "./AgentsPanel";
import { BeadDrawer } from "./BeadDrawer";
import { BoardPanel } from "./BoardPanel";
import { ConnectionPill } from "./ConnectionPill";
import { MayorPanel } from "./MayorPanel";
import { useShortcuts } from "./shortcuts";
import styles from "./TownPage.module.css";

/** Below this width the panels do not fit side by side and become tabs. */
const WIDE = "(min-width: 1080px)";

export function TownPage() {
  const { townId } = useParams({ from: "/session/t/$townId" });
  return (
    <TownProvider key={townId} townId={townId}>
      <TownFrame />
    </TownProvider>
  );
}

function TownFrame() {
  const name = useTown((state) => state.data?.town.name);
  const isPaused = useTown((state) => state.data?.town.paused ?? false);
  return (
    <div className={page.page}>
      <title>{name === undefined ? "Gastown Dashboard" : `Gastown Dashboard · ${name}`}</title>
      <TopBar title={name ?? "…"}>
        {isPaused && (
          <span className={styles.paused}>
            <CirclePause size={13} /> Paused
          </span>
        )}
        <ConnectionPill />
      </TopBar>
      <TownBody />
    </div>
  );
}

function TownBody() {
  const hasData = useTown((state) => state.data !== null);
  const loadError = useTown((state) => state.loadError);
  const connection = useTown((state) => state.connection);
  const { sync } = useTownHandle();

  const isSignedOut = connection.kind === "signed_out";
  useEffect(() => {
    if (isSignedOut) leaveToSignIn();
  }, [isSignedOut]);

  if (connection.kind === "refused") {
    return (
      <main className={page.middle}>
        <Notice icon={<Lock size={18} />} title="This town is not open to you">
          It does not exist, or your account is not a member of it.{" "}
          <Link to="/" className={page.link}>
            Go to your towns
          </Link>
        </Notice>
      </main>
    );
  }
  if (!hasData && loadError !== null) {
    return (
      <main className={page.middle}>
        <ErrorNotice
          what="The town could not be loaded"
          error={loadError}
          onRetry={() => sync.current?.retry()}
        />
      </main>
    );
  }
  if (!hasData) {
    return (
      <main className={styles.loading}>
        <Skeleton rows={8} label="Loading the town" />
      </main>
    );
  }
  return <Overview />;
}

function Overview() {
  const isWide = useMediaQuery(WIDE);
  useShortcuts();
  return (
    <>
      {isWide ? <WideOverview /> : <NarrowOverview />}
      <BeadDrawer />
    </>
  );
}

function WideOverview() {
  return (
    <main className={styles.wide}>
      <div className={styles.board}>
        <BoardPanel />
      </div>
      <div className={styles.agents}>
        <AgentsPanel />
      </div>
      <div className={styles.activity}>
        <ActivityPanel />
      </div>
      <div className={styles.mayor}>
        <MayorPanel />
      </div>
    </main>
  );
}

const TABS = [
  { value: "mayor", name: "Mayor", panel: <MayorPanel /> },
  { value: "board", name: "Beads", panel: <BoardPanel /> },
  { value: "agents", name: "Agents", panel: <AgentsPanel /> },
  { value: "activity", name: "Activity", panel: <ActivityPanel /> },
];

function NarrowOverview() {
  return (
    <main className={styles.narrow}>
      <Tabs.Root defaultValue="mayor" className={styles.tabs}>
        <Tabs.List className={styles.tabList} aria-label="Parts of the town" activateOnFocus>
          {TABS.map((tab) => (
            <Tabs.Tab key={tab.value} value={tab.value} className={styles.tab} data-tab={tab.value}>
              {tab.name}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {TABS.map((tab) => (
          <Tabs.Panel key={tab.value} value={tab.value} className={styles.tabPanel}>
            {tab.panel}
          </Tabs.Panel>
        ))}
      </Tabs.Root>
    </main>
  );
}
