"""When the sweep closes a connection."""

from llm_inference_router.server.protocol import GuardedProtocol


class Unsent:
    """A transport as far as the sweep looks at it."""

    def __init__(self) -> None:
        self.size = 0

    def get_write_buffer_size(self) -> int:
        return self.size


def protocol() -> tuple[GuardedProtocol, Unsent]:
    one = GuardedProtocol.__new__(GuardedProtocol)
    unsent = Unsent()
    one.transport = unsent  # type: ignore[assignment]
    return one, unsent


def test_a_client_that_reads_nothing_for_thirty_seconds_has_stalled() -> None:
    one, unsent = protocol()
    assert not one.stalled(0.0)
    unsent.size = 100_000
    assert not one.stalled(1.0)
    assert not one.stalled(29.0)
    assert one.stalled(31.0)


def test_a_client_that_reads_slowly_has_not() -> None:
    one, unsent = protocol()
    for second in range(200):
        unsent.size = 300_000 - 1000 * second
        assert not one.stalled(float(second))
