"""Runs a command under the system call filter of a systemd unit, and without writable memory that is executable."""

import re
import subprocess
import sys
from pathlib import Path

from support.programs import program

_MDWE = """
import ctypes, errno, os, sys
allowed, command = sys.argv[1].split(","), sys.argv[2:]
libc, seccomp = ctypes.CDLL(None, use_errno=True), ctypes.CDLL("libseccomp.so.2")
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
# Older kernels than 6.3 do not know it.
assert libc.prctl(PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0 or ctypes.get_errno() == errno.EINVAL
seccomp.seccomp_init.restype = ctypes.c_void_p
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO = 0x7FFF0000, 0x00050000
context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(SCMP_ACT_ERRNO | errno.EPERM)))
for name in allowed:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:  # else of another architecture
        assert seccomp.seccomp_rule_add(context, ctypes.c_uint32(SCMP_ACT_ALLOW), number, 0) == 0, name
assert seccomp.seccomp_load(context) == 0
os.execv(command[0], command)
"""


def confined_by(unit: Path) -> list[str]:
    """A command that runs another one as the unit's ``SystemCallFilter=`` and ``MemoryDenyWriteExecute=`` have it."""
    text = unit.read_text("utf-8")
    assert "\nMemoryDenyWriteExecute=yes\n" in text
    assert "\nSystemCallErrorNumber=EPERM\n" in text
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.+)$", text, re.MULTILINE):
        calls = set().union(*(_calls(name) for name in line.removeprefix("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return [sys.executable, "-c", _MDWE, ",".join(sorted(allowed))]


def _calls(name: str) -> set[str]:
    """The system calls of a set of systemd's, with those of the sets in it."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(
        [program("systemd-analyze"), "syscall-filter", name], capture_output=True, text=True, check=True
    )
    names = [line.strip() for line in shown.stdout.splitlines()[1:] if "#" not in line and line.strip()]
    return set().union(*map(_calls, names))
