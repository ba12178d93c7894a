"""A body that is pumped: what is given on where it arrives, and what only its reader's task is told."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from llm_inference_router.transport.base import TransportFault
from llm_inference_router.transport.connection import BUFFER, Connection

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Wire(asyncio.Transport):
    """The socket's side: bytes come in when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.reading: list[str] = []
        self.aborted = False

    def write(self, data: object) -> None:
        """What is asked does not matter here."""

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self.reading.append("paused")

    def resume_reading(self) -> None:
        self.reading.append("resumed")

    def abort(self) -> None:
        self.aborted = True


class Pumped:
    """A connection with an answer under way, and a task that pumps it. What `take` refuses ends the pump once."""

    def __init__(self, refuses: bytes = b"\0") -> None:
        self.released = 0
        self.taken: list[bytes] = []
        self.wire = Wire()
        self.connection = Connection(self._release, lambda connection: None)
        self.connection.connection_made(self.wire)
        self.connection.ask(b"GET")
        self.feed = self.connection.data_received
        self._refuses = refuses

    def _release(self, connection: Connection) -> None:
        self.released += 1

    def take(self, data: bytes) -> bool:
        self.taken.append(data)
        return self._refuses not in data

    async def started(self) -> "asyncio.Task[bool]":
        task = asyncio.create_task(self.connection.pump(self.take))
        await asyncio.sleep(0)
        return task


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test())


def test_what_arrives_is_taken_before_any_task_runs() -> None:
    async def test() -> None:
        one = Pumped()
        one.feed(HEAD)
        task = await one.started()
        for number in range(3):
            one.feed(chunk(b"part %d" % number))
            assert one.taken[number:] == [b"part %d" % number]
        await asyncio.sleep(0)
        assert not task.done()
        one.feed(END)
        assert await task is False
        one.connection.close()
        assert one.released == 1

    run(test)


def test_the_end_may_come_with_the_last_bytes_and_with_the_first() -> None:
    async def test() -> None:
        for packets in ([HEAD, chunk(b"all") + END], [HEAD + chunk(b"all") + END]):
            one = Pumped()
            one.feed(packets[0])
            task = await one.started()
            for packet in packets[1:]:
                one.feed(packet)
            assert await task is False
            assert one.taken == [b"all"]
            one.connection.close()
            assert one.released == 1

    run(test)


def test_several_parts_of_one_packet_are_taken_as_one() -> None:
    async def test() -> None:
        one = Pumped()
        one.feed(HEAD)
        task = await one.started()
        one.feed(chunk(b"a") + chunk(b"b") + chunk(b"c"))
        assert one.taken == [b"abc"]
        one.feed(END)
        assert await task is False

    run(test)


def test_a_mistake_in_the_callback_is_raised_where_it_is_awaited() -> None:
    async def test() -> None:
        one = Pumped()
        one.feed(HEAD)

        def take(data: bytes) -> bool:
            raise ZeroDivisionError

        task = asyncio.create_task(one.connection.pump(take))
        await asyncio.sleep(0)
        one.feed(chunk(b"a"))  # the event loop hears nothing of it
        one.feed(chunk(b"b"))
        with pytest.raises(ZeroDivisionError):
            await task
        one.connection.close()
        assert one.wire.aborted

    run(test)


def test_a_connection_that_is_free_again_is_read_though_nobody_took_its_large_answer() -> None:
    async def test() -> None:
        one = Pumped()
        one.feed(HEAD + chunk(b"x" * (BUFFER + 1)) + END)
        assert one.wire.reading == ["paused"]
        one.connection.close()
        assert one.released == 1
        assert one.wire.reading == ["paused", "resumed"]

    run(test)


def test_after_a_refusal_bytes_wait_in_order_and_within_bounds() -> None:
    async def test() -> None:
        one = Pumped(refuses=b"stop")
        one.feed(HEAD)
        task = await one.started()
        one.feed(chunk(b"stop"))
        one.feed(chunk(b"next"))  # before the task has run, too
        assert await task is True
        assert one.taken == [b"stop"]
        one.feed(chunk(b"x" * BUFFER))
        assert one.wire.reading == ["paused"]
        task = await one.started()
        assert one.wire.reading == ["paused", "resumed"]
        assert one.taken == [b"stop", b"next" + b"x" * BUFFER]
        one.feed(chunk(b"more") + END)
        assert await task is False
        assert one.taken[2:] == [b"more"]

    run(test)


def test_a_refusal_of_the_last_bytes_hides_no_end() -> None:
    async def test() -> None:
        one = Pumped(refuses=b"stop")
        one.feed(HEAD)
        task = await one.started()
        one.feed(chunk(b"stop") + END)
        assert await task is True
        assert await one.connection.pump(one.take) is False
        one.connection.close()
        assert one.released == 1

    run(test)


@pytest.mark.parametrize("cut", ["gone", "malformed"])
def test_a_body_that_breaks_off_is_a_fault_after_what_came_of_it(cut: str) -> None:
    async def test() -> None:
        one = Pumped()
        one.feed(HEAD)
        task = await one.started()
        if cut == "gone":
            one.feed(chunk(b"a"))
            one.connection.connection_lost(None)
        else:
            one.feed(chunk(b"a") + b"no chunk\r\n")
        with pytest.raises(TransportFault) as raised:
            await task
        assert one.taken == [b"a"]
        assert raised.value.fault.kind == {"gone": "truncated", "malformed": "malformed"}[cut]

    run(test)


def test_a_cancelled_pump_takes_nothing_more_and_frees_the_upstream() -> None:
    async def test() -> None:
        one = Pumped()
        one.feed(HEAD)
        task = await one.started()
        one.feed(chunk(b"a"))
        task.cancel()
        one.feed(chunk(b"b"))  # the task has not run yet
        with pytest.raises(asyncio.CancelledError):
            await task
        one.feed(chunk(b"c"))
        assert one.taken == [b"a"]
        one.connection.close()
        assert one.wire.aborted
        assert one.released == 0

    run(test)
