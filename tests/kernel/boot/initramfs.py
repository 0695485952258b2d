"""An initramfs with just enough: busybox, programs of this build with the libraries that ldd names,
and modules of the kernel in the order of what depends on what."""

import gzip
import lzma
import pathlib
import re
import shutil
import subprocess

from debian_kernel import Kernel

BUSYBOX = pathlib.Path("/bin/busybox")
HERE = pathlib.Path(__file__).resolve().parent


def libraries(program: pathlib.Path) -> set[pathlib.Path]:
    listed = subprocess.run(["ldd", program], text=True, stdout=subprocess.PIPE, check=True).stdout
    return {pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", listed)}


class Modules:
    """A kernel's modules. What each depends on stands in its own .modinfo section, so depmod, which
    has not run on an unpacked package, is not needed."""

    def __init__(self, kernel: Kernel):
        self.paths = {self.name(path): path for path in kernel.modules.glob("kernel/**/*.ko*")}

    @staticmethod
    def name(path: pathlib.Path) -> str:
        return path.name.partition(".")[0].replace("-", "_")

    def image(self, name: str) -> bytes:
        path = self.paths[name]
        return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()

    def in_order(self, wanted: list[str]) -> dict[str, bytes]:
        """The wanted ones, each after what it depends on; those built into the kernel are left out."""
        images: dict[str, bytes] = {}
        for name in wanted:
            if name not in self.paths or name in images:
                continue
            image = self.image(name)
            depends = re.search(rb"\0depends=([^\0]*)\0", image)
            for before, its_image in self.in_order(depends[1].decode().split(",")).items():
                images.setdefault(before, its_image)
            images[name] = image
        return images


def build(folder: pathlib.Path, job: str, programs: list[pathlib.Path],
          modules: dict[str, bytes]) -> pathlib.Path:
    """Writes `folder`.gz, which a guest boots from; `job` is what it runs, in busybox's sh."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("bin", "dev", "modules", "proc", "programs", "sys", "tmp"):
        (folder / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "bin")
    shutil.copy(HERE / "init", folder / "init")
    (folder / "init").chmod(0o755)
    (folder / "job").write_text(job)
    for program in programs:
        shutil.copy(program, folder / "programs")
    for library in set().union(*map(libraries, programs)):
        target = folder / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    for name, image in modules.items():
        (folder / "modules" / name).write_bytes(image)
    (folder / "modules/order").write_text("".join(f"{name}\n" for name in modules))
    names = "\n".join(str(path.relative_to(folder)) for path in [folder, *folder.rglob("*")])
    archive = subprocess.run(["cpio", "--quiet", "--create", "--format=newc", "--owner=0:0"],
                             cwd=folder, input=names.encode(), stdout=subprocess.PIPE, check=True)
    packed = folder.with_suffix(".gz")
    packed.write_bytes(gzip.compress(archive.stdout, 1))
    shutil.rmtree(folder)
    return packed
