// Runs one TypeScript program of this folder: node scripts/run.mjs FILE.ts ARGUMENTS...
import { pathToFileURL } from "node:url";
import { bundleForNode } from "./bundle.mjs";

const [entry, ...programArguments] = process.argv.slice(2);
const [bundle] = await bundleForNode([entry], "run");
process.argv = [process.argv[0], bundle, ...programArguments];
await import(pathToFileURL(bundle).href);
