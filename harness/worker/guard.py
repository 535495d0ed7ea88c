"""The sandbox of a worker that runs a stranger's graph: no network, and one folder that can be written.

start.py puts the process into it before anything else is imported, since a process with threads cannot. Everything is
done with user namespaces, so it needs no privileges: namespaces(7), user_namespaces(7), mount_setattr(2).
`python guard.py JSON [COMMAND ...]` runs a command in it, or says what holds here.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import stat
import sys
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

HIDDEN = ("/tmp", "/var/tmp", "/run", "/dev")
"""Empty inside, beside what is asked for: sockets of services, credentials of containers, other programs' files."""

KEPT = ("/tmp/nvidia-mps", "/run/nvidia-persistenced", "/run/opengl-driver")
"""What CUDA's driver needs of these, where it is there."""

DEVICES = ("null", "zero", "full", "random", "urandom")
GPU_DEVICES = ("nvidia", "dri", "dxg", "kfd")
"""Beginnings of the names of GPUs' nodes in /dev."""

SHARED_MEMORY_BYTES = 64 << 20
"""Size of the worker's own /dev/shm: what containers are given (machine/guards.py)."""

_NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x40000000 | 0x08000000  # user, mount, network, System V IPC (sched.h)
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
# From a mount's flags as statvfs(3) gives them to those of mount(2): what a remount must repeat.
_REPEATED = {1: _RDONLY, 2: _NOSUID, 4: _NODEV, 8: _NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}
_SYS_MOUNT_SETATTR, _AT_RECURSIVE = 442, 0x8000
_PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 36, 38, 47
_CAP_AMBIENT_CLEAR_ALL, _CAPABILITY_VERSION_3 = 4, 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The kernel refused a step; the text says which and why."""


def apply(asked: Mapping[str, Any]) -> Dict[str, Any]:
    """Put this process and all that it will start into the sandbox.

    asked: isolates (whether by namespaces; otherwise privileges and file sizes alone are limited), scratch (the folder
    that can be written), readable (what stays readable inside what is hidden), hidden (folders that are empty inside),
    file_bytes (the size that no file may exceed).

    Returns whether the network is cut off and the files are protected, as it was found afterwards, and the reason why
    what was asked for does not hold, None if it does. The process must not go on where there is a reason.
    """
    _limit(asked["file_bytes"])
    reason = None
    try:
        if asked["isolates"]:
            _isolate(asked)
        _drop_privileges()
    except (Refused, OSError) as error:
        reason = str(error)
    alone = _interfaces() == ["lo"]
    writable = [path for path in _writable() if path not in (os.path.realpath(asked["scratch"]), "/proc", "/dev/shm")]
    if asked["isolates"] and reason is None and not alone:
        reason = "the network is still there"
    if asked["isolates"] and reason is None and writable:
        reason = f"{writable[0]} can still be written"
    return {"network": alone, "files": not writable, "reason": reason}


def _limit(file_bytes: int) -> None:
    """Limit what the kernel can: the size of a file, core dumps, and who is ended first where memory runs out."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    limit = file_bytes if hard == resource.RLIM_INFINITY else min(file_bytes, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Orphans of a repeat become children of the worker, which counts their memory and ends them.
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass  # then the kernel chooses by size alone


def _isolate(asked: Mapping[str, Any]) -> None:
    folder = os.getcwd()
    scratch = os.path.realpath(asked["scratch"])
    steps = plan(scratch, [*asked["readable"], *_needed()], asked["hidden"])
    _enter_namespaces()
    _mount(None, "/", None, _REC | _PRIVATE)
    _make_read_only()
    _protect_proc()
    # What is to be seen again inside a hidden folder is held before that is hidden.
    sources = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path, what in steps if what not in ("hide", "memory")}
    for path, what in steps:
        if what == "hide":
            _mount("none", path, "tmpfs", _NOSUID | _NODEV, "mode=0755,size=1m")
        elif what == "memory":
            os.makedirs(path, exist_ok=True)
            _mount("none", path, "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={SHARED_MEMORY_BYTES}")
        else:
            _bind(sources[path], path)
        if what == "write":
            _remount(path, without=_RDONLY)
        elif what == "device":
            _remount(path, without=_NODEV)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink("/proc/self/" + target, "/dev/" + name)
    for path, what in steps:
        if what == "hide":
            _remount(path, also=_RDONLY)
    for descriptor in sources.values():
        os.close(descriptor)
    # The working directory is still the one of the tree before.
    os.chdir(folder if os.path.isdir(folder) else scratch)


def plan(scratch: str, readable: List[str], hidden: List[str]) -> List[Tuple[str, str]]:
    """Return what is mounted where, in order: paths with "hide", "memory", "device", "keep" or "write".

    A folder that is both hidden and kept is kept; so is what holds the system itself.
    """
    wanted: Dict[str, str] = {}
    for path in (*HIDDEN, *map(os.path.realpath, hidden)):
        if os.path.isdir(path) and not os.path.islink(path) and not _holds_system(path):
            wanted[path] = "hide"
    for path in (*readable, *KEPT):
        # As it is named and as it is: a link on the way may lie in what is hidden.
        for each in (os.path.abspath(path), os.path.realpath(path)):
            if os.path.exists(each) and each != "/dev":
                wanted[each] = "keep"
    wanted.update((path, "device") for path in _devices())
    wanted["/dev/shm"] = "memory"
    wanted[scratch] = "write"
    steps: Dict[str, str] = {}
    for path in sorted(wanted, key=lambda each: each.split("/")):
        above = path
        while above != "/" and above not in steps:
            above = os.path.dirname(above)
        inside_hidden = steps.get(above) in ("hide", "memory")
        what = wanted[path]
        if not (what == "keep" and not inside_hidden) and not (what == "hide" and inside_hidden):
            steps[path] = what
    return list(steps.items())


def _holds_system(path: str) -> bool:
    return any((each + "/").startswith(path.rstrip("/") + "/") for each in ("/usr", "/etc", "/lib", "/proc", "/sys"))


def _devices() -> Iterator[str]:
    names = [name for name in os.listdir("/dev") if name in DEVICES or name.startswith(GPU_DEVICES)]
    for top in sorted(os.path.join("/dev", name) for name in names):
        below = [os.path.join(folder, name) for folder, _, found in os.walk(top) for name in found]
        yield from (path for path in (top, *below) if stat.S_ISCHR(os.lstat(path).st_mode))


def _needed() -> List[str]:
    """Return what the interpreter reads: itself, its packages, this package, and what variables name."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":") + os.environ.get("LD_PRELOAD", "").split()
    libraries += [os.environ.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH", "CUDA_MPS_PIPE_DIRECTORY")]
    return [
        *(sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, here),
        *(path for path in (*sys.path, *libraries) if os.path.isabs(path)),
    ]


def _enter_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_NEW_NAMESPACES):
        if ctypes.get_errno() == errno.ENOSPC:
            raise Refused("unshare: no further namespace is allowed, see /proc/sys/user")
        raise Refused(_told("unshare"))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        _write("/proc/self/" + name, text)
    # No further user namespaces: what the kernel offers inside one is where most of its faults were.
    _write("/proc/sys/user/max_user_namespaces", "0")


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None


def _make_read_only() -> None:
    """Make every mount read-only, without set-user-ID programs and devices; one by one before Linux 5.12."""
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd. Its flags have mount(2)'s values here.
    attributes = (ctypes.c_uint64 * 4)(_RDONLY | _NOSUID | _NODEV, 0, 0, 0)
    if _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_long(-100), b"/", ctypes.c_ulong(_AT_RECURSIVE), attributes,
        ctypes.c_ulong(ctypes.sizeof(attributes)),
    ):  # fmt: skip
        _make_read_only_one_by_one()


def _make_read_only_one_by_one() -> None:
    for path in _mounts():
        # What lies below a mount that came later cannot be named, and nothing inside can reach it either.
        if os.path.lexists(path):
            _remount(path, also=_RDONLY | _NOSUID | _NODEV)


def _protect_proc() -> None:
    """Let processes write their own files in /proc, as to reset their peak of memory, but none of the system's."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() or entry.is_symlink():
            continue
        if entry.is_dir() or entry.stat().st_mode & 0o222:
            _mount(entry.path, entry.path, None, _BIND | _REC)
    # Where it was read-only before, it stays so.
    _libc.mount(None, b"/proc", None, ctypes.c_ulong(_REMOUNT | _BIND | _flags("/proc") & ~_RDONLY), None)


def _bind(descriptor: int, path: str) -> None:
    """Show at `path` what an open descriptor names."""
    if not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.mkdir(path)
        else:
            os.mknod(path)
    _mount(f"/proc/self/fd/{descriptor}", path, None, _BIND | _REC)


def _remount(path: str, also: int = 0, without: int = 0) -> None:
    _mount(None, path, None, _REMOUNT | _BIND | (_flags(path) | also) & ~without)


def _flags(path: str) -> int:
    found = os.statvfs(path).f_flag
    return sum(flag for told, flag in _REPEATED.items() if found & told)


def _mount(source: Optional[str], target: str, kind: Optional[str], flags: int, data: Optional[str] = None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    if _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]):
        raise Refused(_told(f"mount of {target}"))


def _drop_privileges() -> None:
    """Give up every capability, for this process and for all that it starts."""
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if _libc.capset(header, none):
        raise Refused(_told("capset"))
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise Refused(_told("no_new_privs"))


def _told(what: str) -> str:
    return f"{what}: {os.strerror(ctypes.get_errno())}"


def _mounts() -> Dict[str, str]:
    """Return the options of what is mounted, by path; of several at one path those of the last, which is on top."""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(" ")
            path = fields[4]
            for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
                path = path.replace(code, character)
            found[path] = fields[5]
    return found


def _writable() -> List[str]:
    return [path for path, options in _mounts().items() if "ro" not in options.split(",")]


def _interfaces() -> List[str]:
    with open("/proc/self/net/dev") as file:
        return [line.partition(":")[0].strip() for line in file if ":" in line]


if __name__ == "__main__":
    held = apply(json.loads(sys.argv[1]))
    if not sys.argv[2:]:
        print(json.dumps(held))
    elif held["reason"]:
        sys.exit(held["reason"])
    else:
        os.execvp(sys.argv[2], sys.argv[2:])
