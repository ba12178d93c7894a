"""Clients of a long run: each asks one thing after another, knows what it must be told, and keeps what it saw.

They speak chat, Messages and Responses, half of the time on a connection that they keep from one request to the next.
Their requests go to routes (`ROUTES`) that are named by what their models do, which break on purpose.
"""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.serving.router import parse
from tests.support.faults.scenarios import TEXT
from tests.support.line import Line, complete, exchange, leave, request
from tests.support.spoken import ended, problem, said

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

SPOKEN = ("chat", "chat", "chat", "messages", "responses")  # of five requests
KEEPING = 0.5
HANGING_UP = 0.05  # of those on a kept connection: it is closed, and another is made
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
    on_kept: int = 0  # whole answers on a connection that had brought one before
    spoken: Counter[str] = field(default_factory=Counter)  # answers by dialect
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


def wrong(kind: str, name: str, raw: bytes, stream: bool) -> str | None:
    """What is wrong with an answer; "" where it broke as it may, which is told by an error and never as an end."""
    answer = parse(raw)
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[-200:]!r}"
    text = said(answer)
    if ended(answer):
        wanted = BYTEWISE if answer.headers["x-router-model"].startswith("bytewise") else TEXT
        return None if text.split() == wanted.split() else f"another text than the model's: {text[-100:]!r}"
    may_break = stream and name in AFTER and kind != "continue"
    honest = TEXT.startswith(text) and problem(answer) is not None
    return "" if may_break and honest else f"broke: {answer.body[-200:]!r}"


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
        self.line: Line | None = None
        self.life = 0  # of the router that is at its other end

    def run(self) -> None:
        try:
            self._visit()
        finally:
            self._hang_up()

    def _visit(self) -> None:
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
        speaks, stream = self.random.choice(SPOKEN), self.random.random() < 0.5
        self._told(kind, name, speaks, stream, self._exchange(f"{kind}-{name}", name, speaks, stream))

    def again(self) -> None:
        """With a key that others use too: one of them asks the model, the others are told the same."""
        number, life = self.random.randrange(KEYS), self.seen.life
        key, speaks, stream = f"{life}-{number}", SPOKEN[number // 2 % len(SPOKEN)], number % 2 == 0
        raw = self._exchange("plain-ok", "ok", speaks, stream, key)
        if raw is None:
            return
        answer = parse(raw)
        if answer.status == 409 and answer.headers.get("x-should-retry") == "true":
            return  # one with this key is running
        if "idempotent-replayed" not in answer.headers:
            with self.seen.lock:  # one who was told the same may have noted it sooner
                told_before = self.seen.kept.get(key) if self.seen.life == life else None
            twice = told_before is not None and told_before[0] != answer.headers.get("x-router-decision-id")
            self._told("plain", "ok", speaks, stream, raw)
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

    def _exchange(self, route: str, name: str, speaks: str, stream: bool, key: str = "") -> bytes | None:
        dying = self.dying.is_set()
        reached = True
        keep = self.random.random() < KEEPING
        data = request(route, stream, key, speaks=speaks, keep=keep)
        try:
            raw = self._on_line(data) if keep else exchange(self.port, data)
            if complete(raw):
                parse(raw)
                return raw
            fault = f"{len(raw)} bytes that are not whole"
        except (OSError, ValueError, IndexError) as error:
            reached = not isinstance(error, ConnectionRefusedError)
            fault = f"{type(error).__name__}: {error}"
        if dying or self.dying.is_set():
            if reached:
                with self.seen.lock:
                    self.seen.interrupt(name)
            self.over.wait(0.01)
        else:
            self._complain(f"{route}, {speaks}{', kept' * keep}: {fault}")
        return None

    def _on_line(self, data: bytes) -> bytes:
        """On the connection that is kept. One that a kill has closed is of another life, and is not asked again."""
        if self.life != self.seen.life or self.random.random() < HANGING_UP:
            self._hang_up()
        if self.line is None:
            self.life = self.seen.life
            self.line = Line(self.port)
        line = self.line
        try:
            raw = line.exchange(data)
        finally:
            if line.over:
                self._hang_up()
        if line.asked > 1 and complete(raw):
            with self.seen.lock:
                self.seen.on_kept += 1
        return raw

    def _hang_up(self) -> None:
        if self.line is not None:
            self.line.close()
            self.line = None

    def _told(self, kind: str, name: str, speaks: str, stream: bool, raw: bytes | None) -> None:
        if raw is None:
            return
        try:
            complaint = wrong(kind, name, raw, stream)
            id = parse(raw).headers.get("x-router-decision-id", "")  # noqa: A001 - the wire's own word
        except (AssertionError, ValueError, LookupError) as error:  # what cannot be read is what is looked for
            complaint, id = f"{type(error).__name__}: {error}", ""  # noqa: A001
        with self.seen.lock:
            self.seen.statuses[raw[9:12].decode()] += 1
            self.seen.spoken[speaks] += 1
            if complaint is None:
                self.seen.answered.append(id)
            elif not complaint:
                self.seen.broken.append(id)
            elif self.dying.is_set():
                self.seen.interrupt(name)
        if complaint and not self.dying.is_set():
            self._complain(f"{kind}-{name}, {speaks}: {complaint}")

    def _complain(self, text: str) -> None:
        with self.seen.lock:
            self.seen.unexplained.append(text)


def goes(port: int, seen: Seen, luck: random.Random, dying: threading.Event) -> None:
    """A client that leaves: at once, while the model is silent, after the head, in the middle; streamed or whole."""
    name, stream = luck.choice(LEFT), luck.random() < 0.5
    answers = name == "ok" or (stream and name not in SILENT)
    after_bytes = luck.choice((0, 1, 3000)) if answers else 0
    data = request(f"plain-{name}", stream, speaks=luck.choice(SPOKEN))
    raw, was_dying = b"", dying.is_set()
    try:
        raw = leave(port, data, after_bytes, luck.choice((0.0, 0.005, 0.05)))
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
