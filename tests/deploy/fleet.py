"""Nodes to deploy to, and the controller that does it: booted hosts (host-up.sh) in two networks, public and
private, an inventory of them, ansible-playbook over SSH from the public network, as a person would."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOSTS = pathlib.Path(os.environ.get("RINGCAST_HOSTS", "/var/tmp/ringcast-hosts"))
FABRIC = os.environ.get("RINGCAST_FABRIC", "ringcast-fabric")
NODES = {"n1": 11, "n2": 12}
# What provisioning installs, laid into a host's cache beforehand: hosts reach no mirror.
PACKAGES = ["nftables", "sudo", "systemd-timesyncd", "unattended-upgrades", "ca-certificates", "curl", "age", "haproxy",
            "prometheus", "prometheus-node-exporter", "ansible", "git"]
# Where a Git repository is served: this machine's address in the public network.
GIT_ADDRESS = "10.77.0.1"
PLAYBOOK_SECONDS_MAX = 900
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*?)\] \*+$(.*?)(?=^(?:TASK|RUNNING HANDLER|PLAY) |\Z)", re.MULTILINE | re.DOTALL)


class Played:
    """What a playbook said."""

    def __init__(self, ended: subprocess.CompletedProcess):
        self.output = ended.stdout
        self.succeeded = ended.returncode == 0
        self.changed = {host: int(changed) for host, _, changed, _, _ in RECAP.findall(ended.stdout)}
        self.changed_tasks = [task for task, said in TASK.findall(ended.stdout) if re.search("^changed: ", said, re.MULTILINE)]


def run(*command, check: bool = True, **options) -> subprocess.CompletedProcess:
    options.setdefault("timeout", 600)
    ended = subprocess.run([str(part) for part in command], check=False, text=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if check and ended.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit status {ended.returncode}\n{ended.stdout[-3000:]}")
    return ended


def repack(package: pathlib.Path, version: str, target: pathlib.Path, change=None) -> None:
    """The package under another version number; `change` is given the folder with what is in it."""
    folder = HOSTS / "repack"
    shutil.rmtree(folder, ignore_errors=True)
    run("dpkg-deb", "--raw-extract", package, folder)
    control = folder / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
    if change:
        change(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", folder, target)
    shutil.rmtree(folder)


class Fleet:
    """At most one at a time: the names of its hosts are fixed."""

    def __init__(self, release: str, package: pathlib.Path, packages: list[str]):
        """`packages`: what is laid into the cache of each host, beside what the package depends on."""
        self.release = release
        self.cached = packages
        self.cache = HOSTS / f"packages-{release}{'' if packages else '-short'}"
        self.folder = HOSTS / "deployment"
        self.packages = self.folder / "packages"
        self.deployments = self.folder / "deployments"
        self.secrets = self.folder / "secrets"
        self.key = self.folder / "age.key"
        self.nodes = []
        self.version = run("dpkg-deb", "--field", package, "Version").stdout.strip()
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.packages, self.deployments, self.secrets, self.folder / "bin"):
            folder.mkdir(parents=True)
        shutil.copy(package, self.packages / package.name)
        self.package = self.packages / package.name
        run("dpkg-deb", "--extract", package, self.folder / "package")
        (self.folder / "bin/sops").symlink_to(HERE / "sops_stand_in")
        self.recipient = self.make_key(self.key)
        self.encrypt("test", "ringcast_admin_token: first-token-of-all\n")
        self.deploy_version(self.version)

    # --- What is asked for ---

    def make_key(self, path: pathlib.Path) -> str:
        """An age key; returns its public part."""
        run("age-keygen", "--output", path)
        return re.search(r"age1\w+", path.read_text())[0]

    def encrypt(self, name: str, plain: str, recipient: str = "") -> pathlib.Path:
        source, target = self.folder / "plain.yaml", self.secrets / f"{name}.sops.yaml"
        source.write_text(plain)
        target.write_text(subprocess.run([HERE / "sops_stand_in", "--encrypt", "--age", recipient or self.recipient, source],
                                         check=True, text=True, stdout=subprocess.PIPE).stdout)
        source.unlink()
        return target

    def deploy_version(self, version: str, settings: str = "{drain_window_ms: 1000}", rooms: str = "{name: arena, simulation: arena, parameters: {bots: 5}}") -> None:
        (self.deployments / "test.yml").write_text(
            f"deployment:\n  version: \"{version}\"\n  port: 9000\n  cores: 1\n"
            f"  rooms: [{rooms}]\n"
            f"  limits: {{open_files: 1048576, locked_memory: 512M}}\n  settings: {settings}\n")

    def make_version(self, version: str, change=None) -> None:
        repack(self.package, version, self.packages / f"ringcast_{version}_amd64.deb", change)

    def certificate(self, domain: str) -> pathlib.Path:
        """A PEM file with a key and the certificate that it signed itself."""
        path = self.folder / f"{domain}.pem"
        if not path.exists():
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                f"/CN={domain}", "-addext", f"subjectAltName=DNS:{domain}", "-keyout", f"{path}.key", "-out", f"{path}.crt")
            path.write_text(pathlib.Path(f"{path}.key").read_text() + pathlib.Path(f"{path}.crt").read_text())
        return path

    def public_key(self) -> str:
        """The one that may log in to every host."""
        return (HOSTS / "id_ed25519.pub").read_text().strip()

    # --- Hosts ---

    def public(self, node: str) -> str:
        return f"10.77.0.{NODES[node]}"

    def private(self, node: str) -> str:
        return f"10.78.0.{NODES[node]}"

    def boot(self, node: str) -> None:
        """A bare node; one that is there is thrown away."""
        self.destroy(node)
        run(HERE / "host-up.sh", node, self.public(node) + "/24", self.release)
        self.nodes.append(node)
        run(HERE / "host-private.sh", node, self.private(node) + "/24")
        cache, archives = self.cache, HOSTS / "hosts" / node / "root/var/cache/apt/archives"
        lists = archives.parents[2] / "lib/apt/lists"
        if not cache.exists():
            run(HERE / "host-fetch.sh", node, *self.cached, self.place(node, self.package))
            shutil.copytree(archives, cache / "archives", ignore=shutil.ignore_patterns("lock", "partial"))
            shutil.copytree(lists, cache / "lists", ignore=shutil.ignore_patterns("lock", "partial", "auxfiles"))
        else:
            for source, target in ((cache / "archives", archives), (cache / "lists", lists)):
                shutil.copytree(source, target, dirs_exist_ok=True)
            run("touch", lists)
        until(lambda: run("ip", "netns", "exec", FABRIC, "ssh", *self.ssh_options(), f"root@{self.public(node)}", "true",
                          check=False).returncode == 0, f"SSH to {node}")

    def destroy(self, node: str) -> None:
        run(HERE / "host-down.sh", node)
        if node in self.nodes:
            self.nodes.remove(node)

    def close(self) -> None:
        for node in NODES:
            self.destroy(node)

    def place(self, node: str, file: pathlib.Path) -> str:
        shutil.copy(file, HOSTS / "hosts" / node / "root/opt" / file.name)
        return f"/opt/{file.name}"

    def inside(self, node: str, *command: str, check: bool = True) -> str:
        return run(HERE / "host-exec.sh", node, *command, check=check).stdout

    def outside(self, *command, check: bool = True, **options) -> subprocess.CompletedProcess:
        """From the public network."""
        return run("ip", "netns", "exec", FABRIC, *command, check=check, **options)

    def client(self) -> list[str]:
        """ringcast on this machine, with the libraries that a node has: they may be another release's."""
        root = HOSTS / "hosts" / self.nodes[0] / "root"
        return [str(root / "lib64/ld-linux-x86-64.so.2"), "--library-path", str(root / "usr/lib/x86_64-linux-gnu"),
                str(self.folder / "package/usr/bin/ringcast")]

    def load(self, node: str, *arguments: str) -> dict:
        said = self.outside(*self.client(), "load", "--url", f"ws://{self.public(node)}:9000/rooms/arena", "--json",
                            *arguments).stdout
        return json.loads(said[said.index("\n{") + 1 if not said.startswith("{") else 0:])

    def main_pid(self, node: str, unit: str = "ringcast") -> str:
        return self.inside(node, "systemctl", "show", "--property", "MainPID", "--value", unit).strip()

    def installed(self, node: str) -> str:
        return self.inside(node, "dpkg-query", "--show", "--showformat=${Version}", "ringcast").strip()

    # --- A repository of nodes ---

    def repository(self) -> pathlib.Path:
        """A Git repository with what a person would keep for the nodes that are up: playbooks, inventory, deployment, secrets
        and package."""
        tree = self.folder / "git/nodes"
        shutil.rmtree(tree, ignore_errors=True)
        for part in ("ansible", "docs/observability"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("backups"))
        shutil.copytree(self.secrets, tree / "ansible/secrets", dirs_exist_ok=True)
        shutil.copytree(self.packages, tree / "packages")
        run("git", "-C", tree, "init", "--quiet", "--initial-branch", "main")
        self.commit(tree, "Nodes")
        return tree

    def commit(self, tree: pathlib.Path, message: str, **variables) -> None:
        """The deployment as it is now, and the inventory with these variables."""
        shutil.copytree(self.deployments, tree / "ansible/deployments", dirs_exist_ok=True)
        self.inventory(tree / "ansible/inventory/hosts.yml", **({
            "ringcast_packages": "{{ playbook_dir }}/../packages", "gitops_enabled": True, "gitops_interval": "5s", "gitops_spread": "1s",
            "gitops_repository": f"git://{GIT_ADDRESS}/nodes"} | variables))
        run("git", "-C", tree, "add", "--all")
        run("git", "-C", tree, "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "--message", message)

    # --- Playbooks ---

    def ssh_options(self) -> list[str]:
        return ["-i", str(HOSTS / "id_ed25519"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=5"]

    def inventory(self, path: pathlib.Path, **variables) -> pathlib.Path:
        nodes = sorted(self.nodes)
        path.write_text(json.dumps({
            "ringcast": {"hosts": {node: {"ansible_host": self.public(node), "private_address": self.private(node)} for node in nodes},
                         "vars": {"ansible_user": "root", "private_interface": "private0", "ringcast_deployment": "test",
                                  "ringcast_secrets": "test", "ringcast_ready_seconds": 20} | variables},
            "monitoring": {"hosts": {nodes[0]: {}}}}, indent=1))
        return path

    def play(self, name: str, *arguments: str, check: bool = True, key: pathlib.Path | None = None,
             tree: pathlib.Path | None = None) -> Played:
        """A playbook of this tree with an inventory of the hosts that are up, or of another with its own."""
        if tree:
            inventory = tree / "ansible/inventory/hosts.yml"
        else:
            inventory = self.inventory(self.folder / "hosts.json", ringcast_packages=str(self.packages),
                                       ringcast_deployments=str(self.deployments), ringcast_secrets_folder=str(self.secrets),
                                       backup_folder=str(self.folder / "backups"))
        folder = (tree or ROOT) / "ansible"
        environment = os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1",
                                    "SOPS_AGE_KEY_FILE": str(key or self.key), "LC_ALL": "C.UTF-8",
                                    "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
                                    "ANSIBLE_SSH_COMMON_ARGS": " ".join(self.ssh_options())}
        began = time.monotonic()
        played = Played(run("ip", "netns", "exec", FABRIC, "ansible-playbook", "--inventory", inventory, folder / name, *arguments,
                            check=False, env=environment, cwd=folder, timeout=PLAYBOOK_SECONDS_MAX))
        shown = " ".join(argument if len(argument) < 80 else argument[:76] + " ..." for argument in (name, *arguments))
        print(f"   {shown}: {time.monotonic() - began:.0f} s, "
              f"{'changed ' + str(played.changed) if played.succeeded else 'failed'}", flush=True)
        (self.folder / "last.log").write_text(played.output)
        if check and not played.succeeded:
            raise AssertionError(f"{name}:\n{played.output[-4000:]}")
        return played


def until(condition, what: str, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.2)
