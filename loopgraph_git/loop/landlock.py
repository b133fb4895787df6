"""Landlock: a command that the kernel confines to some paths, without any privilege.

    landlock.py [--read=PATH | --write=PATH | --connect=PORT]... -- COMMAND...

Run by its path with `python -I -S`, under the supervisor. What is named by no option
can be neither read nor written; from ABI 4 on no TCP connection is made but to a port
that is named, and no port bound, from ABI 6 on no signal and no abstract socket reaches outside.
The numbers are those of linux/landlock.h; there is no library for it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import NoReturn

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the system calls
_NO_NEW_PRIVILEGES = 38
_PATH_BENEATH, _NET_PORT = 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
# the rest are rights over a folder's entries
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_TCP = 3  # bind and connect
_CONNECT = 2
_SCOPED = 3  # abstract sockets and signals stay inside
# the ABI that brought each: rename across folders, truncate, TCP, ioctl, scopes
_REFER_SINCE, _TRUNCATE_SINCE, _TCP_SINCE, _IOCTL_SINCE, _SCOPES_SINCE = 2, 3, 4, 5, 6
_FIRST_RIGHTS = 13


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64),
                ("scoped", ctypes.c_uint64))  # fmt: skip


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Port(ctypes.Structure):
    _fields_ = (("access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    answer = int(library.syscall(number, *arguments))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return answer


def restrict(readable: list[str], writable: list[str], ports: list[str]) -> None:
    """Confine this process and all that it starts; raises OSError."""
    abi = _call(_CREATE, None, 0, 1)
    newer = (_REFER_SINCE, _TRUNCATE_SINCE, _IOCTL_SINCE)
    bits = _FIRST_RIGHTS + sum(abi >= since for since in newer)
    every = (1 << bits) - 1
    tcp = _TCP if abi >= _TCP_SINCE else 0
    scoped = _SCOPED if abi >= _SCOPES_SINCE else 0
    # an older kernel refuses fields that it does not know
    size = 8 * (1 + (abi >= _TCP_SINCE) + (abi >= _SCOPES_SINCE))
    ruleset = _call(_CREATE, ctypes.byref(_Ruleset(every, tcp, scoped)), size, 0)
    for paths, access in ((readable, _READ), (writable, every)):
        for path in paths:
            _allow(ruleset, path, access & every)
    for port in ports if tcp else ():
        rule = _Port(_CONNECT, int(port))
        _call(_ADD, ruleset, _NET_PORT, ctypes.byref(rule), 0)
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not os.path.isdir(path):
            access &= _OF_FILES
        rule = _Beneath(access, handle)
        _call(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)


def main(words: list[str]) -> NoReturn:
    """Become the command that stands after `--`, confined."""
    here = words.index("--")
    named: dict[str, list[str]] = {"--read": [], "--write": [], "--connect": []}
    for word in words[:here]:
        option, _, value = word.partition("=")
        named[option].append(value)
    command = words[here + 1 :]
    try:
        restrict(*named.values())
        os.execvp(command[0], command)  # noqa: S606  no shell is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror or error}\n".encode())
    os._exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
