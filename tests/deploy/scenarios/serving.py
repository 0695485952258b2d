"""Nodes that serve: from bare ones, by whom they are reached, newer versions."""

import json
import subprocess

from common import Check, last_sentence, page, provisioned, ready, rooms
from fleet import FABRIC, HERE, NODES, Fleet, run, until
from programs import HOLD_APT, KNOCK, SCAN

CLIENTS = 200


def provision(fleet: Fleet, check: Check) -> None:
    """From bare to serving, and nothing more to do afterwards."""
    for node in NODES:
        fleet.boot(node)
    # As a node's own upgrades do when it is new: apt and its lists are somebody else's for a while.
    fleet.inside("n1", "systemd-run", "--quiet", "--unit=another-apt", "python3", "-c", HOLD_APT, "60")
    fleet.play("provision.yml")
    for node in NODES:
        check.that("<html" in page(fleet, node).lower(), f"{node} serves the page to the public network")
        loaded = fleet.load(node, "--clients", "5", "--seconds", "2")
        check.that(loaded["joined"] == 5 and loaded["delivered"] > 0 and not loaded["closed"],
                   f"five WebSocket clients get snapshots from {node}", str(loaded))
        check.that(fleet.inside(node, "systemctl", "--failed", "--no-legend", "--plain") == "", f"no unit of {node} has failed",
                   fleet.inside(node, "systemctl", "--failed", "--no-legend", "--plain"))
    for playbook in ("provision.yml", "deploy.yml"):
        played = fleet.play(playbook)
        check.that(set(played.changed.values()) == {0}, f"{playbook} a second time changes nothing", ", ".join(played.changed_tasks))
    targets = json.loads(run(HERE / "host-exec.sh", "n2", "curl", "--silent", f"http://{fleet.private('n1')}:9090/api/v1/targets").stdout)
    until(lambda: all(target["health"] == "up" for target in json.loads(fleet.inside(
        "n2", "curl", "--silent", f"http://{fleet.private('n1')}:9090/api/v1/targets"))["data"]["activeTargets"]),
        "every target of Prometheus up")
    check.that(len(targets["data"]["activeTargets"]) == 4, "Prometheus sees both servers and both nodes over the private network")


def ports(fleet: Fleet, check: Check) -> None:
    """What answers whom."""
    provisioned(fleet)
    fabric_route = ("ip", "route", "replace", "10.78.0.0/24", "via", fleet.public("n1"))
    for node in NODES:
        said = fleet.outside("/usr/bin/python3", "-c", SCAN, fleet.public(node)).stdout.split()
        check.that(said == ["22", "9000"], f"from outside only 22 and 9000 of {node} answer", " ".join(said))
    fleet.outside(*fabric_route)
    try:
        said = fleet.outside("/usr/bin/python3", "-c", SCAN, fleet.private("n1")).stdout.split()
        check.that(said == [], "nor does its private address, for those who send packets for it to the public one", " ".join(said))
    finally:
        fleet.outside("ip", "route", "delete", "10.78.0.0/24", check=False)
    said = fleet.inside("n2", "python3", "-c", SCAN, fleet.private("n1")).split()
    check.that({"9001", "9090", "9100"} <= set(said), "the other node reaches admin, Prometheus and node exporter", " ".join(said))
    allowed = fleet.inside("n1", "sudo", "-u", "deploy", "sudo", "-n", "ringcast-release", "status", check=False)
    check.that(f"{fleet.installed('n1')} serves" in allowed, "the deploy user may ask for the release's status", allowed)
    for command in (("cat", "/etc/credstore/ringcast.admin-token"), ("bash",), ("apt-get", "update")):
        refused = run(HERE / "host-exec.sh", "n1", "sudo", "-u", "deploy", "sudo", "-n", *command, check=False)
        check.that(refused.returncode != 0, f"the deploy user may not `sudo {' '.join(command)}`", refused.stdout)


def upgrade(fleet: Fleet, check: Check) -> None:
    """A newer version while clients are there."""
    provisioned(fleet)
    upgraded_under_load(fleet, check)
    fleet.play("rollback.yml")
    check.that(all(fleet.installed(node) == fleet.version for node in NODES) and all(ready(fleet, node) for node in NODES),
               "rollback.yml brings the version of before back to both")


def settings(fleet: Fleet, check: Check) -> None:
    """Other settings and rooms of the same version."""
    provisioned(fleet)
    arena = "{name: arena, simulation: arena, parameters: {bots: 5}}"
    lobby = f"{arena}, {{name: lobby, simulation: arena}}"

    def processes() -> list[str]:
        return [fleet.main_pid(node) for node in fleet.nodes]

    def restarted(what: str, served: str) -> int:
        """How many of the nodes a deploy of it restarts."""
        before = processes()
        fleet.deploy_version(fleet.version, what, served)
        fleet.play("deploy.yml")
        return sum(was != is_now for was, is_now in zip(before, processes()))

    def with_lobby() -> list[str]:
        return [node for node in fleet.nodes if '"lobby"' in rooms(fleet, node)]

    def ticks(node: str) -> int:
        """Of the lobby."""
        return next((room["tick"] for room in json.loads(rooms(fleet, node))["rooms"] if room["name"] == "lobby"), 0)

    count = restarted("{drain_window_ms: 1000, session: {message_bytes_max: 2000}}", lobby)
    check.that(count == 0 and with_lobby() == fleet.nodes, "a limit and a new room need no restart", f"{count} {with_lobby()}")
    played = fleet.play("deploy.yml")
    check.that(set(played.changed.values()) == {0}, "and there is nothing left to do", ", ".join(played.changed_tasks))
    count = restarted("{drain_window_ms: 1000, tcp: {backlog: 1000}}", lobby)
    check.that(count == len(fleet.nodes) and all(ready(fleet, node) for node in fleet.nodes), "what waits for the next start has one", str(count))
    until(lambda: ticks("n1") > 1000, "a lobby that has been there for a while")
    tick = ticks("n1")
    count = restarted("{drain_window_ms: 1000, tcp: {backlog: 1000}}", arena)
    check.that(count == 0 and with_lobby() == [], "a room that has left the deployment needs no restart", f"{count} {with_lobby()}")
    fleet.play("rollback.yml")
    check.that(with_lobby() == fleet.nodes and ticks("n1") >= tick, "and rollback.yml brings it back as it was", f"{ticks('n1')} {tick}")
    fleet.deploy_version(fleet.version)
    fleet.play("deploy.yml")


def upgraded_under_load(fleet: Fleet, check: Check) -> None:
    """Clients on each node that is up, and connections one after the other, while deploy.yml goes over all of them."""
    newer = fleet.version + "+next"
    fleet.make_version(newer)
    fleet.deploy_version(newer)
    knocking = {node: subprocess.Popen(["ip", "netns", "exec", FABRIC, "/usr/bin/python3", "-c", KNOCK, fleet.public(node)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for node in fleet.nodes}
    loads = {node: subprocess.Popen(["ip", "netns", "exec", FABRIC, *fleet.client(), "load", "--json", "--clients",
                                     str(CLIENTS), "--seconds", "150", "--url", f"ws://{fleet.public(node)}:9000/rooms/arena"],
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for node in fleet.nodes}
    try:
        until(lambda: all(f'"members":{CLIENTS}' in rooms(fleet, node) for node in fleet.nodes), f"{CLIENTS} members on each node", 60)
        played = fleet.play("deploy.yml", check=False)
        check.that(played.succeeded, f"a newer version is deployed to {' and '.join(fleet.nodes)} under load", last_sentence(played.output))
    finally:
        for process in loads.values():
            process.terminate()
        reports = {node: process.communicate()[0] for node, process in loads.items()}
        knocks = {node: json.loads(process.communicate()[0]) for node, process in knocking.items()}
    for node in fleet.nodes:
        answered, failures = knocks[node]
        print(f"   {node}: {answered} connections during the upgrade, {len(failures)} not answered; clients: {reports[node].strip()}")
        check.that(answered > 0 and not failures, f"no connection to {node} was refused, reset or left unanswered", str(failures[:3]))
        check.that(fleet.installed(node) == newer, f"{node} has the newer version", fleet.installed(node))
        report = json.loads(reports[node] or "{}")
        if "returned" in report and "resumed" in report:
            check.that(report["restarted"] == report["returned"] == CLIENTS, f"every client of {node} was told 1012 and is back", str(report))
            check.that(report["resumed"] == CLIENTS, f"every client of {node} is the member that it was", str(report))
        else:
            check.skip(f"every client of {node} comes back as the member that it was", "this version's load does not come back")


def short(fleet: Fleet, check: Check) -> None:
    """One node, the same release twice, a newer one under load."""
    fleet.boot("n1")
    fleet.play("deploy.yml")
    loaded = fleet.load("n1", "--clients", "5", "--seconds", "2")
    check.that("<html" in page(fleet, "n1").lower() and loaded["joined"] == 5 and loaded["delivered"] > 0 and not loaded["closed"],
               "a deployed node serves the page, and five WebSocket clients", str(loaded))
    played = fleet.play("deploy.yml")
    check.that(set(played.changed.values()) == {0}, "deploy.yml a second time changes nothing", ", ".join(played.changed_tasks))
    upgraded_under_load(fleet, check)
