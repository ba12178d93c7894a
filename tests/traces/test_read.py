"""Every recorded exchange is there for a test. These are the very lists that tests are parametrised with: a file that
none of them holds shows nothing, and is to be used or deleted.
"""

from tests.backends.test_openapi import ERRORS
from tests.cli.test_init import LISTS
from tests.clients.test_anthropic_client import COUNTS
from tests.clients.test_openai_published import ANSWERS, COMPLETED, REFUSED
from tests.server.test_probes import PAGES
from tests.traces.read import FOLDER
from tests.traps.test_vllm import NO_OBJECT


def test_every_recorded_exchange_is_read_by_a_test() -> None:
    read = {one.id for one in (*ANSWERS, *COMPLETED, *REFUSED, *ERRORS, *COUNTS, *LISTS, *PAGES)} | set(NO_OBJECT)
    there = {f"{file.parent.name}/{file.stem}" for file in FOLDER.glob("*/*") if file.parent.name != "__pycache__"}
    assert there == read
