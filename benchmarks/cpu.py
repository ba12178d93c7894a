"""What a process tree costs, read from Linux: CPU time in microseconds, memory in MB."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")
_SCHED = 2  # the clock of all threads of a process, dead ones included, in nanoseconds: clock_getcpuclockid(3)


class Memory(Struct, frozen=True):
    """`rss_mb` counts shared pages in every process that maps them, `pss_mb` shares them out."""

    rss_mb: float
    pss_mb: float


def tree(pid: int) -> list[int]:
    """The process and all that descend from it; empty when it has ended."""
    try:
        tasks = list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return []
    found = [pid]
    for task in tasks:
        try:
            children = (task / "children").read_text().split()
        except OSError:  # the thread has ended meanwhile
            continue
        for child in children:
            found += tree(int(child))
    return found


def cpu_us(pid: int) -> float:
    """CPU time that the living processes of a tree have used so far, user and system."""
    total = 0.0
    for one in tree(pid):
        try:
            total += time.clock_gettime(~one << 3 | _SCHED) * 1e6
        except OSError:  # ended meanwhile
            continue
    return total


def memory(pid: int) -> Memory:
    rss = pss = 0
    for one in tree(pid):
        try:
            lines = (_PROC / str(one) / "smaps_rollup").read_text().splitlines()
        except OSError:  # ended meanwhile
            continue
        sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
        rss += sizes["Rss"]
        pss += sizes["Pss"]
    return Memory(rss_mb=rss / 1024, pss_mb=pss / 1024)


class Meter:
    """Measures from its making: `used_us` is the CPU time since."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = cpu_us(pid)

    def used_us(self) -> float:
        return cpu_us(self._pid) - self._before


@contextmanager
def preferred() -> Iterator[None]:
    """Puts this session before all others that want the processor, where the kernel and our rights allow it.

    Without it the figures still hold, with more noise: a gateway that is kept waiting reads several chunks at once.
    """
    group = _PROC / "self" / "autogroup"
    try:
        before = group.read_text().split()[-1]
        group.write_text("-15")
    except OSError:  # no such feature, or not root
        yield
        return
    try:
        yield
    finally:
        group.write_text(before)


def pinned(command: list[str], core: int) -> list[str]:
    """The command on one core, where there are two or more to keep apart."""
    return ["taskset", "-c", str(core), *command] if (os.cpu_count() or 1) > 1 else command


def alone(core: int) -> None:
    """Puts this process on one core, where there are two or more to keep apart."""
    if sys.platform == "linux" and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})
