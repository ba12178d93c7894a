"""Clients of a long run: each asks one thing after another, knows what it must be told, and keeps what it saw.

Their requests go to routes (`ROUTES`) that are named by what their models do, which break on purpose.
"""

import random
import socket
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

import orjson

from tests.serving.router import Answer, events, parse
from tests.support.faults.scenarios import TEXT

BEFORE = (
    "error-500", "rate-limit", "reset", "cut-before-content", "garbage", "error-in-stream", "bytewise", "comments",
    "silent", "silent-after-head", "endless", "bomb",
)  # fmt: skip
AFTER = ("cut", "reset-in-the-middle", "stall", "error-after-content")
SILENT = ("silent", "silent-after-head")
LEFT = ("ok", "drip", "stall", *SILENT)  # what is asked for by those who leave
BYTEWISE = "Grüße 日本語 🙂 end"

# plain: no breaker, retries without a limit; default: nothing is set; continue: another model writes the rest;
# hedge: another model is asked beside a silent one.
ROUTES = {
    "plain": ("ok", *BEFORE, *AFTER, "drip"),
    "default": (*BEFORE, *AFTER),
    "continue": AFTER,
    "hedge": SILENT,
}

FAULTY = 0.01
LEAVING = 0.01
KEYED = 0.02
KEYS = 50  # of each life of the router: their answers are kept in memory, which is not to grow with them
_MOST_TRIES = 8
_A_MOMENT_S = 2.0  # so long after a client has left its record may still be on its way


@dataclass
class Seen:
    """What the clients saw. `answered`: decisions whose answer came whole; `broken`: those that ended with an honest
    error; `left`: those whose client left knowing their id, and when. Each of them must be recorded. `blind`: clients
    that left knowing nothing, `interrupted`: requests that a kill came into; either may have left a record.
    """

    answered: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    left: dict[str, float] = field(default_factory=dict)
    blind: int = 0
    interrupted: int = 0
    tries_lost: int = 0  # at most
    replayed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    kept: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    life: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def killed(self) -> None:
        """Records of those who left just before may be lost, and keys of this life are not asked for again."""
        with self.lock:
            recent = time.monotonic() - _A_MOMENT_S
            for name in [name for name, at in self.left.items() if at > recent]:
                del self.left[name]
                self.interrupt("left")
            self.life += 1
            self.kept.clear()

    def interrupt(self, name: str) -> None:
        """Under the lock."""
        self.interrupted += 1
        self.tries_lost += 1 if name == "ok" else _MOST_TRIES

    def known(self) -> list[str]:
        return [*self.answered, *self.broken, *self.left]

    @property
    def gone(self) -> int:
        return self.blind + len(self.left)


def request(model: str, stream: bool, key: str = "", text: str = "Hello") -> bytes:
    body = orjson.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]})
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Idempotency-Key: {key}\r\n" if key else ""
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def exchange(port: int, model: str, stream: bool, key: str = "") -> bytes:
    """All bytes of an answer."""
    parts = bytearray()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        connection.sendall(request(model, stream, key))
        while part := connection.recv(65536):
            parts += part
    return bytes(parts)


def leave(port: int, model: str, stream: bool, after_bytes: int, after: float) -> bytes:
    """Asks and goes: after `after_bytes` of the answer, or, where none are waited for, after so many seconds."""
    parts = bytearray()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        connection.sendall(request(model, stream))
        if not after_bytes:
            time.sleep(after)
        while len(parts) < after_bytes and (part := connection.recv(4096)):
            parts += part
    return bytes(parts)


def wrong(kind: str, name: str, raw: bytes, stream: bool) -> str | None:
    """What is wrong with an answer; "" where it broke as it may, which is told by an error and never as an end."""
    answer = parse(raw)
    whole = raw.endswith(b"0\r\n\r\n") if stream else len(answer.body) == int(answer.headers["content-length"])
    if not whole:
        return "an answer that is not whole"
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[-200:]!r}"
    said, ended = _said(answer, stream)
    if (
        ended
        and said.split() == (BYTEWISE if answer.headers["x-router-model"].startswith("bytewise") else TEXT).split()
    ):
        return None
    if ended:
        return f"another text than the model's: {said[-100:]!r}"
    may_break = stream and name in AFTER and kind != "continue"
    return "" if may_break and TEXT.startswith(said) else f"broke: {answer.body[-200:]!r}"


def _said(answer: Answer, stream: bool) -> tuple[str, bool]:
    if not stream:
        return str(answer.json()["choices"][0]["message"]["content"]), True
    found = events(answer)
    deltas = [choice["delta"] for one in found if isinstance(one, dict) for choice in one.get("choices", ())]
    return "".join(one.get("content") or "" for one in deltas), found[-1] == "[DONE]"


class Client(threading.Thread):
    """Asks one thing after another until it is told to stop. `pause` is seconds between two."""

    def __init__(self, port: int, seen: Seen, seed: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.seen = seen
        self.random = random.Random(seed)
        self.pause = pause
        self.over = threading.Event()
        self.dying = threading.Event()  # the router is being killed: what breaks now is explained

    def run(self) -> None:
        while not self.over.is_set():
            luck = self.random.random()
            if luck < LEAVING:
                self.goes()
            elif luck < LEAVING + KEYED:
                self.again()
            else:
                self.one()
            if self.pause:
                self.over.wait(self.random.expovariate(1 / self.pause))

    def one(self) -> None:
        kind, name = "plain", "ok"
        if self.random.random() < FAULTY:
            kind = self.random.choice(tuple(ROUTES))
            name = self.random.choice([one for one in ROUTES[kind] if one != "drip"])
        stream = self.random.random() < 0.5
        self._told(kind, name, stream, self._exchange(f"{kind}-{name}", name, stream))

    def again(self) -> None:
        """With a key that others use too: one of them asks the model, the others are told the same."""
        number, life = self.random.randrange(KEYS), self.seen.life
        key, stream = f"{life}-{number}", number % 2 == 0
        raw = self._exchange("plain-ok", "ok", stream, key)
        if raw is None:
            return
        answer = parse(raw)
        if answer.status == 409 and b"idempotency_in_progress" in answer.body:
            return
        if "idempotent-replayed" not in answer.headers:
            with self.seen.lock:
                twice = self.seen.life == life and key in self.seen.kept
            self._told("plain", "ok", stream, raw)
            if twice:
                self._complain(f"key {key}: the model was asked twice")
        with self.seen.lock:
            if self.seen.life == life and answer.status == 200:
                told = (answer.headers["x-router-decision-id"], answer.body)
                same = self.seen.kept.setdefault(key, told) == told
                self.seen.replayed += 1
            else:
                same = True
        if not same:
            self._complain(f"key {key}: another answer than before")

    def goes(self) -> None:
        goes(self.port, self.seen, self.random, self.dying)

    def _exchange(self, route: str, name: str, stream: bool, key: str = "") -> bytes | None:
        dying = self.dying.is_set()
        reached = True
        try:
            raw = exchange(self.port, route, stream, key)
            if raw.endswith(b"0\r\n\r\n") or (raw and not stream):
                parse(raw)
                return raw
            problem = f"{len(raw)} bytes that are not whole"
        except (OSError, ValueError, IndexError) as error:
            reached = not isinstance(error, ConnectionRefusedError)
            problem = f"{type(error).__name__}: {error}"
        if dying or self.dying.is_set():
            if reached:
                with self.seen.lock:
                    self.seen.interrupt(name)
            self.over.wait(0.01)
        else:
            self._complain(f"{route}: {problem}")
        return None

    def _told(self, kind: str, name: str, stream: bool, raw: bytes | None) -> None:
        if raw is None:
            return
        try:
            complaint = wrong(kind, name, raw, stream)
            id = parse(raw).headers.get("x-router-decision-id", "")  # noqa: A001 - the wire's own word
        except (ValueError, IndexError, KeyError) as error:
            complaint, id = f"{type(error).__name__}: {error}", ""  # noqa: A001
        with self.seen.lock:
            self.seen.statuses[raw[9:12].decode()] += 1
            if complaint is None:
                self.seen.answered.append(id)
            elif not complaint:
                self.seen.broken.append(id)
            elif self.dying.is_set():
                self.seen.interrupt(name)
        if complaint and not self.dying.is_set():
            self._complain(f"{kind}-{name}: {complaint}")

    def _complain(self, text: str) -> None:
        with self.seen.lock:
            self.seen.unexplained.append(text)


def goes(port: int, seen: Seen, luck: random.Random, dying: threading.Event) -> None:
    """A client that leaves: at once, while the model is silent, after the head, in the middle; streamed or whole."""
    name, stream = luck.choice(LEFT), luck.random() < 0.5
    speaks = name == "ok" or (stream and name not in SILENT)
    after_bytes = luck.choice((0, 1, 3000)) if speaks else 0
    raw, was_dying = b"", dying.is_set()
    try:
        raw = leave(port, f"plain-{name}", stream, after_bytes, luck.choice((0.0, 0.005, 0.05)))
    except ConnectionRefusedError:  # nobody was there to be left
        return
    except OSError:
        pass
    id = ""  # noqa: A001 - the wire's own word
    if b"\r\n\r\n" in raw:
        id = parse(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").headers.get("x-router-decision-id", "")  # noqa: A001
    with seen.lock:
        if was_dying or dying.is_set():
            seen.interrupt(name)
        elif id:
            seen.left[id] = time.monotonic()
        else:
            seen.blind += 1


class Load:
    """Clients that run until the block ends."""

    def __init__(self, port: int, seen: Seen, seed: int, pause: float, clients: int) -> None:
        self.clients = [Client(port, seen, seed * 1000 + number, pause) for number in range(clients)]

    def __enter__(self) -> "Load":
        for one in self.clients:
            one.start()
        return self

    def dying(self) -> None:
        for one in self.clients:
            one.dying.set()

    def moved(self, port: int) -> None:
        """The router lives again."""
        for one in self.clients:
            one.port = port
        for one in self.clients:
            one.dying.clear()

    def __exit__(self, *_: object) -> None:
        for one in self.clients:
            one.over.set()
        for one in self.clients:
            one.join(60)
