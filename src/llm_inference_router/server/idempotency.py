"""A request with an `idempotency-key` is answered once: asked again, it gets the same answer, and no model is
asked twice.

In memory while the process lives, within a bound; in the store from before the first upstream is asked. So a key that
was used is known after `kill -9` too; its answer only where content is kept.
"""

from collections import OrderedDict
from collections.abc import Mapping, MutableMapping
from functools import partial
from hashlib import sha256
from typing import Any

from msgspec import Struct

from llm_inference_router.effects import Clock, new_id
from llm_inference_router.errors import IdempotencyConflict, IdempotencyMismatch, InvalidRequest, StoreUnavailable
from llm_inference_router.server.body import LONGEST_VALUE
from llm_inference_router.server.reply import Headers, Send
from llm_inference_router.store import idempotency as stored
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Answer, Claim, Found
from llm_inference_router.store.sqlite import SqliteStore

HEADER = b"idempotency-key"
KEPT_MS = 24 * 3_600_000
_MOST_BYTES = 64 * 1024 * 1024
_MOST_OF_ONE = 4 * 1024 * 1024
_MOST_KEYS = 100_000


class _Known(Struct):
    """`answer` None although `answered`: it is not kept in memory (any more)."""

    digest: bytes
    at: int
    answered: bool = False
    decision_id: str = ""
    answer: Answer | None = None


class Idempotency:
    """The keys of one process. Its methods are called from the event loop only."""

    def __init__(self, store: SqliteStore, clock: Clock) -> None:
        self._store = store
        self._now = clock.now_ms
        self._owner = new_id(clock.now_ms())
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._bytes = 0

    async def claim(self, scope: str, headers: Mapping[bytes, bytes], body: bytes) -> Claim | Answer:
        """The claim to `settle`, or the answer to give again.

        Raises IdempotencyConflict (409), IdempotencyMismatch (422), InvalidRequest, and StoreUnavailable where the
        claim cannot be made durable.
        """
        now = self._now()
        wish = Claim(scope, _key(headers), sha256(body).digest(), self._owner, now)
        at = (scope, wish.key)
        known = self._known.get(at)
        if known is not None and known.at > now - KEPT_MS:
            _same(known.digest, wish)
            if not known.answered:
                raise IdempotencyConflict(
                    "a request with this idempotency key is running",
                    code="idempotency_in_progress",
                    should_retry=True,
                    retry_after_s=1,
                )
            if known.answer is not None:
                return known.answer
        running = self._known[at] = _Known(wish.digest, now)  # before the first await: whoever comes now finds it
        try:
            found = await self._store.perform(partial(stored.claim, wish=wish, expired_before=now - KEPT_MS))
        except StoreFault as fault:
            raise StoreUnavailable("the idempotency key cannot be stored now; nothing was asked") from fault
        finally:
            if self._known.get(at) is running:
                del self._known[at]
        if found is None:
            self._known[at] = running
            return wish
        return _earlier(found, wish)

    def settle(self, wish: Claim, decision_id: str, answer: Answer | None, keep: bool) -> None:
        """`answer` None: it was not answered, and the key is free again. `keep`: content may be stored."""
        at = (wish.scope, wish.key)
        if answer is None:
            self._known.pop(at, None)
            self._store.post(partial(stored.release, wish=wish))
            return
        kept = answer if len(answer.body) <= _MOST_OF_ONE else None
        self._known[at] = _Known(wish.digest, wish.at, True, decision_id, kept)
        self._known.move_to_end(at)
        self._bytes += len(kept.body) if kept else 0
        self._store.post(partial(stored.finish, wish=wish, decision_id=decision_id, answer=kept if keep else None))
        self._shrink()

    def _shrink(self) -> None:
        """Forgets the oldest answers: the store still knows that their keys were used."""
        while self._bytes > _MOST_BYTES or len(self._known) > _MOST_KEYS:
            at = next((at for at, known in self._known.items() if known.answered), None)
            if at is None:
                return
            answer = self._known.pop(at).answer
            self._bytes -= len(answer.body) if answer else 0


class Capture:
    """Keeps what is sent, on its way to the client."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._size = 0

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        body = message.get("body")
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = list(message["headers"])
        elif isinstance(body, bytes):
            self._size += len(body)
            if self._size <= _MOST_OF_ONE:
                self._parts.append(body)
        await self._send(message)

    def answer(self) -> Answer:
        """What was sent; more than is kept of one answer makes a body that is too long to be kept."""
        body = b"".join(self._parts) if self._size <= _MOST_OF_ONE else b" " * (_MOST_OF_ONE + 1)
        return Answer(self._status, tuple(self._headers), body)


async def replay(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _key(headers: Mapping[bytes, bytes]) -> str:
    text = headers[HEADER].decode("latin-1").strip()
    if not text or len(text) > LONGEST_VALUE or not text.isprintable():
        raise InvalidRequest(f"an idempotency key has 1 to {LONGEST_VALUE} printable characters", param=HEADER.decode())
    return text


def _same(digest: bytes, wish: Claim) -> None:
    if digest != wish.digest:
        raise IdempotencyMismatch("this idempotency key was used for another request; a new request needs a new key")


def _earlier(found: Found, wish: Claim) -> Answer:
    """What came of a key before this process, or before it forgot the answer."""
    _same(found.digest, wish)
    if found.answer is not None:
        return found.answer
    if found.state == "answered":
        raise IdempotencyConflict(
            f"this request was answered (decision {found.decision_id}), and its answer was not kept (store.content)",
            code="idempotency_already_answered",
        )
    raise IdempotencyConflict(
        "the router was stopped while this request ran, so a model may have been asked; use a new key to ask again",
        code="idempotency_interrupted",
    )
