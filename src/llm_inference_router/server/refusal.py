"""Errors of requests that never became an exchange, in the dialect of their path: unknown paths, broken HTTP, pages."""

from llm_inference_router.dialects.fault import Rendered
from llm_inference_router.dialects.spoken import REQUEST_IDS, spoken_at
from llm_inference_router.effects import SystemClock, new_id
from llm_inference_router.errors import RouterError


def fresh_id() -> str:
    return "req_" + new_id(SystemClock().now_ms()).replace("-", "")


def refusal(error: RouterError, path: str) -> Rendered:
    """Status, headers and body. With an id of ours where the dialect's clients look for one."""
    dialect = spoken_at(path)
    return dialect.error(error, fresh_id() if dialect.name in REQUEST_IDS else "")
