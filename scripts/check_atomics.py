#!/usr/bin/env python3
"""Keeps locks and read-modify-writes off the way of a tick and of a send: reads the machine code of the
layers that a core runs (static libraries given as arguments) and fails on every locked instruction, or
exclusive one on other machines. Loads, stores and fences of the mailboxes are none. `--self-test` proves that
it finds what it should.

What a library or the kernel does when called is not seen: allocation is what else could lock, and that a
tick allocates nothing is tested elsewhere (tests/core/steady_state_test.cpp).
"""

import re
import subprocess
import sys
import tempfile

# x86-64: a lock prefix, or xchg with memory, which locks by itself. AArch64: exclusives and LSE atomics.
LOCKED = re.compile(r"\t(lock\b.*|xchg\s+(?=.*\().*|(?:ldax?r|stlxr|stxr|cas\w*|swp\w*|ldadd\w*|ldclr\w*|ldset\w*)"
                    r"\s.*)$")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
# What may lock, and why.
ALLOWED = {
    "room_mailbox.cpp.o": "threads of a simulation's own post there: the core only tries the lock, once a tick, in "
                          "rooms that have given out a handle",
}
OBJECT = re.compile(r"^(\S+\.o):\s+file format")


def found_in(path: str) -> list[str]:
    listing = subprocess.run(["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", path], text=True,
                             stdout=subprocess.PIPE, check=True).stdout
    found, function, where, instructions = [], "?", path, 0
    for line in listing.splitlines():
        if match := OBJECT.match(line):
            where = match[1]
        elif match := FUNCTION.match(line):
            function = match[1]
        elif (match := LOCKED.search(line)) and where.rpartition("/")[2] not in ALLOWED:
            found.append(f"{where}: {function}: {match[1].strip()}")
        instructions += "\t" in line
    if instructions == 0:
        raise SystemExit(f"{path}: no code in it")
    return found


def self_test() -> None:
    source = """
        #include <atomic>
        #include <mutex>
        std::atomic<int> cell;
        int adds() { return cell.fetch_add(1, std::memory_order_relaxed); }
        int swaps() { return cell.exchange(2); }
        int loads() { return cell.load(std::memory_order_acquire); }
        void stores() { cell.store(1, std::memory_order_release); }
    """
    with tempfile.TemporaryDirectory() as folder:
        made = f"{folder}/made.o"
        subprocess.run(["c++", "-O2", "-x", "c++", "-c", "-o", made, "-"], input=source, text=True, check=True)
        found = "\n".join(found_in(made))
    assert "adds()" in found and "swaps()" in found, found
    assert "loads()" not in found and "stores()" not in found, found


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        sys.exit(0)
    everything = [one for path in sys.argv[1:] for one in found_in(path)]
    for one in everything:
        print(one)
    sys.exit(1 if everything or not sys.argv[1:] else 0)
