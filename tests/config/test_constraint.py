import pytest

from llm_inference_router.config.constraint import excludes
from llm_inference_router.config.schema import Constraint, ModelConfig

MODEL = ModelConfig(name="m", backend="vllm", tier="medium", location="local", region="eu", context=1)


@pytest.mark.parametrize(
    ("constraint", "why"),
    [
        (Constraint(), None),
        (Constraint(bar=0.99), None),
        (Constraint(models=("m", "n")), None),
        (Constraint(models=("n", "o")), "not one of n, o"),
        (Constraint(tier="medium", min_tier="small", max_tier="large"), None),
        (Constraint(tier="small"), "tier medium is not small"),
        (Constraint(min_tier="large"), "tier medium is below large"),
        (Constraint(max_tier="small"), "tier medium is above small"),
        (Constraint(location="local", region="eu"), None),
        (Constraint(location="cloud"), "location local is not cloud"),
        (Constraint(region="us"), "region eu is not us"),
    ],
)
def test_a_constraint_says_why_it_excludes_a_model(constraint: Constraint, why: str | None) -> None:
    assert excludes(constraint, MODEL) == why


def test_a_model_without_a_region_is_in_none() -> None:
    model = ModelConfig(name="m", backend="vllm", tier="medium", location="local", context=1)
    assert excludes(Constraint(region="eu"), model) == "region unknown is not eu"
