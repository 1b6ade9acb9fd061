/**
 * Writes the TypeScript types of the API's shapes from `docs/openapi.json` to `docs/openapi.ts` (api.md 1.10), for the
 * dashboard and for the plugin. With `--check` it writes nothing and fails where the file differs.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const HEAD = `/** The shapes of the API, written from docs/openapi.json by \`cargo xtask golden\`. Nobody edits this file. */\n\n`;

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const document = JSON.parse(readFileSync(path("docs/openapi.json"), "utf8"));
const { schemas } = document.components;
const ast = await openapiTS({ ...document, paths: {}, components: { schemas: bare(schemas) } }, { alphabetize: true, exportType: true });
const types = HEAD + astToString(ast).replace(/export (type|interface) (paths|webhooks|operations|\$defs)\b[^;]*;\n/g, "");

const target = path("docs/openapi.ts");
if (!process.argv.includes("--check")) writeFileSync(target, types);
else if (!existsSync(target) || readFileSync(target, "utf8") !== types) {
  console.error("docs/openapi.ts is not what docs/openapi.json says: run `cargo xtask golden`");
  process.exitCode = 1;
}

/** The schema without what types do not need: examples, and formats that would become comments on every field. */
function bare(value) {
  if (Array.isArray(value)) return value.map(bare);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([key]) => !["examples", "format"].includes(key) || typeof value[key] === "object" && !Array.isArray(value[key]));
  return Object.fromEntries(kept.map(([key, inner]) => [key, bare(inner)]));
}
