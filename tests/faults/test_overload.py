"""Ten times as many requests as can be done: those taken are done, the others told at once when to come."""

import asyncio
import os
import socket
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.serving.router import Router, config, parse, serving
from tests.serving.upstream import answers, hangs, upstream

ROOM = 8
TAKES_S = 1.0  # so long that what this machine needs for an answer is little beside it
SECONDS = 6.0
BODY = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"


async def insist(port: int, until: float, seen: Counter[int], waits: list[float]) -> None:
    """A client that does not heed the time it is told, and comes again at once."""
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD % len(BODY) + BODY)
        answer = parse(await reader.read())
        writer.close()
        seen[answer.status] += 1
        if answer.status == 429:
            waits.append(float(answer.headers["retry-after"]))
            await asyncio.sleep(0.1)


def test_ten_times_the_load_does_not_stop_what_can_be_done(tmp_path: Path) -> None:
    seen: Counter[int] = Counter()
    waits: list[float] = []
    with upstream(one=answers(after=TAKES_S)) as backend:
        text = config(backend.url, "one", extra=f"server: {{max_requests: {ROOM}}}")
        with serving(tmp_path, text) as router:

            async def storm() -> None:
                until = time.monotonic() + SECONDS
                await asyncio.gather(*[insist(router.port, until, seen, waits) for _ in range(10 * ROOM)])

            asyncio.run(storm())
            assert set(seen) == {200, 429}
            # In units of what the upstream takes, not of this machine: a room is empty for a fifth of the time at most.
            assert seen[200] >= 0.8 * ROOM * SECONDS / TAKES_S
            assert len(backend.requests) == seen[200], "what is turned away costs the upstream nothing"
            assert 1.0 <= min(waits) <= max(waits) <= 4.0
            assert len(set(waits)) > 1, "or all would come back at the same moment"
            assert all_at_once(router, ROOM) == Counter({200: ROOM}), "and afterwards all is as before, at once"


def all_at_once(router: Router, many: int) -> Counter[int]:
    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", router.port)
        writer.write(HEAD % len(BODY) + BODY)
        answer = parse(await reader.read())
        writer.close()
        return answer.status

    async def every() -> list[int]:
        return await asyncio.gather(*[one() for _ in range(many)])

    return Counter(asyncio.run(every()))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the processor's time is read in /proc")
def test_who_is_turned_away_waits_for_nothing_and_costs_next_to_nothing(tmp_path: Path) -> None:
    """Counted, not timed: while the rooms are taken by what never ends, all others are told so; one costs less of the
    processor than the fifty milliseconds in which it is to be told."""
    with upstream(one=hangs()) as backend:
        long = "{first_token: 60s, idle: 60s, total: 60s}"
        text = config(backend.url, "one", extra=f"server: {{max_requests: {ROOM}}}", timeouts=long)
        with serving(tmp_path, text) as router, ExitStack() as stack:
            held = [stack.enter_context(held_by(router.port)) for _ in range(ROOM)]
            while len(backend.requests) < ROOM:
                time.sleep(0.01)
            before = processor_s(router)
            assert all_at_once(router, 500) == Counter({429: 500})
            assert (processor_s(router) - before) / 500 < 0.05
            assert len(backend.requests) == ROOM
            assert not any(request.gone.is_set() for request in backend.requests), "those that ran still run"
            held[0].close()
            backend.behaviours["one"] = answers()
            recovered(router)


def recovered(router: Router) -> None:
    """A room that was left is free for the next who asks, within the second in which a client's leaving is noticed;
    how many are turned away until then is bounded."""
    for turned_away in range(50):
        if router.chat().status == 200:
            return
        time.sleep(0.02 * (1 + turned_away / 10))
    raise AssertionError("the room that was left stays taken")


def held_by(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(HEAD % len(BODY) + BODY)
    return client


def processor_s(router: Router) -> float:
    """Seconds of the processor that the router has used."""
    fields = Path(f"/proc/{router.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
