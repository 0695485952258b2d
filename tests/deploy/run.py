#!/usr/bin/env python3
"""From bare nodes to serving ones, and what may happen to them: the playbooks of ansible/ over SSH on booted
hosts. Takes root. Closes with 'N passed, N failed, N skipped'.

    tests/deploy/run.py --release bookworm|trixie --package FILE [SCENARIO...]

A SCENARIO is a name from the list below, or `short`: one host, and what it takes to deploy to it; without any, all of the list run.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fleet import FABRIC, GIT_ADDRESS, HERE, HOSTS, NODES, PACKAGES, RECAP, Fleet, run, until  # noqa: E402
from programs import FORGE, KNOCK, SCAN, STAND_STILL, STAY  # noqa: E402

CLIENTS = 200
DOMAIN = "play.test"
OTHER_ADDRESS = "10.77.0.77"  # of the public network, for a second client


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


def last_sentence(output: str) -> str:
    found = re.findall(r"^\s*msg: (.*(?:\n {4,}\S.*)*)", output, re.MULTILINE)
    return " ".join(found[-1].split()).strip("'\"|->").strip().replace("''", "'") if found else output[-500:]


def provision(fleet: Fleet, check: Check) -> None:
    """From bare to serving, and nothing more to do afterwards."""
    for node in NODES:
        fleet.boot(node)
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


def rooms(fleet: Fleet, node: str) -> str:
    """The admin endpoint's list, with the token where there is one."""
    token = fleet.inside(node, "cat", "/etc/credstore/ringcast.admin-token").strip()
    return fleet.inside(node, "curl", "--silent", "-H", f"Authorization: Bearer {token}",
                        f"http://{fleet.private(node)}:9001/rooms", check=False).replace(" ", "")


def broken(fleet: Fleet, check: Check) -> None:
    """Versions that can't serve."""
    provisioned(fleet)

    def dies(folder: pathlib.Path) -> None:
        program = folder / "usr/bin/ringcast"
        program.unlink()
        program.write_text("#!/bin/sh\ncase \"$*\" in *--check-config*) exit 0 ;; esac\necho 'made to fail' >&2\nexit 1\n")
        program.chmod(0o755)

    def wrong_room(folder: pathlib.Path) -> None:
        """Ready, but nobody can join its room."""
        program = folder / "usr/bin/ringcast"
        program.rename(folder / "usr/bin/ringcast.real")
        program.write_text("#!/bin/sh\ncase \"$*\" in *--check-config*) exit 0 ;; esac\n[ \"$1\" = serve ] && exec /usr/bin/ringcast.real \"$@\" --room other=arena\n"
                           "exec /usr/bin/ringcast.real \"$@\"\n")
        program.chmod(0o755)

    for version, change, what in ((fleet.version + "+dies", dies, "that ends at once"),
                                  (fleet.version + "+room", wrong_room, "that is ready but lets nobody join")):
        before = {node: (fleet.main_pid("n2"), fleet.installed(node)) for node in NODES}
        fleet.make_version(version, change)
        fleet.deploy_version(version)
        played = fleet.play("deploy.yml", check=False)
        said = last_sentence(played.output)
        check.that(not played.succeeded and "rolled back to" in said, f"a version {what} is rolled back by itself", said)
        check.that(fleet.installed("n1") == before["n1"][1] and ready(fleet, "n1"), "the first node serves the version of before")
        check.that(fleet.main_pid("n2") == before["n2"][0], "the second node was not touched")
        print(f"   it said: {said}")
    fleet.deploy_version(fleet.version, "{session: {no_such_key: 1}}")
    before = fleet.main_pid("n1")
    said = last_sentence(fleet.play("deploy.yml", check=False).output)
    check.that("no_such_key" in said and "nothing was changed" in said and fleet.main_pid("n1") == before,
               "a configuration that the version refuses is told before anything is touched", said)
    fleet.deploy_version(fleet.version)
    check.that(fleet.play("deploy.yml", check=False).succeeded, "with the deployment put right the next deploy succeeds")


def replace(fleet: Fleet, check: Check) -> None:
    """A node is lost."""
    provisioned(fleet)
    fleet.destroy("n2")
    before = fleet.main_pid("n1")
    fleet.boot("n2")
    fleet.play("replace-node.yml", "--extra-vars", "replaced=n2")
    check.that("<html" in page(fleet, "n2").lower() and fleet.load("n2", "--clients", "5", "--seconds", "1")["joined"] == 5,
               "a node that was destroyed is replaced by a bare one that serves")
    check.that(fleet.main_pid("n1") == before, "the other node went on meanwhile")
    played = fleet.play("provision.yml")
    check.that(set(played.changed.values()) == {0}, "there is nothing left to do", ", ".join(played.changed_tasks))


def failures(fleet: Fleet, check: Check) -> None:
    """What goes wrong on one node."""
    provisioned(fleet, ("n1",))
    process = fleet.main_pid("n1")
    fleet.inside("n1", "systemctl", "kill", "--signal=KILL", "ringcast")
    until(lambda: fleet.main_pid("n1") not in ("0", process) and ready(fleet, "n1"), "another process")
    check.that(True, "a server that is killed is started again and serves")
    process = fleet.main_pid("n1")
    fleet.inside("n1", "python3", "-c", STAND_STILL, process)
    until(lambda: fleet.main_pid("n1") not in ("0", process) and ready(fleet, "n1"), "another process")
    check.that("atchdog" in fleet.inside("n1", "journalctl", "--no-pager", "-u", "ringcast"),
               "a server of which a core stands still is killed by the watchdog and started again")
    fleet.inside("n1", "mkdir", "-p", "/run/systemd/system/ringcast.service.d")
    clamp = HOSTS / "hosts/n1/root/opt/clamp.conf"
    clamp.write_text("[Service]\nLimitMEMLOCK=64K\n")
    fleet.inside("n1", "sh", "-c", "cp /opt/clamp.conf /run/systemd/system/ringcast.service.d/zz.conf && systemctl daemon-reload; "
                 "systemctl restart ringcast", check=False)
    said = fleet.inside("n1", "journalctl", "--no-pager", "-u", "ringcast", "-n", "20")
    check.that("raise it (LimitMEMLOCK=" in said, "with too low a lock limit it says which limit is to be raised", said[-600:])
    fleet.inside("n1", "sh", "-c", "rm /run/systemd/system/ringcast.service.d/zz.conf; systemctl daemon-reload; systemctl restart ringcast")
    until(lambda: ready(fleet, "n1"), "ready again")
    check.that(True, "and serves once it is")
    if "state_directory" not in (fleet.folder / "package/etc/ringcast/ringcast.toml").read_text():
        check.skip("a full disk for the state directory corrupts nothing that was saved", "this version saves no rooms")
        return
    state = "/var/lib/private/ringcast"
    fleet.inside("n1", "systemctl", "restart", "ringcast")
    saved = fleet.inside("n1", "sha256sum", f"{state}/room-arena.state")
    fleet.inside("n1", "sh", "-c", f"cp -a {state} /opt/saved && mount -t tmpfs -o size=64k tmpfs {state} && cp -a /opt/saved/. {state}/ ; "
                 f"dd if=/dev/zero of={state}/filler bs=1k count=1000 2>/dev/null; systemctl restart ringcast", check=False)
    until(lambda: ready(fleet, "n1"), "ready on a full disk")
    again = fleet.inside("n1", "sha256sum", f"{state}/room-arena.state", check=False)
    said = fleet.inside("n1", "journalctl", "--no-pager", "-u", "ringcast", "-n", "30")
    check.that(again.split()[:1] == saved.split()[:1] and "No space left" in said,
               "on a full disk it says so, and what was saved before is untouched", said[-600:])
    fleet.inside("n1", "sh", "-c", f"systemctl stop ringcast.socket ringcast; umount {state}; systemctl start ringcast.socket ringcast")


def backup(fleet: Fleet, check: Check) -> None:
    """Saved, wiped, restored."""
    provisioned(fleet)
    holder = fleet.folder / "backup.key"
    if not holder.exists():
        fleet.make_key(holder)
    recipient = re.search(r"age1\w+", holder.read_text())[0]
    fleet.inside("n1", "sh", "-c", "echo '# mine' >>/etc/ringcast/other.toml; mkdir -p /var/lib/private/ringcast; "
                 "echo kept >/var/lib/private/ringcast/kept")
    fleet.play("backup.yml", "--extra-vars", f"backup_recipient={recipient}")
    archives = sorted(path.name for path in (fleet.folder / "backups").iterdir())
    check.that(archives == [f"{node}.tar.gz.age" for node in sorted(fleet.nodes)], "there is an archive of each node and nothing else", str(archives))
    check.that(b"ringcast" not in (fleet.folder / "backups/n1.tar.gz.age").read_bytes()[200:], "it is encrypted")
    fleet.inside("n1", "sh", "-c", "systemctl stop ringcast.socket ringcast; rm -rf /etc/ringcast/other.toml /var/lib/private/ringcast/*; "
                 "systemctl start ringcast.socket ringcast")
    said = last_sentence(fleet.play("restore.yml", "--extra-vars", f"restore_key={fleet.key}", check=False).output)
    check.that("can't be decrypted" in said and "Nothing was changed" in said and ready(fleet, "n1"),
               "with another key it can't be restored, and the node goes on", said)
    fleet.play("restore.yml", "--extra-vars", f"restore_key={holder}")
    check.that("# mine" in fleet.inside("n1", "cat", "/etc/ringcast/other.toml"), "the configuration is back")
    check.that(fleet.inside("n1", "cat", "/var/lib/private/ringcast/kept") == "kept\n", "the state is back")
    check.that(ready(fleet, "n1") and fleet.load("n1", "--clients", "2", "--seconds", "1")["joined"] == 2, "and the node serves")
    archives = sorted(path.name for path in (fleet.folder / "backups").iterdir())
    check.that(archives == [f"{node}.tar.gz.age" for node in sorted(fleet.nodes)], "nothing decrypted is left behind", str(archives))
    fleet.inside("n1", "rm", "/etc/ringcast/other.toml", "/var/lib/private/ringcast/kept")


def state_of(fleet: Fleet, node: str) -> dict[str, str]:
    """What a playbook can change on a node, and what it would have to restart."""
    said = fleet.inside(node, "sh", "-c", "find /etc /usr/local /var/lib/ringcast-release /var/lib/private -xdev -type f -exec sha256sum {} + "
                        "2>/dev/null; dpkg-query --show --showformat '${Version} ${Package}\\n'; nft list ruleset | sha256sum; "
                        "for unit in ringcast prometheus prometheus-node-exporter haproxy ssh ringcast-reconcile.timer; "
                        "do echo \"$(systemctl show -P ActiveEnterTimestampMonotonic $unit)  $unit\"; done")
    return {what: is_now for is_now, _, what in (line.partition(" ") for line in said.splitlines())}


def check_mode(fleet: Fleet, check: Check) -> None:
    """Every playbook tried with --check --diff: it succeeds, and nothing is changed."""

    def tried(playbook: str, where: str, *arguments: str) -> None:
        before = {node: state_of(fleet, node) for node in fleet.nodes}
        played = fleet.play(playbook, "--check", "--diff", *arguments, check=False)
        check.that(played.succeeded, f"{playbook} can be tried {where}", last_sentence(played.output))
        shown = [secret for secret in ("first-token", "another-token", "PRIVATE KEY") if secret in played.output]
        check.that(not shown, "and shows no secret", ", ".join(shown))
        changed = [f"{node}: {what}" for node, was in before.items() for what, is_now in
                   (was.items() ^ state_of(fleet, node).items())]
        check.that(not changed, "and it changes nothing", ", ".join(changed))

    provisioned(fleet)
    holder = fleet.folder / "check.key"
    recipient = fleet.make_key(holder)
    fleet.play("backup.yml", "--extra-vars", f"backup_recipient={recipient}")
    for playbook, arguments in (("provision.yml", ()), ("deploy.yml", ()), ("rollback.yml", ()), ("secrets-rotate.yml", ()),
                                ("replace-node.yml", ("--extra-vars", "replaced=n2")),
                                ("backup.yml", ("--extra-vars", f"backup_recipient={recipient}")),
                                ("restore.yml", ("--extra-vars", f"restore_key={holder}"))):
        tried(playbook, "on provisioned nodes", *arguments)
    # What would be changed, too: another version, another token.
    fleet.make_version(fleet.version + "+check")
    fleet.deploy_version(fleet.version + "+check", "{log: {level: warning}}")
    fleet.encrypt("test", "ringcast_admin_token: another-token\n")
    for playbook in ("deploy.yml", "secrets-rotate.yml", "provision.yml"):
        tried(playbook, "with a new version and a new token")
    fleet.deploy_version(fleet.version)
    fleet.encrypt("test", "ringcast_admin_token: first-token\n")
    for node in NODES:
        fleet.boot(node)
    tried("provision.yml", "on bare nodes")
    everything = {"tls_front_domain": DOMAIN, "tls_front_certificate": str(fleet.certificate(DOMAIN)),
                  "gitops_enabled": True, "gitops_repository": "git://10.77.0.1/nodes", "base_deploy_keys": [fleet.public_key()]}
    tried("provision.yml", "on bare nodes with TLS, Git and keys that may deploy", "--extra-vars", json.dumps(everything))
    tried("replace-node.yml", "on a bare node", "--extra-vars", "replaced=n2")
    for node in NODES:
        fleet.destroy(node)


def tls(fleet: Fleet, check: Check) -> None:
    """wss through HAProxy with a certificate from a file."""
    for node in NODES:
        fleet.destroy(node)
    fleet.boot("n1")
    certificate = fleet.certificate(DOMAIN)
    fleet.deploy_version(fleet.version, "{drain_window_ms: 1000, address: {connections_max: 2}}")
    # Two files for each connection, and a host of this test may not have more than 20,000.
    front = ("--extra-vars", json.dumps({"tls_front_domain": DOMAIN, "tls_front_certificate": str(certificate),
                                         "tls_front_connections_max": 2000}))
    fleet.play("provision.yml", *front)
    played = fleet.play("provision.yml", *front)
    check.that(set(played.changed.values()) == {0}, "provision.yml a second time changes nothing", ", ".join(played.changed_tasks))
    said = fleet.outside("/usr/bin/python3", "-c", SCAN, fleet.public("n1")).stdout.split()
    check.that(said == ["22", "443"], "from outside only 22 and 443 answer", " ".join(said))

    def fetched(*trust: str, show: tuple[str, ...] = ()) -> str:
        return fleet.outside("curl", "--silent", "--show-error", "--max-time", "10", *trust, *show, "--resolve", f"{DOMAIN}:443:{fleet.public('n1')}",
                             f"https://{DOMAIN}/", check=False).stdout

    said = fetched("--cacert", f"{certificate}.crt")
    check.that("<html" in said.lower(), "the page is served over https with the certificate", said[:300])
    said = fetched()
    check.that("certificate" in said, "which nobody accepts who was not given it", said[:300])

    def client_from(*source: str) -> subprocess.Popen:
        return subprocess.Popen(["ip", "netns", "exec", FABRIC, "/usr/bin/python3", "-c", STAY, fleet.public("n1"), DOMAIN,
                                 f"{certificate}.crt", *source],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    two = [client_from(), client_from()]
    fleet.outside("ip", "address", "add", f"{OTHER_ADDRESS}/24", "dev", "fabric0")
    try:
        joined = [client.stdout.readline().strip() for client in two]
        status = ("--output", "/dev/null", "--write-out", "%{http_code}")
        trust = ("--cacert", f"{certificate}.crt")
        answers = [fetched(*trust, show=(*status, *source)) for source in ((), ("--interface", OTHER_ADDRESS))]
        check.that(joined == ["joined ringcast.v1"] * 2 and answers == ["429", "200"],
                   "an address that has its two connections gets no third one through HAProxy, and another one gets in", f"{joined} {answers}")
        said = fleet.inside("n1", "python3", "-c", FORGE).strip()
        check.that(said == "HTTP/1.1 400", "a PROXY header from anybody but the proxy is a bad request", said)
    finally:
        fleet.outside("ip", "address", "delete", f"{OTHER_ADDRESS}/24", "dev", "fabric0")
        for client in two:
            client.communicate()
    client = client_from()
    try:
        said = client.stdout.readline()
        check.that(said.strip() == "joined ringcast.v1", "a WebSocket client that this project did not write joins over wss", said + ("" if said else "it ended"))
        certificate.unlink()
        fleet.certificate(DOMAIN)
        played = fleet.play("provision.yml", *front)
        check.that(played.changed_tasks == ["tls_front : The certificate from a file", "tls_front : Reload HAProxy"],
                   "a new certificate changes nothing else", ", ".join(played.changed_tasks))
        check.that("<html" in fetched("--cacert", f"{certificate}.crt").lower(), "and is what HAProxy shows from then on")
    finally:
        said = client.communicate()[0].strip().splitlines()
    check.that(said[-1:] == ["still there"], "clients that were connected stay connected", " ".join(said[-3:]))
    fleet.deploy_version(fleet.version)
    fleet.destroy("n1")


def gitops(fleet: Fleet, check: Check) -> None:
    """A node that keeps itself as a Git repository says."""
    for node in NODES:
        fleet.destroy(node)
    fleet.boot("n1")
    tree = fleet.repository()
    # What a person lays on such a node by hand.
    run("install", "-m", "755", HERE / "sops_stand_in", HOSTS / "hosts/n1/root/usr/local/bin/sops")
    run("install", "-D", "-m", "600", fleet.key, HOSTS / "hosts/n1/root/etc/ringcast-reconcile/age.key")
    server = subprocess.Popen(["ip", "netns", "exec", FABRIC, "git", "daemon", f"--listen={GIT_ADDRESS}", "--reuseaddr", "--export-all",
                               f"--base-path={tree.parent}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def runs() -> list[int]:
        """How much each run of the timer's unit has changed, -1 for one that failed."""
        said = fleet.inside("n1", "journalctl", "--no-pager", "--output", "cat", "--unit", "ringcast-reconcile.service")
        return [int(changed) if failed == "0" else -1 for node, _, changed, _, failed in RECAP.findall(said) if node == "n1"]

    def next_run() -> int:
        so_far = len(runs())
        until(lambda: len(runs()) > so_far, "a run of the timer", 120)
        return runs()[-1]

    try:
        fleet.play("provision.yml", tree=tree)
        check.that(fleet.inside("n1", "systemctl", "is-active", "ringcast-reconcile.timer", check=False).strip() == "active", "the timer is on")
        fleet.inside("n1", "systemctl", "start", "ringcast-reconcile.service", check=False)
        check.that(runs() == [0], "ansible-pull on the node finds nothing to do after provision.yml", str(runs()))
        fleet.deploy_version(fleet.version, rooms="{name: arena, simulation: arena}, {name: lobby, simulation: arena}")
        fleet.commit(tree, "A second room")
        until(lambda: '"lobby"' in rooms(fleet, "n1"), "the new room", 150)
        check.that(ready(fleet, "n1"), "a room that is committed is served by itself")
        fleet.inside("n1", "sh", "-c", "echo PasswordAuthentication yes >/etc/ssh/sshd_config.d/10-ringcast.conf")
        until(lambda: "PasswordAuthentication no" in fleet.inside("n1", "cat", "/etc/ssh/sshd_config.d/10-ringcast.conf"), "the change taken back", 150)
        check.that(True, "what somebody changed on the node is put back")
        # The run that did it may still be going on.
        next_run()
        changed = next_run()
        check.that(changed == 0, "a run with nothing new changes nothing", str(runs()))
        fleet.commit(tree, "No more", gitops_enabled=False)
        until(lambda: not fleet.inside("n1", "sh", "-c", "ls /etc/systemd/system/ringcast-reconcile.* 2>/dev/null", check=False), "no units", 150)
        until(lambda: fleet.inside("n1", "systemctl", "is-active", "ringcast-reconcile.service", check=False).strip() == "inactive", "the end of the run", 150)
        check.that(runs()[-1] > 0 and ready(fleet, "n1"), "switched off in Git it removes itself, and the node serves", str(runs()))
    except AssertionError:
        print(fleet.inside("n1", "journalctl", "--no-pager", "--output", "cat", "--unit", "ringcast-reconcile.service", check=False)[-3000:])
        raise
    finally:
        server.terminate()
        server.wait()
        fleet.deploy_version(fleet.version)
    fleet.destroy("n1")


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


def asked(fleet: Fleet, node: str, token: str) -> str:
    """The status with which the admin endpoint answers who shows this token."""
    return fleet.inside(node, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "-H",
                        f"Authorization: Bearer {token}", f"http://{fleet.private(node)}:9001/rooms", check=False)


def secrets(fleet: Fleet, check: Check) -> None:
    """Keys and files that do not fit, and a new token."""
    provisioned(fleet)
    good = fleet.secrets / "test.sops.yaml"
    kept = good.read_text()
    other = fleet.folder / "other.key"
    other_recipient = fleet.make_key(other) if not other.exists() else re.search(r"age1\w+", other.read_text())[0]
    before = [fleet.main_pid(node) for node in NODES]

    def refused(what: str, expected: str, key=None) -> None:
        played = fleet.play("deploy.yml", check=False, key=key)
        said = last_sentence(played.output)
        print(f"   it said: {said}")
        check.that(not played.succeeded and expected in said and "Nothing was changed" in said
                   and sum(played.changed.values()) == 0 and [fleet.main_pid(node) for node in NODES] == before,
                   f"{what} is one sentence, and nothing is half deployed", said)

    refused("a wrong key", "no age key here opens it", key=other)
    refused("a missing key", "no age key here opens it", key=fleet.folder / "no-such.key")
    data = re.search(r"data:(.)", kept)
    good.write_text(kept[:data.start(1)] + ("A" if data[1] != "A" else "B") + kept[data.end(1):])
    refused("a tampered file", "changed after it was encrypted")
    fleet.encrypt("test", "ringcast_admin_token: second-token\n", other_recipient)
    refused("a wrong recipient", "no age key here opens it")
    good.unlink()
    refused("a missing file", "no such file")

    units = ("ringcast.socket", "prometheus", "prometheus-node-exporter", "nftables", "ssh")
    since = [fleet.inside("n1", "systemctl", "show", "--property", "ActiveEnterTimestampMonotonic", "--value", unit) for unit in units]
    fleet.encrypt("test", "ringcast_admin_token: second-token\n")
    fleet.play("secrets-rotate.yml")
    for node in NODES:
        process = fleet.main_pid(node)
        answers = [asked(fleet, node, token) for token in ("second-token", "first-token", "")]
        check.that(answers == ["200", "401", "401"], f"the server of {node} asks for the new token", " ".join(answers))
        shown = "".join(fleet.inside(node, *command) for command in
                        (("cat", f"/proc/{process}/environ"), ("cat", f"/proc/{process}/cmdline"),
                         ("systemctl", "show", "ringcast"), ("journalctl", "--no-pager")))
        check.that("second-token" not in shown and "first-token" not in shown,
                   f"no token is in the environment, the arguments, the unit or the journal of {node}")
        readable = fleet.inside(node, "setpriv", "--reuid=65534", "--clear-groups", "sh", "-c",
                                "cat /etc/credstore/ringcast.admin-token /etc/prometheus/ringcast-admin-token 2>/dev/null", check=False)
        check.that("token" not in readable, f"nobody else on {node} can read it", readable)
    after = [fleet.inside("n1", "systemctl", "show", "--property", "ActiveEnterTimestampMonotonic", "--value", unit) for unit in units]
    check.that(before == [fleet.main_pid(node) for node in NODES] and since == after,
               "nothing was restarted for it, not even the server", f"{since} {after}")
    played = fleet.play("secrets-rotate.yml")
    check.that(set(played.changed.values()) == {0}, "rotating to the same secrets changes nothing", ", ".join(played.changed_tasks))
    played = fleet.play("provision.yml")
    check.that(set(played.changed.values()) == {0}, "and provisioning agrees", ", ".join(played.changed_tasks))
    check.that("second-token" not in played.output, "and does not show it")
    fleet.encrypt("test", "ringcast_admin_token: third-token\n")
    played = fleet.play("provision.yml")
    answers = [asked(fleet, node, "third-token") for node in NODES]
    check.that(answers == ["200"] * len(NODES) and before == [fleet.main_pid(node) for node in NODES],
               "provisioning brings a new token as well, and restarts no server for it", " ".join(answers))


SCENARIOS = {scenario.__name__: scenario for scenario in
             (provision, ports, upgrade, broken, replace, failures, backup, secrets, tls, gitops)} | {"check": check_mode}
# By name only: a part of what the others prove, in a minute.
SHORT = {"short": short}


def main() -> int:
    parser = argparse.ArgumentParser(description="Tests of deployment on booted hosts.")
    parser.add_argument("--release", choices=("bookworm", "trixie"), default="bookworm")
    parser.add_argument("--package", type=pathlib.Path, required=True)
    parser.add_argument("--keep", action="store_true", help="leave the hosts up")
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS | SHORT))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.scenario if name not in SCENARIOS | SHORT]
    if unknown:
        parser.error(f"unknown scenario '{unknown[0]}': {', '.join(SCENARIOS | SHORT)}")
    if not arguments.package.is_file():
        parser.error(f"there is no package {arguments.package}: ./dev package builds it")
    check = Check()
    fleet = Fleet(arguments.release, arguments.package.resolve(), [] if arguments.scenario == ["short"] else PACKAGES)
    try:
        for name in arguments.scenario or SCENARIOS:
            scenario = (SCENARIOS | SHORT)[name]
            print(f"-- {name}: {scenario.__doc__}", flush=True)
            began = time.monotonic()
            try:
                scenario(fleet, check)
            except Exception:  # pylint: disable=broad-except
                check.that(False, f"{name} runs to its end", traceback.format_exc())
            print(f"   {time.monotonic() - began:.0f} s", flush=True)
    finally:
        if not arguments.keep:
            fleet.close()
    print(f"{check.passed} passed, {check.failed} failed, {check.skipped} skipped")
    return 0 if check.failed == 0 and check.passed else 1


if __name__ == "__main__":
    sys.exit(main())
