"""A request with an `idempotency-key` is answered once: asked again, it gets the same answer, and no model is
asked twice.

In memory while the process lives, within a bound; in the store from before the first upstream is asked. How it ended is
written as one with its record, before the client has the last bytes: so an answer that a client has is never made
anew, also after `kill -9`; its words are there only where content is kept.

| the request                            | its key               |
|----------------------------------------|-----------------------|
| was answered                           | gives the same again  |
| failed, and the client was told so     | is free               |
| was refused, or left, before any model | is free               |
| was left, or cut by a stop, after that | is refused: a model may have answered |
"""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Any

from llm_inference_router.dialects.base import Dialect
from llm_inference_router.effects import Clock, new_id
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.trace import Trace
from llm_inference_router.errors import IdempotencyConflict, IdempotencyMismatch, InvalidRequest, StoreUnavailable
from llm_inference_router.server.body import LONGEST_VALUE
from llm_inference_router.server.remembered import KEPT_S, Known, Remembered
from llm_inference_router.server.reply import Headers, Offer, Reply, Send
from llm_inference_router.store import idempotency as stored
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Answer, Claim, Ending, Found
from llm_inference_router.store.sqlite import SqliteStore

HEADER = b"idempotency-key"
MOST_OF_ONE = 4 * 1024 * 1024  # bytes of an answer that is kept


def digest(path: str, dialect: str, body: bytes) -> bytes:
    """What tells one request from another: the same bytes ask for something else at another path."""
    return sha256(b"%b\0%b\0%b" % (path.encode("utf-8", "surrogateescape"), dialect.encode(), body)).digest()


class KeyedReply(Reply):
    """Keeps what it sends, up to what is kept of one answer."""

    def __init__(self, send: Send, runtime: Runtime, offer: Offer, dialect: Dialect) -> None:
        super().__init__(send, runtime, offer, dialect)
        self._made: Headers | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def head(self, trace: Trace, body: bytes | None) -> Headers:
        """Made once, so that what is kept is what is sent."""
        if self._made is None:
            self._made = super().head(trace, body)
        return self._made

    async def send(self, frames: bytes) -> None:
        self._note(frames)
        await super().send(frames)

    def write(self, frames: bytes) -> bool:
        written = super().write(frames)
        if written:
            self._note(frames)
        return written

    def answer(self, trace: Trace, body: bytes | None, last: bytes) -> Answer | None:
        """All of it, with what is about to be sent: a whole answer, or a stream's last bytes. None where that is more
        than is kept of one answer."""
        self._note(last if body is None else body)
        if self._size > MOST_OF_ONE:
            return None
        return Answer(200, tuple(self.head(trace, body)), b"".join(self._parts))

    def _note(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= MOST_OF_ONE:
            self._parts.append(part)
        else:
            self._parts.clear()


class Held:
    """A key while its request runs; the engine says how that ended (`engine.sink.Once`)."""

    def __init__(self, claim: Claim, reply: KeyedReply, runtime: Runtime) -> None:
        self.claim = claim
        self.ending: Ending | None = None
        self.answer: Answer | None = None
        self._reply = reply
        self._runtime = runtime

    def answered(self, trace: Trace, body: bytes | None, last: bytes) -> Ending:
        self.answer = self._reply.answer(trace, body, last)
        kept = self.answer if self._runtime.keeps_content(trace.decision.route) else None
        self.ending = Ending(self.claim, "answered", trace.decision.id, kept)
        return self.ending

    def failed(self) -> Ending:
        self.ending = Ending(self.claim, "free")
        return self.ending

    def cut(self, trace: Trace) -> Ending:
        if not trace.tries:
            return self.failed()
        self.ending = Ending(self.claim, "interrupted", trace.decision.id)
        return self.ending


class Idempotency:
    """The keys of one process. Its methods are called from the event loop only."""

    def __init__(self, store: SqliteStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._remembered = Remembered()
        self._tasks: set[asyncio.Task[None]] = set()

    async def claim(self, scope: str, headers: Mapping[bytes, bytes], digest: bytes) -> Claim | Answer:
        """The claim to `settle`, or the answer to give again.

        Raises IdempotencyConflict (409), IdempotencyMismatch (422), InvalidRequest, and StoreUnavailable where the
        claim cannot be made durable. Cancelled, it leaves no claim behind.
        """
        key, now, at = _key(headers), self._clock.monotonic(), self._clock.now_ms()
        known = self._remembered.get((scope, key), now)
        if known is not None and known.state != "free":
            return _again(known, digest)
        wish = Claim(scope, key, digest, new_id(at), at, known.claim.owner if known else "")
        self._remembered.put(Known(wish, now))  # before the first await: whoever comes now finds it
        expired_before = at - int(KEPT_S * 1000)
        work = asyncio.ensure_future(
            self._store.perform(partial(stored.claim, wish=wish, expired_before=expired_before))
        )
        try:
            found = await asyncio.shield(work)
        except StoreFault as fault:
            self._put_back(wish, known)
            raise StoreUnavailable("the idempotency key cannot be stored now; nothing was asked") from fault
        except asyncio.CancelledError:
            self._spawn(self._give_back(work, wish, known))  # its commit may be underway
            raise
        if found is None:
            return wish
        self._put_back(wish, None)
        return _earlier(found, digest)

    async def settle(self, held: Held) -> None:
        """Its request is over. Where the engine wrote no record of it, the store is told here that the key is free."""
        recorded = held.ending is not None
        ending = held.ending or held.failed()
        known = self._remembered.get((held.claim.scope, held.claim.key), 0.0)
        since = known.since if known is not None else self._clock.monotonic()
        self._remembered.put(Known(held.claim, since, ending.state, ending.decision_id, held.answer))
        if not recorded:
            await self._free(held.claim)

    async def _give_back(self, work: "asyncio.Future[Found | None]", wish: Claim, before: Known | None) -> None:
        try:
            found = await work
        except StoreFault:
            self._put_back(wish, before)
            return
        if found is None:
            self._remembered.put(Known(wish, self._clock.monotonic(), "free"))
            await self._free(wish)
        else:
            self._put_back(wish, None)

    def _put_back(self, wish: Claim, before: Known | None) -> None:
        self._remembered.drop((wish.scope, wish.key))
        if before is not None:
            self._remembered.put(before)

    async def _free(self, claim: Claim) -> None:
        with suppress(StoreFault):  # lost, it is refused as interrupted after a restart: never asked a second time
            await self._store.append(None, Ending(claim, "free"))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def replay(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _key(headers: Mapping[bytes, bytes]) -> str:
    text = headers[HEADER].decode("latin-1").strip()
    if not text or len(text) > LONGEST_VALUE or not text.isprintable():
        raise InvalidRequest(f"an idempotency key has 1 to {LONGEST_VALUE} printable characters", param=HEADER.decode())
    return text


def _same(one: bytes, other: bytes) -> None:
    if one != other:
        raise IdempotencyMismatch("this idempotency key was used for another request; a new request needs a new key")


def _again(known: Known, digest: bytes) -> Answer:
    """What this process knows of a key that is not free."""
    _same(known.claim.digest, digest)
    if known.state == "running":
        raise IdempotencyConflict(
            "a request with this idempotency key is running",
            code="idempotency_in_progress",
            should_retry=True,
            retry_after_s=1,
        )
    if known.state == "interrupted":
        raise _interrupted()
    if known.answer is None:
        raise _unkept(known.decision_id, f"answers of up to {MOST_OF_ONE} bytes are")
    return known.answer


def _earlier(found: Found, digest: bytes) -> Answer:
    """What came of a key before this process, or before it forgot the answer."""
    _same(found.digest, digest)
    if found.answer is not None:
        return found.answer
    if found.state == "answered":
        raise _unkept(found.decision_id, "store.content")
    raise _interrupted()


def _unkept(decision_id: str, why: str) -> IdempotencyConflict:
    return IdempotencyConflict(
        f"this request was answered (decision {decision_id}), and its answer was not kept ({why})",
        code="idempotency_already_answered",
    )


def _interrupted() -> IdempotencyConflict:
    return IdempotencyConflict(
        "this request was cut short: its client left, or the router was stopped. A model may have been asked; use a "
        "new key to ask again",
        code="idempotency_interrupted",
    )
