"""Debian's kernel packages, unpacked under build/, whichever Debian this is.

The mirror and its proxy are those that this machine's apt is set up with. What apt writes meanwhile
(lists, archives) goes to a folder of its own: nothing under /etc or /var changes, and no root is needed.
"""

import dataclasses
import pathlib
import shutil
import subprocess

METAPACKAGE = "linux-image-amd64"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class NoKernel(Exception):
    """Why a kernel could not be had."""


@dataclasses.dataclass(frozen=True)
class Kernel:
    debian: str                 # for people: "Debian 12"
    package_version: str
    image: pathlib.Path         # what qemu boots
    modules: pathlib.Path       # lib/modules/RELEASE

    @property
    def release(self) -> str:
        return self.modules.name


def run(*command: object, **options) -> str:
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, **options)
    if done.returncode:
        raise NoKernel(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def mirror() -> str:
    """The address that this machine has Debian's own packages from."""
    targets = run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
                  "Created-By: Packages")
    for target in targets.splitlines():
        origin, label, address = target.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return address
    raise NoKernel("apt knows no Debian mirror here; run apt-get update once")


class Apt:
    """apt with one Debian release and folders of its own."""

    def __init__(self, suite: str, folder: pathlib.Path):
        folder = folder.resolve()
        self.archives = folder / "archives"
        lists = folder / "lists"
        for path in (self.archives / "partial", lists / "partial"):
            path.mkdir(parents=True, exist_ok=True)
        sources, status = folder / "sources.list", folder / "status"
        sources.write_text(f"deb [arch=amd64 signed-by={KEYRING}] {mirror()} {suite} main\n")
        status.touch()
        self.options = [f"-oDir::Etc::sourcelist={sources}", "-oDir::Etc::sourceparts=-",
                        "-oDir::Etc::preferences=-", "-oDir::Etc::preferencesparts=-",
                        f"-oDir::State={folder}", f"-oDir::State::status={status}",
                        f"-oDir::State::lists={lists}", f"-oDir::Cache={folder}",
                        f"-oDir::Cache::archives={self.archives}", "-oAPT::Architecture=amd64",
                        "-oAPT::Sandbox::User=", "-oAcquire::Languages=none",
                        "-oAcquire::Retries=2"]
        run("apt-get", *self.options, "-q", "update")

    def depends(self, package: str) -> list[str]:
        answer = run("apt-cache", *self.options, "depends", package)
        return [line.split(": ")[1] for line in answer.splitlines() if "Depends: " in line]

    def download(self, package: str) -> pathlib.Path:
        run("apt-get", *self.options, "-q", "download", package, cwd=self.archives)
        return next(self.archives.glob(f"{package}_*.deb"))


def fetch(suite: str, debian: str, folder: pathlib.Path) -> Kernel:
    """The release's kernel; from `folder` when it was fetched before."""
    unpacked = folder / "unpacked"
    if not unpacked.exists():
        apt = Apt(suite, folder / "apt")
        images = [name for name in apt.depends(METAPACKAGE) if name.startswith("linux-image-")]
        if not images:
            raise NoKernel(f"{METAPACKAGE} of {suite} depends on no kernel")
        package = apt.download(images[0])
        partly = folder / "partly"
        shutil.rmtree(partly, ignore_errors=True)
        run("dpkg-deb", "--extract", package, partly)
        (partly / "version").write_text(run("dpkg-deb", "--field", package, "Version"))
        partly.rename(unpacked)  # from now on whole
        shutil.rmtree(folder / "apt")
    image = next(unpacked.glob("boot/vmlinuz-*"))
    release = image.name.removeprefix("vmlinuz-")
    modules = next(path for path in (unpacked / "lib/modules" / release,
                                     unpacked / "usr/lib/modules" / release) if path.exists())
    return Kernel(debian, (unpacked / "version").read_text().strip(), image, modules)
