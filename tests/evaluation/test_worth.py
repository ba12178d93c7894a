"""What labels buy: estimates move towards them, decisions follow, and doubt is what more labels are worth."""

from collections.abc import Mapping

import numpy as np
import pytest

from llm_inference_router.evaluation.lessons import teach
from llm_inference_router.evaluation.worth import Deal, bought, choices, more
from llm_inference_router.learning.artefact import CALIBRATION, Named, decode, encode, shipped
from llm_inference_router.signals.base import extract, view
from llm_inference_router.signals.features import NAMES
from llm_inference_router.signals.sense import shipped as shipped_sense
from llm_inference_router.types import ChatRequest, Message

NAMED = {"big": Named((), "large"), "mid": Named((), "medium"), "small": Named((), "small")}
ASKS = [
    f"{verb} {what} number {number}"
    for number in range(5)
    for verb in ("Prove the theorem about", "Write a letter about", "Translate the word for", "What is")
    for what in ("an integral", "the weather", "a holiday")
]


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    requests = [ChatRequest("auto", (Message("user", ask),), {}) for ask in ASKS]
    return np.array([extract(one, view(one), shipped_sense()).latent for one in requests])


def deal(latents: np.ndarray, labels: Mapping[str, np.ndarray], costs: tuple[float, ...] = (1e-2, 1e-3, 0.0)) -> Deal:
    return Deal(
        taught=teach(shipped(NAMES), NAMED, "big", latents, labels),
        named=NAMED,
        strongest="big",
        latents=latents,
        labels=labels,
        costs=np.tile(costs, (len(latents), 1)),
        bar=0.9,
    )


def of(value: float, count: int = len(ASKS)) -> np.ndarray:
    scores = np.full(len(ASKS), np.nan)
    scores[:count] = value
    return scores


def test_labels_move_estimates_and_decisions_follow(latents: np.ndarray) -> None:
    good = bought(deal(latents, {"mid": of(0.5), "small": of(0.5)}))
    bad = bought(deal(latents, {"mid": of(0.5), "small": of(0.02)}))
    assert good.models["small"].posterior > good.models["small"].prior
    assert bad.models["small"].posterior < bad.models["small"].prior
    assert good.saved_after is not None
    assert bad.saved_after is not None
    assert good.saved_after.value > bad.saved_after.value
    assert good.models["small"].mean == 0.5
    assert good.prompts == len(ASKS)
    assert good.changed.low <= good.changed.value <= good.changed.high


def test_the_strongest_is_its_own_measure(latents: np.ndarray) -> None:
    taught = deal(latents, {"mid": of(0.1), "small": of(0.9)}).taught
    panel = taught.artefact.panel(NAMED)
    assert panel.qualities(latents)[0][:, 0] == pytest.approx(np.full(len(latents), 0.5), abs=1e-3)


def test_before_labels_abler_models_are_expected_to_win_more_often(latents: np.ndarray) -> None:
    nothing = {"mid": of(0.5, 0), "small": of(0.5, 0)}
    taught = deal(latents, nothing).taught
    quality = taught.artefact.panel(NAMED).qualities(latents)[0].mean(0)
    assert quality[0] > quality[1] > quality[2]


def test_the_file_holds_the_shipped_predictor_and_the_labels(latents: np.ndarray) -> None:
    base = shipped(NAMES)
    taught = deal(latents, {"mid": of(0.5), "small": of(0.2, 30)}).taught
    again = decode(encode(taught.artefact), NAMES)
    assert set(again.labelled) == {*base.labelled, CALIBRATION}
    assert (again.weights, again.line, again.known, again.version) == (
        base.weights,
        base.line,
        base.known,
        base.version,
    )
    source = again.labelled[CALIBRATION]
    assert source.kinds == tuple(range(len(base.kinds)))
    assert {name: own.labels for name, own in source.models.items()} == {"big": 60, "mid": 60, "small": 30}
    _, _, covered = again.panel(NAMED).qualities(latents)
    assert covered == pytest.approx(np.ones(len(latents)), abs=1e-3)
    assert again.panel(NAMED).qualities(latents)[0] == pytest.approx(taught.artefact.panel(NAMED).qualities(latents)[0])


def test_the_owners_labels_go_before_any_other_source(latents: np.ndarray) -> None:
    """Even of models that a shipped source knows from thousands of labels."""
    name = min(shipped(NAMES).labelled["ulab_llmrouter"].models)
    named = {"big": Named((), "large"), name: Named((name,), "small")}
    taught = teach(shipped(NAMES), named, "big", latents, {name: of(0.97)})
    quality = taught.artefact.panel(named).qualities(latents)[0]
    assert (quality[:, 1] > quality[:, 0]).all()


def test_more_doubt_makes_more_labels_worth_more(latents: np.ndarray) -> None:
    few = more(deal(latents, {"mid": of(0.45, 6), "small": of(0.45, 6)}), 1.0, 0.1)
    many = more(deal(latents, {"mid": of(0.45), "small": of(0.45)}), 1.0, 0.1)
    assert few.gain > many.gain >= 0
    assert few.price == pytest.approx(100 / 6)
    assert many.price == pytest.approx(100 / 60)


def test_labels_pay_from_the_break_even_on(latents: np.ndarray) -> None:
    found = more(deal(latents, {"mid": of(0.45, 6), "small": of(0.45, 6)}), 1.0, 0.1)
    assert found.requests is not None
    assert found.requests == pytest.approx(found.price / found.gain)
    assert found.worth_it(int(found.requests) + 1)
    assert not found.worth_it(int(found.requests) - 1)


def test_where_no_decision_can_change_more_labels_are_worth_nothing(latents: np.ndarray) -> None:
    same_price = deal(latents, {"mid": of(0.01), "small": of(0.01)}, costs=(0.0, 1.0, 1.0))
    found = more(same_price, 1.0, 0.0)
    assert (found.gain, found.requests, found.worth_it(10**9)) == (0.0, None, False)


def test_free_models_have_no_saving_to_state(latents: np.ndarray) -> None:
    found = bought(deal(latents, {"mid": of(0.5), "small": of(0.5)}, costs=(0.0, 0.0, 0.0)))
    assert found.saved_before is None
    assert found.saved_after is None


def test_the_cheapest_above_the_bar_is_chosen() -> None:
    quality = np.array([[0.5, 0.45, 0.2], [0.5, 0.3, 0.6], [0.5, 0.44, 0.44]])
    assert choices(quality, np.array([3.0, 2.0, 1.0]), 0.9).tolist() == [1, 2, 0]
    assert choices(np.array([[0.5, 0.5, 0.49]]), np.array([1.0, 1.0, 1.0]), 0.9).tolist() == [0]
    assert choices(np.array([[0.3, 0.31]]), np.array([np.inf, np.inf]), 1.0).tolist() == [1]
