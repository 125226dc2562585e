"""A virtual machine with Debian's kernel and this machine's tree of files: what tests/cgroup2/run starts.

Nothing is installed for it: the kernel and the few modules that it needs to find its root come from the package as it is (build/cgroup2/
keeps them), the archive that it boots from is written here, and its root is this machine's, shared for reading only, with a layer of
memory on top.
"""
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
KEPT = ROOT / "build" / "cgroup2"
QEMU, SYSTEMD = "qemu-system-x86_64", "/lib/systemd/systemd"
PACKAGE = "linux-image-amd64"
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]
# Where they and what they need lie.
MODULE_FOLDERS = re.compile(r"\./lib/modules/[^/]+/kernel/(net/9p|fs/(9p|netfs|fscache|overlayfs)|drivers/virtio)/[^/]+\.ko$")
MEMORY_MB, CPUS = 3072, 2
QUIET = "console=ttyS0 quiet loglevel=4 panic=-1 systemd.show_status=0 systemd.log_target=null"


class Missing(Exception):
    """Something that this machine does not have: the reason for which the checks are skipped."""


# ---- the kernel ----

def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, **options).stdout


def unpack(package, folder):
    """The kernel and its modules for a root by 9p, from a .deb."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as tar:
        with tarfile.open(fileobj=tar.stdout, mode="r|") as members:
            for member in members:
                if member.name.startswith("./boot/vmlinuz-") or MODULE_FOLDERS.match(member.name):
                    (folder / pathlib.Path(member.name).name).write_bytes(members.extractfile(member).read())


def fetch(folder):
    depends = run("apt-cache", "depends", PACKAGE, text=True)
    name = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
    with tempfile.TemporaryDirectory() as made:
        run("apt-get", "download", name, cwd=made)
        unpack(next(pathlib.Path(made).glob("*.deb")), folder)


def kernel():
    """The folder in which it lies, with its modules beside it."""
    if not list(KEPT.glob("vmlinuz-*")):
        KEPT.mkdir(parents=True, exist_ok=True)
        part = pathlib.Path(tempfile.mkdtemp(dir=KEPT.parent))
        try:
            fetch(part)
        except (subprocess.CalledProcessError, AttributeError, StopIteration, OSError) as error:
            shutil.rmtree(part)
            raise Missing(f"no package {PACKAGE} to be had ({error})") from error
        shutil.rmtree(KEPT)
        part.rename(KEPT)
    return KEPT


# ---- the archive that it boots from ----

def in_order(folder, names, found=None):
    """Files of modules, each behind what it needs."""
    found = found if found is not None else []
    for name in names:
        file = folder / f"{name}.ko"
        needs = re.search(rb"\0depends=([^\0]*)\0", file.read_bytes()).group(1).decode()
        in_order(folder, [need.replace("-", "_") for need in needs.split(",") if need and (folder / f"{need}.ko").exists()], found)
        if file not in found:
            found.append(file)
    return found


def entry(name, mode, data=b""):
    """One file of a cpio archive, format "newc"."""
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def archive(folder, out):
    init = out.with_name("init")
    run("cc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", str(init), str(HERE / "init.c"))
    with open(out, "wb") as f:
        f.write(entry("init", 0o100755, init.read_bytes()) + entry("modules", 0o040755))
        for number, module in enumerate(in_order(folder, MODULES)):
            f.write(entry(f"modules/{number:02}-{module.name}", 0o100644, module.read_bytes()))
        f.write(entry("TRAILER!!!", 0))


# ---- the machine ----

def share(tag, folder):
    return ["-fsdev", f"local,id={tag},path={folder},security_model=none,readonly=on,multidevs=remap",
            "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def start(made, given, said, target):
    """The machine's process: its console is its output, what its second serial line says goes to 'said'."""
    missing = [program for program in (QEMU, SYSTEMD, "cc", "apt-get") if not shutil.which(program)]
    if missing:
        raise Missing(f"not installed: {', '.join(missing)}")
    folder = kernel()
    archive(folder, made / "archive")
    return subprocess.Popen(
        [QEMU, "-machine", "q35", "-accel", "kvm", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(CPUS), "-m", str(MEMORY_MB),
         "-nodefaults", "-display", "none", "-no-reboot", "-kernel", str(next(folder.glob("vmlinuz-*"))), "-initrd", str(made / "archive"),
         "-append", f"{QUIET} systemd.unit={target}", "-serial", "stdio", "-serial", f"file:{said}", *share("given", given), *share("host", "/")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
