// Runs the *.test.ts of a folder, or only those that are named, with node's own test runner:
// node scripts/test.mjs FOLDER [NAME...]
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { bundleForNode, web } from "./bundle.mjs";

const [where, ...names] = process.argv.slice(2);
const folder = resolve(web, where);
const entries = readdirSync(folder)
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => names.length === 0 || names.includes(file.replace(/\.test\.ts$/, "")))
  .sort()
  .map((file) => `${folder}/${file}`);
if (entries.length === 0) {
  console.error(`no *.test.ts in ${folder}`);
  process.exit(1);
}
const bundles = await bundleForNode(entries, "tests");
const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...bundles], {
  stdio: "inherit",
});
process.exit(run.status ?? 1);
