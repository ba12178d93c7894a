"""Errors of requests that never became an exchange, in the dialect of their path: unknown paths, broken HTTP, pages."""

import random

from llm_inference_router.dialects.fault import Rendered
from llm_inference_router.dialects.spoken import REQUEST_IDS, spoken_at
from llm_inference_router.effects import SystemClock, new_id
from llm_inference_router.errors import Busy, RouterError


def fresh_id() -> str:
    return "req_" + new_id(SystemClock().now_ms()).replace("-", "")


def busy(what: str) -> Busy:
    """`retry-after` is drawn anew each time, or all that are turned away would come back at once."""
    return Busy(what, retry_after_s=random.uniform(1.0, 3.0))


def refusal(error: RouterError, path: str) -> Rendered:
    """Status, headers and body. With an id of ours where the dialect's clients look for one."""
    dialect = spoken_at(path)
    return dialect.error(error, fresh_id() if dialect.name in REQUEST_IDS else "")
