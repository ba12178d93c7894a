"""What `llm-router report --json` says of a running router."""

import subprocess
from typing import Any

import orjson

from tests.serving.router import COMMAND, Router


def report(router: Router) -> dict[str, Any]:
    command = [*COMMAND, "report", "--since", "1d", "--json"]
    done = subprocess.run(command, cwd=router.folder, capture_output=True, check=True, timeout=60)
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def totals(router: Router) -> dict[str, Any]:
    """The group of all requests."""
    found: dict[str, Any] = report(router)["all"]
    return found
