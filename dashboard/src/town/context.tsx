/** Gives the pages of a town its store, and keeps it current for as long as one of them is shown. */
import { createContext, useContext, useEffect, useState } from "react";
import { useStore } from "zustand";
import { createTownStore, type TownState, type TownStore } from "./store";
import { TownSync } from "./sync";

interface Town {
  id: string;
  store: TownStore;
  sync: { current: TownSync | null };
}

const Context = createContext<Town | null>(null);

/** Must be keyed by the town: another town is another store. */
export function TownProvider({ townId, children }: { townId: string; children: React.ReactNode }) {
  const [town] = useState<Town>(() => ({ id: townId, store: createTownStore(), sync: { current: null } }));
  useEffect(() => {
    const sync = new TownSync(town.id, town.store);
    town.sync.current = sync;
    void sync.run();
    return () => sync.stop();
  }, [town]);
  return <Context value={town}>{children}</Context>;
}

export function useTownHandle(): Town {
  const town = useContext(Context);
  if (town === null) throw new Error("this component belongs below a TownProvider");
  return town;
}

/** Reads the store; renders again only when the selected value is another one. */
export function useTown<T>(select: (state: TownState) => T): T {
  return useStore(useTownHandle().store, select);
}
