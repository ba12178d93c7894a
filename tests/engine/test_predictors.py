"""Predictor files that routes name: read once, refused with their place, and served."""

import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec import structs

from llm_inference_router.cli import check, serve
from llm_inference_router.config.load import load
from llm_inference_router.engine.predictors import predictors
from llm_inference_router.errors import ConfigError
from llm_inference_router.evaluation.lessons import teach
from llm_inference_router.learning.artefact import Artefact, Named, encode
from llm_inference_router.learning.lens import latent_size
from llm_inference_router.signals.sense import shipped
from tests.serving.router import Router, serving

TEXT = """
models:
  - {name: small, backend: simulated, tier: small, location: local, context: 8192}
  - {name: middle, backend: simulated, tier: medium, location: cloud, context: 8192, price: {input: 19, output: 19}}
  - {name: large, backend: simulated, tier: large, location: cloud, context: 8192, price: {input: 20, output: 20}}
routes:
  auto: {models: [small, middle, large], predictor: FILE}
  again: {models: [small, large], predictor: FILE}
store: {url: "sqlite:///FOLDER/router.db"}
"""


def written(folder: Path, file: str = "mine.model") -> str:
    path = folder / "router.yaml"
    path.write_text(TEXT.replace("FILE", file).replace("FOLDER", str(folder)), encoding="utf-8")
    return str(path)


def taught() -> Artefact:
    """The owner has found that the small model is nearly always the better one."""
    artefact = shipped().artefact
    named = {name: Named((), tier) for name, tier in (("small", "small"), ("middle", "medium"), ("large", "large"))}  # type: ignore[arg-type]
    size = latent_size(len(artefact.kinds))
    latents = np.tile(shipped().lens.plain(0.5), (400, 1))
    assert latents.shape == (400, size)
    labels = {"small": np.full(400, 0.95), "middle": np.full(400, 0.5)}
    return teach(artefact, named, "large", latents, labels).artefact


def test_a_file_is_read_once_and_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine.model").write_bytes(encode(shipped().artefact))
    found = predictors(load(written(tmp_path)))
    assert list(found) == [str(tmp_path / "mine.model")]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "No such file"),
        (b"hello", "is not a predictor"),
        (encode(structs.replace(shipped().artefact, features=("other",))), "other features"),
        (encode(structs.replace(shipped().artefact, embedding="other")), "another embedding"),
        (encode(structs.replace(shipped().artefact, bias=b"\xff" * len(shipped().artefact.bias))), "is damaged"),
    ],
)
def test_a_file_that_cannot_serve_is_refused_everywhere(tmp_path: Path, content: bytes | None, fault: str) -> None:
    if content is not None:
        (tmp_path / "mine.model").write_bytes(content)
    path = written(tmp_path)
    with pytest.raises(ConfigError) as raised:
        predictors(load(path))
    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        "routes.auto.predictor",
        "routes.again.predictor",
    ]
    for problem in raised.value.problems:
        assert fault in problem
        assert problem.endswith("name a file that `llm-router calibrate` or `llm-router train` wrote, or `default`")
    checked = CliRunner().invoke(check.command, [path])
    assert checked.exit_code == 1
    assert "routes.auto.predictor" in checked.output
    served = CliRunner().invoke(serve.command, ["--config", path])
    assert served.exit_code == serve.BAD_CONFIG
    assert fault in served.output


def announced(router: Router) -> str:
    """What it says once it listens: a moment after it answers for the first time."""
    deadline = time.monotonic() + 30
    while "route again: " not in router.log():
        assert time.monotonic() < deadline, router.log()
        time.sleep(0.01)
    return router.log()


def test_the_owners_labels_decide_and_lift_the_hull(tmp_path: Path) -> None:
    (tmp_path / "mine.model").write_bytes(encode(taught()))
    body = {"model": "auto", "messages": [{"role": "user", "content": "Prove that there are infinitely many primes."}]}
    with serving(tmp_path, Path(written(tmp_path)).read_text()) as router:
        mine = router.ask("/v1/route", body).json()
        log = announced(router)
    with serving(tmp_path, Path(written(tmp_path, "default")).read_text()) as router:
        shipped_one = router.ask("/v1/route", body).json()
        told = announced(router)
    assert mine["chosen"] == "small"
    assert mine["evidence"]["labels_from"] == "owner"
    assert mine["evidence"]["owner_labels"] == 1200
    assert mine["evidence"]["off_hull"] is None
    assert {one["quality"]["basis"] for one in mine["candidates"]} == {"labels"}
    assert "labels of your own, 400 at least for each model" in log
    assert shipped_one["evidence"]["labels_from"] is None
    assert "without labels of your own (`llm-router calibrate`): stays at the hull" in told
