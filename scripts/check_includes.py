#!/usr/bin/env python3
"""Keeps the dependencies between layers one-way (see docs/architecture.md).

Each module lists the modules that it may include; each third-party library lists the folders that
may include it. Prints one line for every include that breaks a rule. `--self-test` proves that the
rules bite.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)

# base < observe < { io, proxy, auth, ws, wire, room, replication } < session < core < control < config < app.
# `public` is include/ringcast.
MAY_INCLUDE = {
    "base": set(),
    "observe": {"base"},
    "io": {"base", "observe"},
    "proxy": {"base", "observe"},
    "auth": {"base", "observe"},
    "ws": {"base", "observe"},
    "wire": {"base", "observe"},
    "room": {"base", "observe", "public"},
    "replication": {"base", "public"},
    "uring": {"base", "observe", "io"},
    "session": {"base", "observe", "io", "proxy", "auth", "ws", "wire", "room", "replication", "public"},
    "core": {"base", "observe", "io", "proxy", "auth", "ws", "wire", "room", "replication", "public", "session"},
    "control": {"base", "observe", "io", "proxy", "auth", "ws", "wire", "room", "replication", "public", "session", "core"},
    "config": {"base", "observe", "io", "proxy", "auth", "ws", "wire", "room", "replication", "public", "session", "core", "control"},
    "load": {"base", "observe", "io", "ws", "wire", "replication"},
    "arena": {"base", "public"},
    "echo": {"base", "public"},
    "app": {"base", "observe", "io", "proxy", "auth", "ws", "wire", "room", "replication", "public", "session", "core", "control", "config", "uring", "load",
            "arena", "echo"},
    "public": set(),
}

# Third-party headers, by pattern, and the folders that may name them.
LIBRARIES = [
    (re.compile(r"liburing|linux/io_uring"), ("src/uring/", "bench/floor/", "tests/uring/",
                                              "tests/kernel/")),
    (re.compile(r"wslay/"), ("src/ws/",)),
    (re.compile(r"google/protobuf/|.*\.pb\.h$"), ("src/wire/", "src/arena/", "tests/", "bench/")),
    (re.compile(r"CLI/"), ("src/app/", "bench/")),
    (re.compile(r"toml\+\+/"), ("src/config/", "bench/")),
    # Boost is the control thread's, and so is OpenSSL but for tokens, the SHA-1 of an upgrade and the
    # HMAC of resume tokens, which every core makes and checks.
    (re.compile(r"boost/"), ("src/control/", "tests/", "bench/")),
    (re.compile(r"openssl/"), ("src/auth/", "src/control/", "src/session/resume_token.cpp", "src/ws/upgrade.cpp",
                               "src/load/handshake.cpp", "tests/", "bench/")),
]


def module_of(path: str) -> str | None:
    """The module of a source file; nothing for tests and benchmarks, which may use all of them."""
    if path.startswith("include/"):
        return "public"
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def target_of(include: str) -> str | None:
    """The module that an include names; nothing for other libraries and for neighbours."""
    first, slash, _ = include.partition("/")
    if not slash:
        return None
    if first == "ringcast":
        return "public"
    return first if first in MAY_INCLUDE else None


def complaint(path: str, include: str) -> str | None:
    """Why the file at `path` may not include `include`, or nothing when it may."""
    for pattern, folders in LIBRARIES:
        if pattern.match(include):
            if path.startswith(folders):
                return None
            return f"only {', '.join(folders)} may include {include}"
    module = module_of(path)
    if module is None:
        return None
    if module not in MAY_INCLUDE:
        return f"src/{module} is not a known layer: give it a row in scripts/check_includes.py"
    target = target_of(include)
    if module == "public" and target is None and ("/" in include or include.endswith(".h")):
        return f"public headers include only the standard library, not {include}"
    if target is not None and target != module and target not in MAY_INCLUDE[module]:
        return f"{module} may not include {target} ({include})"
    return None


def complaints(root: pathlib.Path) -> list[str]:
    found = []
    for top in ("include", "src", "tests", "bench"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cpp"):
                continue
            path = file.relative_to(root).as_posix()
            for include in INCLUDE.findall(file.read_text()):
                if (why := complaint(path, include)) is not None:
                    found.append(f"{path}: {why}")
    return found


# (file, include, whether it is allowed)
SAMPLES = [
    ("src/base/frame.cpp", "base/frame.h", True),
    ("src/base/frame.cpp", "observe/metrics.h", False),
    ("src/observe/metrics.h", "base/clock.h", True),
    ("src/io/io.h", "ws/close_code.h", False),
    ("src/auth/verifier.cpp", "openssl/evp.h", True),
    ("src/auth/verifier.cpp", "ws/upgrade.h", False),
    ("src/session/token_gate.cpp", "auth/verifier.h", True),
    ("src/session/token_gate.cpp", "openssl/evp.h", False),
    ("src/ws/frame_decoder.cpp", "wslay/wslay.h", True),
    ("src/ws/frame_decoder.cpp", "wire/envelope.h", False),
    ("src/wire/encode.cpp", "ringcast/v1/envelope.pb.h", True),
    ("src/wire/encode.cpp", "room/room.h", False),
    ("src/room/room.cpp", "ringcast/simulation.h", True),
    ("src/room/room.cpp", "io/io.h", False),
    ("src/replication/composer.cpp", "ringcast/replication.h", True),
    ("src/replication/composer.cpp", "room/room.h", False),
    ("src/replication/composer.cpp", "observe/metrics.h", False),
    ("src/core/core.cpp", "room/room.h", True),
    ("src/core/core.cpp", "uring/ring.h", False),
    ("src/core/core.cpp", "wslay/wslay.h", False),
    ("src/core/core.cpp", "session/sessions.h", True),
    ("src/core/core.cpp", "control/control.h", False),
    ("src/core/core.cpp", "config/config.h", False),
    ("src/core/core.cpp", "boost/asio/io_context.hpp", False),
    ("src/session/sender.cpp", "core/core.h", False),
    ("src/session/resume_token.cpp", "openssl/hmac.h", True),
    ("src/session/sessions.cpp", "openssl/hmac.h", False),
    ("src/control/admin.cpp", "core/handles.h", True),
    ("src/control/admin.cpp", "config/config.h", False),
    ("src/config/config.cpp", "toml++/toml.h", True),
    ("src/config/config.cpp", "uring/listener.h", False),
    ("src/app/serve.cpp", "toml++/toml.h", False),
    ("src/core/core.cpp", "ringcast/v1/envelope.pb.h", False),
    ("src/uring/ring.cpp", "liburing.h", True),
    ("src/uring/ring.cpp", "core/core.h", False),
    ("src/io/io.h", "linux/io_uring.h", False),
    ("src/load/load.cpp", "core/core.h", False),
    ("src/load/load.cpp", "wire/envelope.h", True),
    ("src/arena/codec.cpp", "google/protobuf/message_lite.h", True),
    ("src/arena/arena.cpp", "room/room.h", False),
    ("src/echo/echo.cpp", "ringcast/simulation.h", True),
    ("src/app/main.cpp", "uring/ring.h", True),
    ("src/app/main.cpp", "liburing.h", False),
    ("src/stray/stray.cpp", "base/frame.h", False),
    ("include/ringcast/simulation.h", "span", True),
    ("include/ringcast/simulation.h", "base/frame.h", False),
    ("include/ringcast/simulation.h", "sys/socket.h", False),
    ("tests/sim/world.cpp", "core/core.h", True),
    ("tests/sim/world.cpp", "liburing.h", False),
    ("bench/floor/ring.cpp", "liburing.h", True),
]


def self_test() -> int:
    wrong = [
        f"{path} including {include} should be {'allowed' if allowed else 'refused'}"
        for path, include, allowed in SAMPLES
        if (complaint(path, include) is None) != allowed
    ]
    print("\n".join(wrong or [f"{len(SAMPLES)} samples judged as they should be"]))
    return 1 if wrong else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = complaints(ROOT)
    print("\n".join(found or ["layers: every include goes downward"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
