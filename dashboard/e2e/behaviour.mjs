/**
 * Drives the built page in a real browser against the stub, under the real content security policy: signing in, writing
 * to the mayor, watching work move, losing and regaining the connection, and doing all of it with the keyboard.
 */
import assert from "node:assert/strict";
import { collectComplaints, launchBrowser } from "./browser.mjs";
import { demoTown } from "./fixtures.mjs";
import { startStub } from "./stub-server.mjs";

const TOWN = demoTown().snapshot.town;
const COOKIE = { name: "gastown_session", value: "stub" };
/** The refusals that a step provokes are logged by the browser itself; everything else is a fault. */
const EXPECTED_LOG = /Failed to load resource|net::ERR_/;

const browser = await launchBrowser();
let failures = 0;

await step(
  "a sign-in link opens a session and leaves no trace of its token",
  async ({ stub, page, context }) => {
    await context.clearCookies();
    await page.goto(`${stub.url}/sign-in#t=good-1`);
    await page.getByRole("heading", { name: "Towns" }).waitFor();
    assert.equal(page.url(), `${stub.url}/`);
    assert.equal(stub.count("POST /api/session"), 1, "the token is used once");
    await page.goBack();
    assert.ok(!page.url().includes("good-1"), "history has no token");
  },
);

await step("a link that was used before says so, and a pasted one works", async ({ stub, page, context }) => {
  await context.clearCookies();
  stub.usedTokens.add("good-1");
  await page.goto(`${stub.url}/sign-in#t=good-1`);
  await page.getByRole("alert").getByText("used before").waitFor();
  assert.equal(new URL(page.url()).hash, "");
  await page.getByLabel("Sign-in token or link").fill(`${stub.url}/sign-in#t=good-2`);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: /Ada's Town/ }).waitFor();
});

await step(
  "someone who is not signed in comes back to where they wanted to go",
  async ({ stub, page, context }) => {
    await context.clearCookies();
    const wanted = `/t/${TOWN.id}?q=cursor`;
    await page.goto(stub.url + wanted);
    await page.getByLabel("Sign-in token or link").fill("good-3");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("searchbox", { name: "Filter beads" }).waitFor();
    assert.equal(page.url(), stub.url + wanted);
    assert.equal(await page.getByRole("searchbox").inputValue(), "cursor");
  },
);

await step("signing out ends the session", async ({ stub, page }) => {
  await openTown(page, stub);
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in to Gastown" }).waitFor();
  await page.goto(`${stub.url}/`);
  await page.getByRole("heading", { name: "Sign in to Gastown" }).waitFor();
});

await step("a message to the mayor appears once, and the answer grows in place", async ({ stub, page }) => {
  await openTown(page, stub);
  await page.getByLabel("Message to the mayor").fill("Add a function that adds");
  await page.keyboard.press("Enter");
  const log = page.getByRole("log");
  await log.getByText("Add a function that adds").waitFor();
  assert.equal(await page.getByLabel("Message to the mayor").inputValue(), "");
  const answer = (text, state) =>
    stub.push("mayor.message", {
      id: "answer",
      at: new Date().toISOString(),
      role: "mayor",
      author: null,
      parts: [{ type: "text", text }],
      state,
    });
  answer("On it", "streaming");
  await log.getByText("On it").waitFor();
  answer("On it: **Toast** works on it.", "complete");
  await log.locator("strong", { hasText: "Toast" }).waitFor();
  assert.equal(await log.getByText("On it").count(), 1);
  assert.equal(await log.getByText("Add a function that adds").count(), 1);
  assert.equal(stub.keys.size, 1);
});

await step(
  "a message that fails keeps its text, and is sent again under the same key",
  async ({ stub, page }) => {
    await openTown(page, stub);
    stub.messageFailure = 503;
    await page.getByLabel("Message to the mayor").fill("Please try");
    await page.getByRole("button", { name: "Send message" }).click();
    await page.getByRole("alert").getByText("The town is being restarted").waitFor();
    stub.messageFailure = null;
    await page.getByRole("button", { name: "Send again" }).click();
    await page.getByRole("alert").waitFor({ state: "detached" });
    assert.equal(await page.getByRole("log").getByText("Please try").count(), 1);
    assert.equal(stub.count(`POST /api/towns/${TOWN.id}/mayor/message`), 2);
    assert.equal(stub.keys.size, 1, "both attempts carried one idempotency key");
  },
);

await step("a draft survives a reload", async ({ stub, page }) => {
  await openTown(page, stub);
  await page.getByLabel("Message to the mayor").fill("Half a thought");
  await page.reload();
  await page.getByText("Live", { exact: true }).waitFor();
  assert.equal(await page.getByLabel("Message to the mayor").inputValue(), "Half a thought");
});

await step("a bead moves over the board as it happens, without another request", async ({ stub, page }) => {
  await openTown(page, stub);
  const before = stub.requests.length;
  const [work] = stub.town.snapshot.beads;
  for (const [version, status, name] of [
    [2, "in_review", "In review"],
    [3, "closed", "Closed"],
  ]) {
    stub.push("bead.updated", { ...work, version, status });
    await page.getByRole("region", { name }).getByText(work.title).first().waitFor();
  }
  stub.push("bead.updated", { ...work, version: 2, status: "in_review" });
  stub.push("activity", activity(stub, "“Return a cursor” was merged"));
  await page.getByRole("region", { name: "Activity" }).getByText("was merged").first().waitFor();
  assert.equal(
    await page.getByRole("region", { name: "Closed" }).getByText(work.title).count(),
    1,
    "old news changes nothing",
  );
  assert.equal(stub.requests.length, before);
});

await step(
  "a lost connection is shown, and what was missed arrives without a new snapshot",
  async ({ stub, page }) => {
    await openTown(page, stub);
    stub.refuseStreams = true;
    stub.dropStreams();
    await page.getByRole("button", { name: /Connection: Reconnecting/ }).waitFor();
    stub.push("activity", activity(stub, "This happened meanwhile"));
    stub.refuseStreams = false;
    await page.getByRole("button", { name: /Connection: Reconnecting/ }).click();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByText("This happened meanwhile").waitFor();
    assert.equal(stub.count(`GET /api/towns/${TOWN.id}/snapshot`), 1);
  },
);

await step(
  "a resume point that is too old reloads in place, with draft and drawer kept",
  async ({ stub, page }) => {
    const [work] = stub.town.snapshot.beads;
    await openTown(page, stub, `?bead=${work.bead_id}`);
    stub.forgetFrames = true;
    stub.town.snapshot.beads[0] = { ...work, title: "A title from the new snapshot", version: 9 };
    stub.dropStreams();
    await page.getByRole("dialog", { name: "A title from the new snapshot" }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    assert.equal(stub.count(`GET /api/towns/${TOWN.id}/snapshot`), 2);
  },
);

await step("everything works by keyboard", async ({ stub, page }) => {
  await openTown(page, stub);
  await page.keyboard.press("m");
  assert.equal(await focused(page), "Message to the mayor");
  await page.keyboard.press("m");
  assert.equal(
    await page.getByLabel("Message to the mayor").inputValue(),
    "m",
    "keys are letters while typing",
  );
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  assert.equal(await focused(page), "Filter beads");
  await page.keyboard.type("signing keys");
  await page.getByText("No match").first().waitFor();
  assert.ok(page.url().includes("q=signing"));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Rotate the signing keys without a restart" }).waitFor();
  assert.ok(page.url().includes("bead="));
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.ok(!page.url().includes("bead="));
  assert.match(
    await page.evaluate(() => document.activeElement?.textContent ?? ""),
    /Rotate the signing keys/,
  );
});

await step(
  "when the session ends, a person signs in again and is back where they were",
  async ({ stub, page }) => {
    await openTown(page, stub, "?q=cursor");
    stub.sessionEnded = true;
    stub.dropStreams();
    await page.getByLabel("Sign-in token or link").fill("good-4");
    await page.keyboard.press("Enter");
    await page.getByText("Live", { exact: true }).waitFor();
    assert.equal(page.url(), `${stub.url}/t/${TOWN.id}?q=cursor`);
    stub.sessionEnded = true;
    await page.getByRole("link", { name: "Gastown: all towns" }).click();
    await page.getByRole("heading", { name: "Sign in to Gastown" }).waitFor();
  },
);

await step("a town that is not open to a person says so", async ({ stub, page }) => {
  await page.goto(`${stub.url}/t/00000000-0000-4000-8000-000000000000`);
  await page.getByText("This town is not open to you").waitFor();
});

await step("five thousand beads stay quick", async ({ stub, page }) => {
  const [model] = stub.town.snapshot.beads;
  const statuses = ["open", "in_progress", "in_review", "closed", "failed"];
  stub.town.snapshot.beads = Array.from({ length: 5_000 }, (_, n) => ({
    ...model,
    bead_id: `${String(n).padStart(8, "0")}-0000-4000-8000-000000000000`,
    title: `Task number ${n}`,
    status: statuses[n % 5],
  }));
  await openTown(page, stub);
  const slowest = await page.evaluate(async () => {
    let worst = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) worst = Math.max(worst, entry.duration);
    }).observe({ type: "longtask", buffered: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    window.slowest = () => worst;
    return worst;
  });
  for (let n = 0; n < 200; n += 1) {
    const bead = stub.town.snapshot.beads[n];
    stub.push("bead.updated", { ...bead, version: 2, title: `Task number ${n}, changed` });
  }
  await page.getByText("Task number 199, changed").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("4321");
  await page.getByText("Task number 4321").waitFor();
  assert.equal(new URL(page.url()).search, "?q=4321");
  const worst = await page.evaluate(() => window.slowest());
  console.log(`     longest task ${Math.round(Math.max(slowest, worst))} ms`);
  // A bound against growth with the number of beads, generous because test machines share their cores.
  assert.ok(worst < 400, `a task of ${worst} ms`);
});

await browser.close();
console.log(failures === 0 ? "everything works" : `${failures} failed`);
process.exit(failures === 0 ? 0 : 1);

async function step(name, run) {
  const stub = await startStub(demoTown());
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.addCookies([{ ...COOKIE, url: stub.url }]);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints = collectComplaints(page);
  try {
    await run({ stub, page, context });
    assert.deepEqual(
      complaints.filter((text) => !EXPECTED_LOG.test(text)),
      [],
      "the page complained",
    );
    console.log(`ok   ${name}`);
  } catch (error) {
    failures += 1;
    console.error(`FAIL ${name}\n     ${error.message.split("\n").slice(0, 6).join("\n     ")}`);
  } finally {
    await context.close();
    await stub.close();
  }
}

async function openTown(page, stub, search = "") {
  await page.goto(`${stub.url}/t/${TOWN.id}${search}`);
  await page.getByText("Live", { exact: true }).waitFor();
}

function activity(stub, text) {
  return { ...stub.town.snapshot.events[0], bead_event_id: `${text}-${stub.seq}`, seq: stub.seq + 1, text };
}

function focused(page) {
  return page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
}
