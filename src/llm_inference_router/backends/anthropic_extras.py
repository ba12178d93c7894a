"""What a Messages answer says beside text and calls, in chat's words: citations, refusals, calls with free text."""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.backends import normalise
from llm_inference_router.dialects.custom import FREE_TEXT

_TIERS: Final = {"standard": "default", "priority": "priority"}


def annotation(citation: Any, start: int, end: int) -> dict[str, Any] | None:
    """A citation of a web page as OpenAI's annotation of the text from `start` up to `end`; None for other sources,
    which have no address.
    """
    if not isinstance(citation, dict) or citation.get("type") != "web_search_result_location":
        return None
    url, title = citation.get("url"), citation.get("title")
    if not isinstance(url, str):
        return None
    shown = {"start_index": start, "end_index": end, "url": url, "title": title if isinstance(title, str) else ""}
    return {"type": "url_citation", "url_citation": shown}


def cited(citations: Any, start: int, end: int) -> dict[str, Any]:
    """The `citations` of a text, Anthropic's own, and the `annotations` that they are in chat; what there is."""
    if not isinstance(citations, list) or not citations:
        return {}
    made = [one for citation in citations if (one := annotation(citation, start, end)) is not None]
    return {"citations": citations, **({"annotations": made} if made else {})}


def tier(usage: Any) -> str | None:
    """On which terms it was served, in OpenAI's words."""
    said = usage.get("service_tier") if isinstance(usage, dict) else None
    return _TIERS.get(said) if isinstance(said, str) else None


def refusal(stop_reason: Any, details: Any) -> str | None:
    """Why an answer was refused, where the API says it."""
    if stop_reason != "refusal" or not isinstance(details, Mapping):
        return None
    said = details.get("explanation")
    return said if isinstance(said, str) and said else None


def free_text(arguments: Any) -> str:
    """The text that a custom tool is called with. `arguments`: the input, or its JSON."""
    if isinstance(arguments, str):
        try:
            arguments = normalise.load(arguments.encode())
        except ValueError:
            return str(arguments)
    text = arguments.get(FREE_TEXT) if isinstance(arguments, dict) else None
    return text if isinstance(text, str) else normalise.dump(arguments)
