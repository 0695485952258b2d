"""What a person keeps: backups, secrets, and plays that are only tried."""

import json
import re

from common import DOMAIN, Check, last_sentence, provisioned, ready
from fleet import NODES, Fleet


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
    fleet.encrypt("test", "ringcast_admin_token: second-token-of-all\n", other_recipient)
    refused("a wrong recipient", "no age key here opens it")
    good.unlink()
    refused("a missing file", "no such file")

    units = ("ringcast.socket", "prometheus", "prometheus-node-exporter", "nftables", "ssh")
    since = [fleet.inside("n1", "systemctl", "show", "--property", "ActiveEnterTimestampMonotonic", "--value", unit) for unit in units]
    fleet.encrypt("test", "ringcast_admin_token: second-token-of-all\n")
    fleet.play("secrets-rotate.yml")
    for node in NODES:
        process = fleet.main_pid(node)
        answers = [asked(fleet, node, token) for token in ("second-token-of-all", "first-token-of-all", "")]
        check.that(answers == ["200", "401", "401"], f"the server of {node} asks for the new token", " ".join(answers))
        shown = "".join(fleet.inside(node, *command) for command in
                        (("cat", f"/proc/{process}/environ"), ("cat", f"/proc/{process}/cmdline"),
                         ("systemctl", "show", "ringcast"), ("journalctl", "--no-pager")))
        check.that("second-token-of-all" not in shown and "first-token-of-all" not in shown,
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
    check.that("second-token-of-all" not in played.output, "and does not show it")
    # What a run that ended too early has left to the next, and a token that comes with a deploy.
    for token, why in (("third-token-of-all", "that a run before it has left behind"), ("fourth-token", "that is its own")):
        fleet.encrypt("test", f"ringcast_admin_token: {token}\n")
        if token == "third-token-of-all":
            fleet.inside("n1", "sh", "-c", f"echo {token} >/etc/credstore/ringcast.admin-token")
        fleet.play("deploy.yml")
        answers = [asked(fleet, node, token) for node in NODES]
        check.that(answers == ["200"] * len(NODES) and before == [fleet.main_pid(node) for node in NODES],
                   f"a deploy hands over a new token {why}, and restarts no server for it", " ".join(answers))


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
        shown = [secret for secret in ("first-token-of-all", "another-token-of-all", "PRIVATE KEY") if secret in played.output]
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
    fleet.encrypt("test", "ringcast_admin_token: another-token-of-all\n")
    for playbook in ("deploy.yml", "secrets-rotate.yml", "provision.yml"):
        tried(playbook, "with a new version and a new token")
    fleet.deploy_version(fleet.version)
    fleet.encrypt("test", "ringcast_admin_token: first-token-of-all\n")
    for node in NODES:
        fleet.boot(node)
    tried("provision.yml", "on bare nodes")
    everything = {"tls_front_domain": DOMAIN, "tls_front_certificate": str(fleet.certificate(DOMAIN)),
                  "gitops_enabled": True, "gitops_repository": "git://10.77.0.1/nodes", "base_deploy_keys": [fleet.public_key()]}
    tried("provision.yml", "on bare nodes with TLS, Git and keys that may deploy", "--extra-vars", json.dumps(everything))
    tried("replace-node.yml", "on a bare node", "--extra-vars", "replaced=n2")
    for node in NODES:
        fleet.destroy(node)
