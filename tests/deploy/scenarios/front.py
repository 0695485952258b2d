"""TLS in front of a node."""

import json
import subprocess

from common import DOMAIN, Check
from fleet import FABRIC, NODES, Fleet
from programs import FORGE, SCAN, STAY

OTHER_ADDRESS = "10.77.0.77"  # of the public network, for a second client


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
