"""Ten times as many requests as can be done: those taken are done, the others told at once when to come."""

import asyncio
import time
from collections import Counter
from pathlib import Path

from tests.serving.router import config, parse, serving
from tests.serving.upstream import answers, upstream

ROOM = 8
TAKES_S = 0.25
SECONDS = 5.0
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
            assert router.chat().status == 200, "and afterwards all is as before"
