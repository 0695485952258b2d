"""Small programs for the nodes and for the network that they are in: `python3 -c`."""

# Connects over and over until its standard input closes: how often it was answered, and what went wrong.
KNOCK = r"""
import json, socket, sys, threading, time
answered, failures, end = 0, [], threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
while not end.is_set():
    try:
        with socket.create_connection((sys.argv[1], 9000), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
            first = connection.recv(12)
            if first == b"HTTP/1.1 200": answered += 1
            else: failures.append(repr(first))
    except OSError as error:
        failures.append(str(error))
    time.sleep(0.02)
print(json.dumps([answered, failures]))
"""
# Holds the locks of apt for so many seconds, as another apt would.
HOLD_APT = r"""
import fcntl, sys, time
held = [open(path, "a") for path in ("/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock")]
for file in held: fcntl.lockf(file, fcntl.LOCK_EX)
time.sleep(float(sys.argv[1]))
"""
# Which of many ports take a connection: one line of numbers.
SCAN = r"""
import asyncio, sys
async def one(port, gate):
    async with gate:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(sys.argv[1], port), 1)
            writer.close()
            return port
        except (OSError, asyncio.TimeoutError):
            return None
async def main():
    gate = asyncio.Semaphore(500)
    ports = [22, 80, 443, 9000, 9001, 9080, 9090, 9100, 9093, 111, 5355, *range(8000, 8100)]
    print(*filter(None, await asyncio.gather(*(one(port, gate) for port in sorted(set(ports))))))
asyncio.run(main())
"""
# A WebSocket client over TLS that says when it has joined, and at the end of its standard input whether it still gets snapshots.
STAY = r"""
import asyncio, ssl, sys, websockets
async def main():
    address, domain, certificate, *source = sys.argv[1:]
    async with websockets.connect(f"wss://{domain}/rooms/arena", host=address, port=443, subprotocols=["ringcast.v1"], max_size=None,
                                  local_addr=(source[0], 0) if source else None, server_hostname=domain, ssl=ssl.create_default_context(cafile=certificate)) as client:
        for _ in range(20): await asyncio.wait_for(client.recv(), 10)
        print("joined", client.subprotocol, flush=True)
        end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        while not end.done(): await asyncio.wait_for(client.recv(), 10)
        print("still there", flush=True)
asyncio.run(main())
"""
# The status that a PROXY header (version 2) is answered with, which says of a client that it is 192.0.2.1: on the node
# from an address that is no proxy's, or in TLS through the proxy.
FORGE = r"""
import contextlib, socket, ssl, sys
header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.1") + socket.inet_aton("127.0.0.1") + b"\x12\x34\x23\x28"
with contextlib.ExitStack() as stack:
    if sys.argv[1:]:
        address, domain, certificate = sys.argv[1:]
        connection = stack.enter_context(socket.create_connection((address, 443), 10))
        connection = stack.enter_context(ssl.create_default_context(cafile=certificate).wrap_socket(connection, server_hostname=domain))
    else:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", 9000), 10, ("127.0.0.2", 0)))
    connection.sendall(header + b"GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
    print(connection.recv(12).decode())
"""
# Stops one thread of a process, as no signal could do it (ptrace(2)), until the process is gone.
STAND_STILL = r"""
import ctypes, os, pathlib, sys, time
process = pathlib.Path("/proc", sys.argv[1])
core = next(int(task.name) for task in (process / "task").iterdir() if (task / "comm").read_text().startswith("core-"))
libc = ctypes.CDLL(None, use_errno=True)
for request in (0x4206, 0x4207):
    assert libc.ptrace(request, core, None, None) == 0, os.strerror(ctypes.get_errno())
deadline = time.monotonic() + 60
while process.exists() and time.monotonic() < deadline: time.sleep(0.1)
"""
