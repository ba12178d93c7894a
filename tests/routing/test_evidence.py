"""What a route's qualities rest on is said as it is: whose labels, how many, and what they do not reach."""

import pytest
from msgspec import structs

from llm_inference_router.config import schema
from llm_inference_router.learning.artefact import CALIBRATION
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.loading import Labelled, Own
from llm_inference_router.routing.catalog import Choice, compile_catalog
from llm_inference_router.routing.evidence import basis, briefly, said, shown
from llm_inference_router.signals.sense import Sense, shipped
from llm_inference_router.types import Candidate, Price, Quality
from tests.routing.build import model, snapshot

LOW = model("low", "small", price=Price(1, 1))
DEAR = model("dear", "medium", price=Price(19_000_000, 19_000_000))
BEST = model("best", "large", price=Price(20_000_000, 20_000_000))


def own(labels: int) -> Own:
    return Own(0.0, (0.0, 0.0, 0.0), (0.0,) * len(shipped().artefact.kinds), 0.1, labels)


def route(**labels: int) -> Choice:
    """The route of the three models, some of them labelled by the owner."""
    artefact = shipped().artefact
    source = Labelled(tuple(range(len(artefact.kinds))), {name: own(count) for name, count in labels.items()})
    mine = structs.replace(artefact, labelled={**artefact.labelled, CALIBRATION: source})
    routes = {"auto": schema.Route(models=("low", "dear", "best"), predictor="mine")}
    config = schema.Config(models=(), routes=routes)
    return compile_catalog(config, (LOW, DEAR, BEST), {"mine": Sense(mine, shipped_embedding())}).choices["auto"]


def test_labels_of_all_models_lift_the_hull() -> None:
    choice = route(low=40, dear=30, best=50)
    assert choice.hull is None
    assert said(choice.evidence) == "Quality is expected from labels of your own: 30 to 50 for each model."
    assert "30 at least" in briefly(choice.evidence)
    record = shown(choice.evidence)
    assert (record["labels_from"], record["owner_labels"], record["off_hull"]) == ("owner", 120, None)


def test_labels_of_some_models_do_not_count_and_that_is_said() -> None:
    choice = route(low=40, best=50)
    assert choice.hull is not None
    assert "Your own labels cover low and best and not dear, so they do not count here" in said(choice.evidence)
    assert shown(choice.evidence)["owner_labels"] == 0


@pytest.mark.parametrize("policy", [schema.Fixed(), schema.Utility()])
def test_where_the_hull_plays_no_part_it_is_not_spoken_of(policy: schema.PolicyConfig) -> None:
    evidence = snapshot((LOW, DEAR, BEST), policy=policy).catalog.choices["auto"].evidence
    assert "hull" not in said(evidence) + briefly(evidence)
    assert shown(evidence)["off_hull"] is None


def test_a_pinned_model_is_told_apart_from_a_route() -> None:
    evidence = snapshot((LOW, DEAR, BEST)).catalog.choices["dear"].evidence
    assert said(evidence).endswith("that plays no part, because the model was asked for by name.")


def test_labels_of_training_data_are_not_called_the_owners() -> None:
    known = (model("claude-v1", backend="openai", price=Price(1, 1)), model("claude-v2", backend="openai"))
    evidence = snapshot(known).catalog.choices["auto"].evidence
    assert evidence.source == "routerbench_sub"
    assert not evidence.owned
    assert "the predictor's training data (routerbench_sub)" in said(evidence)
    one = Candidate("claude-v1", Quality(0.5, 0.1, "labels"), 1, 1.0, 1.0, 0.0)
    assert basis(one, evidence) == f"{evidence.labels['claude-v1']} labels"
    assert basis(structs.replace(one, quality=Quality(0.5, 0.1, "tier")), evidence) == "tier"
