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

    def fetched(*options: str) -> str:
        return fleet.outside("curl", "--silent", "--show-error", "--max-time", "10", *options, "--resolve", f"{DOMAIN}:443:{fleet.public('n1')}",
                             f"https://{DOMAIN}/", check=False).stdout

    def client(*source: str) -> subprocess.Popen:
        return subprocess.Popen(["ip", "netns", "exec", FABRIC, "/usr/bin/python3", "-c", STAY, fleet.public("n1"), DOMAIN,
                                 f"{certificate}.crt", *source],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    trust = ("--cacert", f"{certificate}.crt")
    said = fetched(*trust)
    check.that("<html" in said.lower(), "the page is served over https with the certificate", said[:300])
    said = fetched()
    check.that("certificate" in said, "which nobody accepts who was not given it", said[:300])
    fleet.outside("ip", "address", "add", f"{OTHER_ADDRESS}/24", "dev", "fabric0")
    clients = [client(), client()]
    try:
        said = [one.stdout.readline().strip() for one in clients]
        check.that(said == ["joined ringcast.v1"] * 2, "WebSocket clients that this project did not write join over wss", str(said))
        said = fetched(*trust, "--output", "/dev/null", "--write-out", "%{http_code}")
        check.that(said == "429", "an address that has its two connections gets no third one through HAProxy", said)
        clients.append(client(OTHER_ADDRESS))
        said = clients[-1].stdout.readline().strip()
        check.that(said == "joined ringcast.v1", "and another address joins meanwhile", said)
        said = fleet.outside("/usr/bin/python3", "-c", FORGE, fleet.public("n1"), DOMAIN, f"{certificate}.crt").stdout.strip()
        check.that(said == "HTTP/1.1 400", "a PROXY header that a client sends through HAProxy is a bad request", said)
        said = fleet.inside("n1", "python3", "-c", FORGE).strip()
        check.that(said == "HTTP/1.1 400", "and so is one from an address of the node that is no proxy's", said)
        certificate.unlink()
        fleet.certificate(DOMAIN)
        played = fleet.play("provision.yml", *front)
        check.that(played.changed_tasks == ["tls_front : The certificate from a file", "tls_front : Reload HAProxy"],
                   "a new certificate changes nothing else", ", ".join(played.changed_tasks))
        check.that("<html" in fetched(*trust, "--interface", OTHER_ADDRESS).lower(), "and is what HAProxy shows from then on")
    finally:
        ended = [one.communicate()[0].strip().splitlines()[-1:] for one in clients]
        fleet.outside("ip", "address", "delete", f"{OTHER_ADDRESS}/24", "dev", "fabric0")
    check.that(ended == [["still there"]] * 3, "clients that were connected stay connected", str(ended))
    fleet.deploy_version(fleet.version)
    fleet.destroy("n1")
