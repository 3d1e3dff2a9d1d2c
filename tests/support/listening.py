"""Where processes listen, as the kernel tells it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
"""127.0.0.1, as IPv4 and as IPv6, in the kernel's notation."""


def listening_addresses(pids: Collection[int]) -> set[str]:
    """Local addresses, in the kernel's notation, on which these processes listen."""
    return {address for address, _ in _listening(pids)}


def listening_ports(pid: int) -> set[int]:
    """TCP ports on which the process listens."""
    return {port for _, port in _listening([pid])}


def _listening(pids: Collection[int]) -> Iterator[tuple[str, int]]:
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            if handle.is_symlink() and (found := re.match(r"socket:\[(\d+)\]", str(handle.readlink()))):
                inodes.add(found[1])
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                yield address, int(port, 16)
