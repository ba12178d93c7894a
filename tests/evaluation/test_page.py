"""The page: it stands alone, it runs nothing, and names in it are names."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.figures import Scorecard
from llm_inference_router.evaluation.forecast import given
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.page import page, write
from llm_inference_router.evaluation.plots import pictures, png, svg
from llm_inference_router.evaluation.scorecard import Settings, scorecard_of
from llm_inference_router.evaluation.table import table_of
from llm_inference_router.evaluation.wording import number, percent, ratio, spread, usd
from tests.evaluation import tables
from tests.evaluation.lengths import Lengths

ODD = "a<b>&$x^2$"


@cache
def scorecard() -> Scorecard:
    files = {name: table_of(name, tables.rows(60, prefix=name)) for name in ("plain", ODD)}
    forecasts = given(files, Lengths({"small": -0.5, "large": 2.0}, 4.0, 1.5), lambda _: None)
    return scorecard_of(files, forecasts, "test", ODD, Settings(draws=100))


@cache
def text() -> str:
    return page(scorecard())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "path", "use"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"path", "use"}:
            assert self.open.pop() == tag


def test_it_is_whole_and_needs_nothing_from_elsewhere() -> None:
    parsed = Tags()
    parsed.feed(text())
    assert parsed.open == []
    tags = {tag for tag, _ in parsed.seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed"}
    assert "svg" in tags
    for _, attributes in parsed.seen:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert str(attributes.get(name) or "#").startswith("#")
    assert "url(http" not in text()


def test_names_are_escaped_and_not_read_as_formulas() -> None:
    assert "a<b>" not in text()
    assert "a&lt;b&gt;&amp;$x^2$" in text()


def test_it_shows_every_source_model_and_control() -> None:
    for word in ("plain", "small", "middle", "large", "Shuffled", "Length only", "Oracle", "Reliability", "by chance"):
        assert word in text()
    assert text().count("<svg") == 5


def test_the_same_figures_give_the_same_bytes() -> None:
    drawn = pictures(scorecard())
    assert svg(drawn["plain.curve"]) == svg(drawn["plain.curve"])
    assert set(drawn) == {"plain.curve", "plain.pair", f"{ODD}.curve", f"{ODD}.pair", "calibration"}
    assert png(drawn["calibration"]) == png(drawn["calibration"])
    assert png(drawn["calibration"]).startswith(b"\x89PNG")


def test_pictures_take_the_colours_of_the_page() -> None:
    found = svg(pictures(scorecard())["plain.curve"])
    assert "currentColor" in found
    assert "#010203" not in found
    assert not re.search(r'<svg [^>]*(width|height)="', found)


def test_names_that_are_no_file_names_are_written_all_the_same(tmp_path: Path) -> None:
    written = write(tmp_path / "report", scorecard())
    assert written[0].name == "index.html"
    assert all(path.parent == tmp_path / "report" and path.stat().st_size for path in written)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "file", scorecard())


def test_figures_are_worded_the_same_everywhere() -> None:
    assert spread(Interval(0.5, 0.25, 0.75)) == "0.500 [0.250 0.750]"
    assert spread(Interval(0.5, -0.25, 0.75), sign=True) == "+0.500 [-0.250 +0.750]"
    assert spread(Interval(np.nan, np.nan, np.nan)) == "-"
    assert ratio(Interval(0.62, 0.5, np.inf)) == "62% [50% never]"
    assert ratio(Interval(np.inf, 0.5, np.inf)) == "never"
    assert percent(np.nan) == number(np.nan) == usd(None) == "-"
    assert usd(0.00032371) == "0.0003237"
