/**
 * Fails the build when the first load outgrows its budget (api.md 7.4), or when the page breaks the policy of
 * api.md 1.9 by itself: an inline script, an inline style or an address of another origin.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** Compressed bytes that are loaded before the first page is complete; api.md 7.4. */
const FIRST_LOAD_BYTES_MAX = 250_000;

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const html = readFileSync(`${dist}index.html`, "utf8");

if (/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|(?:src|href)="https?:/i.test(html)) {
  fail("index.html has inline code or names another origin");
}

// The page of a town is the heaviest that a link can lead to; what it loads later (Markdown) is not counted.
const townPage = readdirSync(`${dist}assets`).filter((name) => /^TownPage-.*\.(js|css)$/.test(name));
const linked = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((match) => match[1]);
// Of the fonts, a page in a Latin script loads one file; the browser asks for the others only when it needs them.
const fonts = readdirSync(`${dist}assets`).filter((name) => /^inter-latin-wght.*\.woff2$/.test(name));
const first = [...new Set([...linked, ...[...townPage, ...fonts].map((name) => `assets/${name}`)])];

let total = 0;
for (const path of first) {
  const bytes = readFileSync(dist + path);
  const size = path.endsWith(".woff2") ? bytes.length : gzipSync(bytes, { level: 9 }).length;
  total += size;
  console.log(`${(size / 1000).toFixed(1).padStart(8)} kB  ${path}`);
}
console.log(`${(total / 1000).toFixed(1).padStart(8)} kB  first load, of ${FIRST_LOAD_BYTES_MAX / 1000} kB`);
if (total > FIRST_LOAD_BYTES_MAX) fail("the first load is over its budget");

function fail(reason) {
  console.error(`dashboard: ${reason}`);
  process.exit(1);
}
