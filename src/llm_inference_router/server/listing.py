"""The model list as Anthropic's clients read it, in pages; a client is one of them if it names a version of that API.

Source: platform.claude.com/docs/en/api/models/list: `data` of `{type, id, display_name, created_at, ...}`, `has_more`,
`first_id`, `last_id`; `limit` 1 to 1,000, `after_id` or `before_id`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from llm_inference_router.errors import InvalidRequest
from llm_inference_router.routing.catalog import Catalog

STARTED: Final = 1_700_000_000  # when a model was made: both APIs want to say so, and a configured one does not know
LIMIT: Final = 20
MOST: Final = 1000
_CREATED_AT: Final = datetime.fromtimestamp(STARTED, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def speaks_messages(headers: Mapping[str, str]) -> bool:
    return "anthropic-version" in headers


def entry(name: str, catalog: Catalog) -> dict[str, Any]:
    """A route or a model. A route's limits are those of whichever model answers, so none are named."""
    model = None if name in catalog.routes else catalog.models[name]
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": _CREATED_AT,
        "lifecycle": "active",
        "max_input_tokens": model.context if model else None,
        "max_tokens": model.max_output if model else None,
    }


def listed(names: Sequence[str], catalog: Catalog, query: Mapping[str, str]) -> dict[str, Any]:
    """One page of those names. Raises InvalidRequest for a limit or a cursor that is none."""
    limit = _limit(query.get("limit"))
    if "before_id" in query:
        names = names[: _place(names, query["before_id"], "before_id")]
        page, more = names[-limit:], len(names) > limit
    else:
        if "after_id" in query:
            names = names[_place(names, query["after_id"], "after_id") + 1 :]
        page, more = names[:limit], len(names) > limit
    return {
        "data": [entry(name, catalog) for name in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise InvalidRequest(f"'limit' is a number from 1 to {MOST}.", param="limit", code="invalid_value")
    return int(text)


def _place(names: Sequence[str], cursor: str, param: str) -> int:
    try:
        return names.index(cursor)
    except ValueError:
        raise InvalidRequest(f"'{param}' is none of the models.", param=param, code="invalid_value") from None
