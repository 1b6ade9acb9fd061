import { render, screen } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { ApiError } from "../src/api/client";
import { localPath, parseSearch, stringifySearch } from "../src/app/paths";
import { columnsOf } from "../src/pages/town/board";
import { describe as describeConnection } from "../src/pages/town/ConnectionPill";
import { costWords, mayorWords, modelOf, phaseWords, shortModel } from "../src/pages/town/words";
import Markdown from "../src/ui/Markdown";
import { ErrorNotice } from "../src/ui/Notice";
import { shortAge } from "../src/ui/time";
import { agent, assignment, bead } from "./make";

describe("the board", () => {
  const show = (rows: Parameters<typeof columnsOf>[0], words = "") =>
    Object.fromEntries(
      Object.entries(columnsOf(rows, words)).map(([status, list]) => [
        status,
        list.map((row) => row.bead_id),
      ]),
    );

  test("sorts work by status: what is next first, what ended last first", () => {
    expect(
      show([
        bead("old", { created_at: "2026-01-01T00:00:00.000Z" }),
        bead("new", { created_at: "2026-01-02T00:00:00.000Z" }),
        bead("urgent", { priority: "critical", created_at: "2026-01-03T00:00:00.000Z" }),
        bead("done1", { status: "closed", closed_at: "2026-01-01T00:00:00.000Z" }),
        bead("done2", { status: "closed", closed_at: "2026-01-02T00:00:00.000Z" }),
        bead("bad", { status: "failed" }),
      ]),
    ).toEqual({
      open: ["urgent", "old", "new"],
      in_progress: [],
      in_review: [],
      closed: ["done2", "done1"],
      failed: ["bad"],
    });
  });

  test("holds work only, not the records of mail, agents, reviews and convoys", () => {
    const types = ["issue", "message", "escalation", "merge_request", "convoy", "molecule", "agent"] as const;
    expect(show(types.map((type) => bead(type, { type }))).open).toEqual(["issue", "molecule"]);
  });

  test("filters by every word, in title, label, agent or id", () => {
    const rows = [
      bead("b1", { title: "Add login", labels: ["backend"], assignee_name: "Toast" }),
      bead("b2", { title: "Add logout" }),
    ];
    expect(show(rows, "ADD log").open).toEqual(["b1", "b2"]);
    expect(show(rows, "add toast").open).toEqual(["b1"]);
    expect(show(rows, "backend").open).toEqual(["b1"]);
    expect(show(rows, "b2").open).toEqual(["b2"]);
  });
});

describe("words", () => {
  test("the connection says how current the page is", () => {
    expect(describeConnection({ kind: "live" }, 0)).toBe("Live");
    expect(describeConnection({ kind: "reconnecting", heardAt: 1_000 }, 13_500)).toBe(
      "Reconnecting (last update 12 s ago)",
    );
    expect(describeConnection({ kind: "offline", heardAt: 0 }, 180_000)).toBe(
      "Offline (last update 3 min ago)",
    );
  });

  test("the model is the one at work, else the last, else the one asked for", () => {
    const row = bead("b1", { requested_model: "asked", last_model: "last" });
    const worker = agent("a1", { assignment: assignment("s1", "a1", { bead_id: "b1", model: "live" }) });
    expect(modelOf(row, worker)).toBe("live");
    expect(modelOf({ ...row, bead_id: "b2" }, worker)).toBe("last");
    expect(modelOf({ ...row, last_model: null }, undefined)).toBe("asked");
    expect(shortModel("maker/family/model-4")).toBe("model-4");
  });

  test("a start names its step", () => {
    expect(phaseWords(assignment("s", "a", { phase: "starting", phase_detail: "cloning" }))).toBe("cloning");
    expect(phaseWords(assignment("s", "a", { phase: "running" }))).toBe("running");
  });

  test("ages, costs and the mayor's state are short", () => {
    expect([2_000, 59_000, 61_000, 7_200_000, 200_000_000].map(shortAge)).toEqual([
      "now",
      "59s",
      "1m",
      "2h",
      "2d",
    ]);
    expect([null, 0, 0.004, 1.5].map(costWords)).toEqual([null, null, "< $0.01", "$1.50"]);
    expect(mayorWords(null)).toBe("Asleep");
  });

  test("after sign-in a person only ever goes to a page of this origin", () => {
    const wanted = ["/t/x?q=1", "//evil.example", "/\\evil.example", "https://evil.example", "/sign-in", 7];
    expect(wanted.map(localPath)).toEqual([
      "/t/x?q=1",
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("the search part of an address", () => {
  test("holds words as they are typed", () => {
    expect(parseSearch("?q=4321&bead=true")).toEqual({ q: "4321", bead: "true" });
    expect(stringifySearch({ q: "4321 & more", bead: undefined })).toBe("?q=4321+%26+more");
    expect(stringifySearch({ q: undefined })).toBe("");
  });
});

describe("text from others", () => {
  test("is Markdown without HTML, images and unsafe links", () => {
    const { container } = render(
      <Markdown
        text={
          '<img src=x onerror="alert(1)"><script>alert(1)</script> **bold** ![pixel](https://a.example/x.png) ' +
          "[bad](javascript:alert(1)) [good](https://a.example/)"
        }
      />,
    );
    expect(container.querySelectorAll("img, script")).toHaveLength(0);
    expect(screen.getByText("bold").tagName).toBe("STRONG");
    const links = screen.getAllByRole("link");
    expect(links.map((link) => link.getAttribute("href"))).toEqual(["https://a.example/"]);
    expect(links[0]?.getAttribute("rel")).toBe("noopener noreferrer");
  });

  test("an error shows what a report needs", () => {
    render(<ErrorNotice what="It broke" error={new ApiError(500, "internal", "Our fault", "r-1")} />);
    expect(screen.getByRole("alert").textContent).toBe("It brokeOur fault internal · r-1");
  });
});
