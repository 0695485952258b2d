// Makes dist/: a flat folder of an index.html, which must be revalidated, and files whose names
// change with their content, which may be kept for ever. Nothing in it is inline, so that the
// page's Content-Security-Policy can be strict.
import { build } from "esbuild";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("..", import.meta.url));
const dist = `${web}dist/`;
rmSync(dist, { recursive: true, force: true });

const { metafile } = await build({
  absWorkingDir: web,
  entryPoints: [
    { in: "page/main.ts", out: "app" },
    { in: "page/style.css", out: "style" },
    { in: "page/icon.svg", out: "icon" },
  ],
  outdir: "dist",
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "copy", ".woff2": "file" },
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022", "chrome109", "firefox115", "safari16"],
  metafile: true,
  logLevel: "warning",
});

const built = Object.keys(metafile.outputs).map((output) => basename(output));
const nameOf = (pattern) => {
  const names = built.filter((name) => pattern.test(name));
  if (names.length !== 1) throw new Error(`${pattern} names ${names.length} files of ${built}`);
  return names[0];
};
const names = {
  app: nameOf(/^app-.*\.js$/),
  style: nameOf(/^style-.*\.css$/),
  icon: nameOf(/^icon-.*\.svg$/),
  font: nameOf(/\.woff2$/),
};
const page = readFileSync(`${web}page/index.html`, "utf8");
writeFileSync(
  `${dist}index.html`,
  page.replace(/\{\{(\w+)\}\}/g, (_, key) => names[key] ?? fail(`{{${key}}} is not a file`)),
);

// What is bundled keeps its licence beside it. Protobuf-ES names its licences without their text:
// the one is typescript's too, the other heads the file that it covers.
const read = (file) => readFileSync(`${web}node_modules/${file}`, "utf8").trim();
const licences = [
  ["@bufbuild/protobuf (Apache-2.0)", read("typescript/LICENSE.txt")],
  [
    "@bufbuild/protobuf, wire/varint.js (BSD-3-Clause)",
    read("@bufbuild/protobuf/dist/esm/wire/varint.js").split("\n/**")[0].replace(/^\/\/ ?/gm, ""),
  ],
  ["@fontsource-variable/geist (OFL-1.1)", read("@fontsource-variable/geist/LICENSE")],
];
writeFileSync(
  `${dist}licences.txt`,
  licences.map(([title, text]) => `${title}\n\n${text}\n`).join(`\n${"-".repeat(80)}\n\n`),
);

for (const name of ["index.html", ...built, "licences.txt"]) {
  console.log(`${String(statSync(dist + name).size).padStart(8)}  ${name}`);
}

function fail(message) {
  throw new Error(message);
}
