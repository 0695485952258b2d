"""What goes wrong with versions and nodes."""

import pathlib

from common import Check, last_sentence, page, provisioned, ready
from fleet import HOSTS, NODES, Fleet, until
from programs import STAND_STILL


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
