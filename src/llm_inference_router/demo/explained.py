"""Three decisions of the demo, one of each band, asked again at /v1/route so that they come with their
reasons.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from llm_inference_router.demo.drive import Answered
from llm_inference_router.demo.prompts import Prompt, body
from llm_inference_router.vocabulary import Band

BANDS: Final[tuple[Band, ...]] = ("light", "medium", "heavy")
_COLUMNS = """o.decision_id, o.model, o.cost, o.baseline_cost, o.input_tokens, o.output_tokens, o.overhead_ms,
    d.band, d.complexity"""


def recorded(database: Path) -> dict[str, dict[str, Any]]:
    """The outcomes in the demo's database by decision id, each with its decision's band and complexity."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM outcomes o JOIN decisions d ON d.id = o.decision_id WHERE o.status = 200"
        )
        return {row["decision_id"]: dict(row) for row in rows}


def explained(url: str, answered: Sequence[Answered], rows: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each band that occurred: the prompt nearest the band's median, and its decision from POST
    /v1/route.
    """
    found = []
    for band in BANDS:
        prompt = _typical(band, answered, rows)
        if prompt is not None:
            found.append({"band": band, "prompt": prompt.shown, "decision": _route(url, prompt)})
    return found


def _typical(band: Band, answered: Sequence[Answered], rows: Mapping[str, Mapping[str, Any]]) -> Prompt | None:
    """Prompts in English that fit a line or two come first: they are to be read."""
    own = sorted(
        (rows[one.decision_id]["complexity"], one.prompt.id, one.prompt)
        for one in answered
        if one.decision_id in rows and rows[one.decision_id]["band"] == band
    )
    plain = [one for one in own if one[2].language == "en" and one[2].document is None and not one[2].messages]
    own = plain or own
    return own[len(own) // 2][2] if own else None


def _route(url: str, prompt: Prompt) -> dict[str, Any]:
    request = Request(
        f"{url}/v1/route",
        data=json.dumps({"model": "auto", **body(prompt)}).encode(),
        headers={"content-type": "application/json"},
    )
    with urlopen(request, timeout=10.0) as answer:
        decision: dict[str, Any] = json.load(answer)
        return decision
