"""What scenarios share: sentences that hold or do not, nodes to start from, and looks at them."""

import re

from fleet import HERE, NODES, Fleet, run

DOMAIN = "play.test"


class Check:
    """Sentences that hold or do not; a scenario goes on after one that does not."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def that(self, holds, sentence: str, detail: str = "") -> None:
        if holds:
            self.passed += 1
            print(f"ok      {sentence}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED  {sentence}" + (f": {detail}" if detail else ""), flush=True)

    def skip(self, sentence: str, why: str) -> None:
        self.skipped += 1
        print(f"skipped {sentence}: {why}", flush=True)


def provisioned(fleet: Fleet, nodes=tuple(NODES)) -> None:
    """What most scenarios start from; those that are there already are left as they are."""
    missing = [node for node in nodes if node not in fleet.nodes]
    for node in missing:
        fleet.boot(node)
    if missing:
        fleet.play("provision.yml")


def page(fleet: Fleet, node: str) -> str:
    return fleet.outside("curl", "--silent", "--max-time", "10", f"http://{fleet.public(node)}:9000/", check=False).stdout


def ready(fleet: Fleet, node: str) -> bool:
    return run(HERE / "host-exec.sh", node, "curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null",
               f"http://{fleet.private(node)}:9001/readyz", check=False).returncode == 0


def rooms(fleet: Fleet, node: str) -> str:
    """The admin endpoint's list, with the token where there is one."""
    token = fleet.inside(node, "cat", "/etc/credstore/ringcast.admin-token").strip()
    return fleet.inside(node, "curl", "--silent", "-H", f"Authorization: Bearer {token}",
                        f"http://{fleet.private(node)}:9001/rooms", check=False).replace(" ", "")


def last_sentence(output: str) -> str:
    found = re.findall(r"^\s*msg: (.*(?:\n {4,}\S.*)*)", output, re.MULTILINE)
    return " ".join(found[-1].split()).strip("'\"|->").strip().replace("''", "'") if found else output[-500:]
