"""What every kernel must do, in one guest, over loopback: keep the contract, say what it has, and serve
a crowd. See job_loopback for what the guest runs."""

import json
import pathlib
import re
import sys

import initramfs
from debian_kernel import Kernel
from guest import Guest
from outcome import SKIPPED, Outcome, ending

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
from meson_test import count  # noqa: E402  one way to count Catch2's sentences

PROGRAMS = ["tests/kernel/test_contract_ring", "tests/kernel/test_contract_direct", "tests/uring/test_uring",
            "ringcast"]
SECONDS = 240
FEATURE = re.compile(r"^(?:ok|lesser|BAD) +(missing: )?(.+) \(Linux ([\d.]+)\): ([^;\n]+)", re.MULTILINE)


def check_sentences(guest: Guest, name: str, outcome: Outcome) -> None:
    """A program of Catch2's: it has passed only when it said how many sentences did."""
    part = guest.part(name)
    result = {0: "OK", SKIPPED: "SKIP"}.get(part.status, "FAIL")
    if result == "OK" and "All tests passed" not in part.output:
        result = "FAIL"
    counted = count(result, part.output)
    outcome.add(*counted)
    outcome.lines.append("{}: {} passed, {} failed, {} skipped".format(name, *counted))
    if result != "OK":
        outcome.lines += [f"  {ending(part.status)}", *(f"  {line}" for line in part.output.splitlines())]


def check_doctor(guest: Guest, outcome: Outcome) -> None:
    part = guest.part("doctor")
    for missing, name, since, used_for in FEATURE.findall(part.output):
        outcome.features[name, since, used_for] = not missing
    if part.status == 0 and outcome.features:
        outcome.add(1, 0, 0)
        outcome.lines.append("doctor: this machine can serve")
    else:
        outcome.fail(f"doctor: {ending(part.status)}\n{part.output}")


def check_load(guest: Guest, outcome: Outcome) -> None:
    """Emulation is slow, so how old snapshots are means nothing here; that they come and are whole does."""
    load, serve = guest.part("load"), guest.part("serve")
    try:
        report = json.loads(load.output[load.output.index("{"):])
    except ValueError:
        outcome.fail(f"load: {ending(load.status)}\n{load.output}{serve.output}")
        return
    line = (f"load: {report['joined']} of {report['clients']} clients joined, "
            f"{report['frames']} snapshots, {report['verify_failed']} wrong, "
            f"delivered ratio {report['delivered_ratio']:.4f}")
    good = (load.status == 0 and report["joined"] == report["clients"]
            and report["verify_failed"] == 0 and report["delivered"] > 0)
    if good:
        outcome.add(1, 0, 0)
        outcome.lines.append(line)
    else:
        outcome.fail(f"{line}, {ending(load.status)}")
    if serve.status != 0:
        outcome.fail(f"serve: {ending(serve.status)}\n{serve.output}")


def run(kernel: Kernel, build: pathlib.Path, folder: pathlib.Path, outcome: Outcome) -> None:
    packed = initramfs.build(folder / "loopback", (initramfs.HERE / "job_loopback").read_text(),
                             [build / name for name in PROGRAMS], {})
    guest = Guest(kernel, packed, folder / "loopback", SECONDS)
    guest.finish()
    outcome.seconds += guest.seconds
    check_sentences(guest, "contract", outcome)
    check_sentences(guest, "direct", outcome)
    check_sentences(guest, "uring", outcome)
    check_load(guest, outcome)
    check_doctor(guest, outcome)
    for failure in guest.failures:
        outcome.fail(failure)
