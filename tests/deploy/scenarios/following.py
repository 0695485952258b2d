"""Nodes that follow Git."""

import subprocess

from common import Check, ready, rooms
from fleet import FABRIC, GIT_ADDRESS, HERE, HOSTS, NODES, RECAP, Fleet, run, until


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
