/** The pages and their addresses. Filters and open drawers live in the search part, so that a link shows the same view. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { ApiError } from "../api/client";
import { ErrorPage } from "../pages/ErrorPage";
import { NotFoundPage } from "../pages/NotFoundPage";
import { SignInPage } from "../pages/sign-in/SignInPage";
import { TownsPage } from "../pages/towns/TownsPage";
import { localPath, parseSearch, stringifySearch } from "./paths";
import { queries, sessionQuery } from "./queries";

const rootRoute = createRootRoute({ component: Outlet, notFoundComponent: NotFoundPage });

export interface SignInSearch {
  next?: string | undefined;
}

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/sign-in",
  component: SignInPage,
  validateSearch: (search): SignInSearch => ({ next: localPath(search.next) }),
});

/** Everything that needs a session. Only a clear "no" leads to the sign-in page; other failures show on the page. */
const sessionRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "session",
  beforeLoad: async ({ location }) => {
    try {
      await queries.ensureQueryData(sessionQuery);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        throw redirect({ to: "/sign-in", search: { next: localPath(location.href) } });
      }
    }
  },
});

const townsRoute = createRoute({ getParentRoute: () => sessionRoute, path: "/", component: TownsPage });

export interface TownSearch {
  /** Words that a bead must contain. */
  q?: string | undefined;
  /** The bead whose drawer is open. */
  bead?: string | undefined;
}

const townRoute = createRoute({
  getParentRoute: () => sessionRoute,
  path: "/t/$townId",
  component: lazyRouteComponent(() => import("../pages/town/TownPage"), "TownPage"),
  validateSearch: (search): TownSearch => ({ q: text(search.q), bead: text(search.bead) }),
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([signInRoute, sessionRoute.addChildren([townsRoute, townRoute])]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultErrorComponent: ErrorPage,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
