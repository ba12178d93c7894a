"""How many examples the laws are tried on, and which; and in which order files are run.

The ordinary tests try the same examples every time, so that a change is judged by what it changes. `make fuzz` draws
new ones, and many more of them: what it finds becomes a test of its own. Neither judges how long an example takes: that
depends on what else the machine does.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", _PATIENT, derandomize=True, database=None)
settings.register_profile("fuzz", _PATIENT, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("LAWS", "same"))

# What takes longest comes first, so that at the end nobody waits for one file: the matrix, and what starts routers.
_FIRST = [Path(__file__).parent / name for name in ("faults/test_matrix.py", "faults", "server", "clients", "demo")]


def _turn(item: pytest.Item) -> int:
    return next((n for n, place in enumerate(_FIRST) if item.path.is_relative_to(place)), len(_FIRST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
