/**
 * Takes a picture of every page in both themes and at phone, tablet and desktop width into target/screenshots, and
 * fails when a page breaks the content security policy, logs an error, scrolls sideways, or has an accessibility
 * violation that axe can see.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { collectComplaints, launchBrowser } from "./browser.mjs";
import { demoTown, emptyTown } from "./fixtures.mjs";
import { startStub } from "./stub-server.mjs";

const OUT = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = [
  { name: "360", width: 360, height: 780 },
  { name: "820", width: 820, height: 1100 },
  { name: "1440", width: 1440, height: 900 },
];

mkdirSync(OUT, { recursive: true });
const full = await startStub(demoTown());
const empty = await startStub(emptyTown());
const townId = full.town.snapshot.town.id;
const browser = await launchBrowser();
let failures = 0;

try {
  for (const scheme of ["light", "dark"]) {
    for (const size of SIZES) await takeAll(scheme, size);
  }
} finally {
  await browser.close();
  await Promise.all([full.close(), empty.close()]);
}
console.log(failures === 0 ? `all pages are fine; pictures are in ${OUT}` : `${failures} complaints`);
process.exit(failures === 0 ? 0 : 1);

async function takeAll(scheme, size) {
  const visit = (name, stub, path, prepare) =>
    take({ name: `${name}-${size.name}-${scheme}`, stub, path, scheme, size, prepare });
  await visit("sign-in", full, "/sign-in", null);
  await visit("towns", full, "/");
  await visit("town", full, `/t/${townId}`);
  await visit("town-empty", empty, `/t/${townId}`);
  await visit("bead", full, `/t/${townId}?bead=${full.town.snapshot.beads[0].bead_id}`);
  if (size.width < 1080) {
    for (const tab of ["Beads", "Agents", "Activity"]) {
      await visit(`town-${tab.toLowerCase()}`, full, `/t/${townId}`, (page) =>
        page.getByRole("tab", { name: tab }).click(),
      );
    }
  }
}

async function take({ name, stub, path, scheme, size, prepare }) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: size, reducedMotion: "reduce" });
  const page = await context.newPage();
  const complaints = collectComplaints(page);
  try {
    // `prepare` is null for pages that are meant for someone who is not signed in.
    if (prepare !== null)
      await context.addCookies([{ name: "gastown_session", value: "stub", url: stub.url }]);
    await page.goto(stub.url + path, { waitUntil: "domcontentloaded" });
    await page.getByRole("heading").first().waitFor();
    if (path.startsWith("/t/")) await page.getByText("Live", { exact: true }).waitFor();
    await prepare?.(page);
    await page.evaluate(() => document.fonts.ready);
    await page.waitForLoadState("load");
    await markdown(page);
    await page.screenshot({ path: `${OUT}${name}.png` });
    complaints.push(...(await sidewaysScroll(page)), ...(await axe(page)));
  } catch (error) {
    await page.screenshot({ path: `${OUT}${name}-broken.png` }).catch(() => {});
    complaints.push(String(error));
  } finally {
    await context.close();
  }
  for (const complaint of complaints) console.error(`${name}: ${complaint}`);
  failures += complaints.length;
}

/** The module that renders Markdown is loaded when the first text needs it. */
async function markdown(page) {
  const raw = page.getByText("**one task**");
  if ((await raw.count()) > 0) await raw.waitFor({ state: "detached" });
}

async function sidewaysScroll(page) {
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  return excess > 0 ? [`the page is ${excess} px too wide`] : [];
}

async function axe(page) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(() =>
    window.axe
      .run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
      .then((result) =>
        result.violations.map(({ id, nodes }) => ({
          id,
          nodes: nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ""}`),
        })),
      ),
  );
  return violations.map(({ id, nodes }) => `axe ${id}: ${nodes.slice(0, 4).join(" | ")}`);
}
