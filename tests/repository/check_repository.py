#!/usr/bin/env python3
"""What .github and ./dev promise, held against the tree: workflows call verbs that ./dev has, each of these is a
program, required checks are jobs that there are, owners own something, dependabot looks where there is something
to update, playbooks wait for another apt.

    check_repository.py [ROOT] [--self-test]

--self-test: that each of these mistakes is found.
"""

import fnmatch
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

MANIFESTS = {"npm": "package.json", "github-actions": ".github/workflows"}


def workflows(root: pathlib.Path) -> dict[str, dict]:
    return {path.name: yaml.safe_load(path.read_text())
            for path in sorted((root / ".github/workflows").glob("*.yml"))}


def job_names(workflow: dict):
    """As GitHub shows them: a name for each combination of the matrix."""
    for key, job in workflow["jobs"].items():
        matrix = job.get("strategy", {}).get("matrix", {})
        for values in itertools.product(*matrix.values()):
            name = job.get("name", key)
            for variable, value in zip(matrix, values):
                name = re.sub(r"\$\{\{ *matrix\." + variable + r" *\}\}", str(value), name)
            yield name


def tree_files(root: pathlib.Path) -> list[str]:
    return subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
                          check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()


def steps(workflow: dict):
    for job in workflow["jobs"].values():
        yield from job.get("steps", [])


def listed_verbs(root: pathlib.Path) -> set[str]:
    usage = subprocess.run([root / "dev", "help"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return set(re.findall(r"^  ([a-z-]+)", usage, re.MULTILINE))


def check_verbs(root: pathlib.Path):
    listed, programs = listed_verbs(root), {path.stem for path in (root / "scripts/dev").glob("*.sh")}
    for verb in sorted(listed - programs):
        yield f"./dev: lists {verb}, but there is no scripts/dev/{verb}.sh"
    for verb in sorted(programs - listed):
        yield f"./dev: does not list {verb}, which scripts/dev/{verb}.sh is"


def tasks_of(entries: list):
    """Those of a file of tasks or plays, at any depth."""
    for entry in entries:
        yield entry
        for part in ("block", "rescue", "always", "pre_tasks", "tasks", "post_tasks", "handlers"):
            yield from tasks_of(entry.get(part) or [])


def check_apt(root: pathlib.Path):
    """Fresh nodes upgrade themselves in the background: for the lists the module waits, for what is installed
    apt-get itself, which the first role tells it to."""
    said_to_wait = False
    files = sorted((root / "ansible").glob("*.yml")) + sorted((root / "ansible/roles").glob("*/*/*.yml"))
    # The role that every node gets comes first.
    for file in sorted(files, key=lambda path: "/base/" not in str(path)):
        entries = yaml.safe_load(file.read_text())
        for task in tasks_of(entries if isinstance(entries, list) else []):
            said_to_wait |= "DPkg::Lock::Timeout" in str(task.get("ansible.builtin.copy", ""))
            if "ansible.builtin.apt" not in task:
                continue
            if not said_to_wait:
                yield f"{file.relative_to(root)}: '{task['name']}' comes before apt-get is told to wait for another one"
                said_to_wait = True
            if task["ansible.builtin.apt"].get("lock_timeout", 0) < 300:
                yield f"{file.relative_to(root)}: '{task['name']}' has no lock_timeout of some minutes"


def check_workflows(root: pathlib.Path):
    verbs = listed_verbs(root)
    for name, workflow in workflows(root).items():
        called = {verb for step in steps(workflow) for verb in re.findall(r"\./dev ([\w-]+)", step.get("run", ""))}
        for verb in sorted(called - verbs):
            yield f"{name}: ./dev has no verb {verb}"
        if "permissions" not in workflow:
            yield f"{name}: says nothing of permissions, so it has all of them"
        for step in steps(workflow):
            if not step.get("uses", "actions/").startswith("actions/"):
                yield f"{name}: {step['uses']} is not GitHub's own; pin it to a commit, or do without"
            # What a stranger writes into a title or a branch's name would be run.
            if re.search(r"\$\{\{[^}]*(inputs|github\.event|github\.head_ref|secrets)", step.get("run", "")):
                yield f"{name}: '{step.get('name', 'a step')}' has an expression in its script; hand it over in env"
        for key, job in workflow["jobs"].items():
            if "timeout-minutes" not in job:
                yield f"{name}: job {key} may run for six hours; give it timeout-minutes"
            # Not the workflow's own token, which is github.token.
            if re.search(r"\$\{\{[^}]*secrets", json.dumps(job)) and "environment" not in job:
                yield f"{name}: job {key} has secrets that no environment guards"


def check_rulesets(root: pathlib.Path):
    found = [json.loads(path.read_text()) for path in sorted((root / ".github/rulesets").glob("*.json"))]
    if not any(rules["target"] == "branch" for rules in found):
        yield "no ruleset protects a branch"
    jobs = set(job_names(workflows(root)["ci.yml"]))
    for rules in found:
        if rules["enforcement"] != "active":
            yield f"ruleset {rules['name']}: is not enforced"
        by_type = {rule["type"]: rule.get("parameters", {}) for rule in rules["rules"]}
        if rules["target"] != "branch":
            continue
        for needed in ("deletion", "non_fast_forward", "pull_request", "required_status_checks"):
            if needed not in by_type:
                yield f"ruleset {rules['name']}: has no rule {needed}"
        checks = {check["context"]
                  for check in by_type.get("required_status_checks", {}).get("required_status_checks", [])}
        for check in sorted(checks - jobs):
            yield f"ruleset {rules['name']}: no job of ci.yml is named {check}; nothing could be merged"
        for job in sorted(jobs - checks):
            yield f"ruleset {rules['name']}: {job} of ci.yml is not required"


def check_owners(root: pathlib.Path):
    files = tree_files(root)
    for line in (root / ".github/CODEOWNERS").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern, *owners = line.split()
        if not owners or not all(re.fullmatch(r"@[\w-]+(/[\w-]+)?", owner) for owner in owners):
            yield f"CODEOWNERS: {pattern} has no owner, or not one as @name or @organisation/team"
        wanted = pattern.strip("/") + "/*" if pattern.endswith("/") else pattern.strip("/")
        if not any(fnmatch.fnmatch(file, wanted) for file in files):
            yield f"CODEOWNERS: {pattern} is no file of the tree"


def check_dependabot(root: pathlib.Path):
    written = yaml.safe_load((root / ".github/dependabot.yml").read_text())
    if written.get("version") != 2:
        yield "dependabot.yml: version must be 2"
    looked_at = set()
    for update in written.get("updates", []):
        ecosystem, directory = update["package-ecosystem"], update["directory"]
        looked_at.add((ecosystem, directory))
        if ecosystem not in MANIFESTS:
            yield f"dependabot.yml: {ecosystem} is nothing that this project has"
        elif not (root / directory.strip("/") / MANIFESTS[ecosystem]).exists():
            yield f"dependabot.yml: nothing of {ecosystem} is in {directory}"
        if "interval" not in update.get("schedule", {}):
            yield f"dependabot.yml: {directory} has no schedule"
    for file in tree_files(root):
        directory, _, name = file.rpartition("/")
        if name == MANIFESTS["npm"] and ("npm", "/" + directory) not in looked_at:
            yield f"dependabot.yml: does not look at /{directory}"


def problems(root: pathlib.Path) -> list[str]:
    return [problem for check in (check_verbs, check_apt, check_workflows, check_rulesets, check_owners, check_dependabot)
            for problem in check(root)]


# A file, what is replaced in it by what, and what is to be said of that.
MISTAKES = (
    (".github/workflows/ci.yml", "./dev fuzz 60", "./dev fuzzz 60", "no verb fuzzz"),
    ("dev", "\n  fuzz [", "\n  fuz [", "no scripts/dev/fuz.sh"),
    ("dev", "\n  fuzz [", "\n  [", "does not list fuzz"),
    ("ansible/roles/base/tasks/main.yml", "DPkg::Lock::Timeout", "DPkg::Lock", "is told to wait"),
    ("ansible/backup.yml", "        lock_timeout: 600\n", "", "'The program that encrypts' has no lock_timeout"),
    (".github/workflows/ci.yml", "permissions:\n  contents: read\n", "", "has all of them"),
    (".github/workflows/ci.yml", "uses: actions/checkout@v4", "uses: somebody/checkout@v4", "not GitHub's own"),
    (".github/workflows/ci.yml", "    timeout-minutes: 60\n", "", "six hours"),
    (".github/workflows/ci.yml", "./dev lint", "./dev lint ${{ github.head_ref }}", "an expression in its script"),
    (".github/workflows/ci.yml", "name: lint", "name: style", "no job of ci.yml is named lint"),
    (".github/workflows/ci.yml", "debian: [12, 13]", "debian: [12, 13, 14]", "Debian 14 of ci.yml is not required"),
    (".github/workflows/deploy.yml", "    environment: production\n", "", "no environment guards"),
    (".github/rulesets/main.json", '"active"', '"disabled"', "is not enforced"),
    (".github/rulesets/main.json", '{ "type": "non_fast_forward" },', "", "no rule non_fast_forward"),
    (".github/CODEOWNERS", "/systemd/", "/systemdd/", "is no file of the tree"),
    (".github/CODEOWNERS", "* @ringcast/maintainers\n", "* ringcast\n", "has no owner"),
    (".github/dependabot.yml", "version: 2", "version: 1", "must be 2"),
    (".github/dependabot.yml", "directory: /web", "directory: /wob", "does not look at /web"),
)


def self_test(root: pathlib.Path) -> list[str]:
    """Each mistake that is not found."""
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "tree")
        for folder in (".github", "ansible", "scripts/dev"):
            shutil.copytree(root / folder, copy / folder)
        for file in ("dev", "web/package.json", "tests/repository/package.json", "systemd/meson.build"):
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / file, copy / file)
        subprocess.run(["git", "-C", copy, "init", "-q"], check=True)
        if found := problems(copy):
            missed.append(f"a copy is not as good as the tree: {found}")
        for file, good, bad, said in MISTAKES:
            path = copy / file
            text = path.read_text()
            path.write_text(text.replace(good, bad))
            if good not in text or not any(said in problem for problem in problems(copy)):
                missed.append(f"not found: {bad or 'nothing'} for {good} in {file}")
            path.write_text(text)
    return missed


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--self-test"]
    root = pathlib.Path(arguments[0] if arguments else ".").resolve()
    found = problems(root)
    if "--self-test" in sys.argv:
        found += self_test(root)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
