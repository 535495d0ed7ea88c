"""Makes `.venv` and installs the harness there: `python3 harness/bootstrap.py [run|dev]`.

Runs before anything is installed, and under whatever `python3` is: so it needs the standard library alone and has to
parse under Python 3.6, to be able to say that this Python is too old.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
BYTES_NEEDED = {"run": 700000000, "dev": 1000000000}
STAMP = "savedmodel-bench-stamp"


def python_minor() -> str:
    """Return the Python minor that runs this: "3.11"."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def complaint(root: Path, level: str) -> str:
    """Return one sentence why the set-up cannot work here and what to do; empty if it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        this = f"{platform.system()} {platform.machine()}"
        return f"TensorFlow's releases are measured on Linux x86-64 only, and this is {this}: use such a machine."
    if sys.version_info[:2] < OLDEST:
        return (
            f"Python 3.11 or later is needed, and this is Python {platform.python_version()}: install python3.13, "
            "3.12 or 3.11, or name one that you have with `make PYTHON=/path/to/python3`."
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        package = f"python{python_minor()}-venv"
        return (
            f"This Python lacks its venv module: install it (Debian, Ubuntu: `sudo apt install {package}`) and repeat."
        )
    free = shutil.disk_usage(str(root)).free
    needed = BYTES_NEEDED[level]
    if free < needed:
        return (
            f"The harness alone needs {needed / 1e9:.1f} GB of disk and {free / 1e9:.1f} GB are free in {root}: "
            "free some, or put the checkout elsewhere."
        )
    return ""


def wanted_stamp(root: Path) -> str:
    """Return what the stamp of an up-to-date `.venv` begins with: the Python minor, a digest of needs and folder.

    The folder belongs to it because the scripts in a virtual environment name their interpreter by its full path.
    """
    digest = hashlib.sha256((root / "pyproject.toml").read_bytes() + str(root).encode()).hexdigest()
    return f"{python_minor()} {digest}"


def is_ready(root: Path, level: str) -> bool:
    """Whether `.venv` was made for this Python minor and this folder, and holds all of `level`."""
    try:
        stamp, _, installed = (root / ".venv" / STAMP).read_text().strip().rpartition(" ")
    except OSError:
        return False
    usable = os.access(str(root / ".venv" / "bin" / "python"), os.X_OK)
    return usable and stamp == wanted_stamp(root) and installed in (level, "dev")


def is_usable(folder: Path) -> bool:
    """Whether a virtual environment is there, of this Python minor, and made in this very folder."""
    try:
        script = (folder / "bin" / "pip").read_text()
    except (OSError, UnicodeDecodeError):
        return False
    runs = os.access(str(folder / "bin" / "python"), os.X_OK)
    return runs and str(folder) in script and (folder / "lib" / f"python{python_minor()}").is_dir()


def install(root: Path, level: str) -> int:
    """Make `.venv` where it is missing or not usable, and install the harness; return the exit code."""
    folder = root / ".venv"
    python = folder / "bin" / "python"
    if not is_usable(folder):
        # Not sys.executable: it may be the one that is about to be removed.
        base = Path(sys.executable).resolve()
        shutil.rmtree(str(folder), ignore_errors=True)
        print(f"making .venv with Python {platform.python_version()}", flush=True)
        if subprocess.call([str(base), "-m", "venv", str(folder)]) != 0:
            print("The virtual environment .venv could not be made: see above, mend that and repeat.", file=sys.stderr)
            return 3
    print("installing the harness into .venv, about half a minute", flush=True)
    target = str(root) + ("[dev]" if level == "dev" else "")
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", target]
    if subprocess.call(command, stdin=subprocess.DEVNULL, cwd=str(root)) != 0:
        print(
            "The harness could not be installed: check the network, or tell pip about your mirror or proxy; repeat.",
            file=sys.stderr,
        )
        return 3
    # Last, so that an interrupted set-up is taken up again.
    (folder / STAMP).write_text(f"{wanted_stamp(root)} {level}\n")
    return 0


def main(level: str) -> int:
    """Check, then install what is missing; return the exit code: 0, or 3 after one sentence."""
    root = Path(__file__).resolve().parent.parent
    if is_ready(root, level):
        return 0
    problem = complaint(root, level)
    if problem:
        print(problem, file=sys.stderr)
        return 3
    return install(root, level)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run"))
