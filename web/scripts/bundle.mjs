// Bundles TypeScript for node: into the cache folder of node_modules, so that packages left
// external (all of them) are found from there, wherever the source lies.
import { build } from "esbuild";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const web = fileURLToPath(new URL("..", import.meta.url));

/** Bundles each entry and returns the paths of the results, in order. */
export async function bundleForNode(entries, name) {
  const outdir = `${web}node_modules/.cache/${name}`;
  rmSync(outdir, { recursive: true, force: true });
  const result = await build({
    entryPoints: entries,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node18",
    sourcemap: "inline",
    tsconfigRaw: {},
    metafile: true,
    absWorkingDir: web,
    logLevel: "warning",
  });
  return Object.keys(result.metafile.outputs).map((output) => `${web}${output}`);
}
