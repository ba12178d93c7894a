"""kill -9 under load, again and again: what was answered is recorded once, and starting again works each time."""

from pathlib import Path

from tests.support.conserved import held
from tests.support.faults.server import running
from tests.support.soak import Soak


def test_twenty_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    with running() as server:
        soak = Soak(tmp_path, server, minutes=0, seed=3)
        try:
            soak.kills(20)
            assert len(soak.seen.answered) > 100
            before = held(soak.router, server.port)
            assert soak.books() == []
            assert soak.kept(before) == []
        finally:
            status = soak.router.stop()
    assert status == 0
    assert soak.killed == 20
