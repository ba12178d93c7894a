"""A scorecard as a folder: one page that needs nothing else, the pictures as PNG, and the figures as JSON."""

import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.figures import Scorecard, plain
from llm_inference_router.evaluation.plots import pictures, png, svg
from llm_inference_router.evaluation.wording import number, percent, ratio, spread, usd


def write(folder: Path, scorecard: Scorecard) -> list[Path]:
    """Writes index.html, figures.json and a PNG for each picture; the paths, the page first.

    Raises `DataError` where the folder cannot be written. Files of those names are replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    contents: dict[str, bytes] = {
        "index.html": page(scorecard).encode(),
        "figures.json": (json.dumps(plain(scorecard), indent=1, ensure_ascii=False) + "\n").encode(),
    }
    contents |= {f"{name}.png": png(draw) for name, draw in pictures(scorecard).items()}
    try:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return [folder / name for name in contents]


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError([f"{folder}: cannot be written: {error.strerror}"])


def page(scorecard: Scorecard) -> str:
    """The page: pictures are inside, nothing is loaded from elsewhere, and nothing runs."""
    environment = Environment(
        loader=PackageLoader("llm_inference_router.evaluation", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "spread": spread, "percent": percent, "ratio": ratio, "usd": usd}
    drawn = {name: svg(draw) for name, draw in pictures(scorecard).items()}
    return environment.get_template("scorecard.html").render(card=scorecard, pictures=drawn)
