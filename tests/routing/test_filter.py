"""Every model remains or is rejected for one reason, and a constraint only ever narrows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config.schema import Constraint
from llm_inference_router.dialects.completions import SEVERAL, TOKENS
from llm_inference_router.routing.ask import Ask
from llm_inference_router.routing.filter import admissible, narrow
from llm_inference_router.types import Model, Price, Rejection
from llm_inference_router.vocabulary import Capability
from tests.routing.build import ask, asks, constraints, model, models, names, signals


def reject(asked: Ask, one: Model, **fields: object) -> Rejection | None:
    remaining, rejections = admissible(asked, [one], (), fields.pop("resting", frozenset()), **fields)  # type: ignore[arg-type]
    assert len(remaining) + len(rejections) == 1
    return rejections[0] if rejections else None


def test_a_model_must_have_every_capability_that_is_needed() -> None:
    asked = ask(measured=signals(needs=frozenset({"tools", "vision"})))
    assert reject(asked, model("m", capabilities=frozenset({"tools", "vision", "audio"}))) is None
    assert reject(asked, model("m", capabilities=frozenset({"tools"}))) == Rejection("m", "capability", "lacks vision")


@pytest.mark.parametrize(
    ("prompt", "output", "max_tokens", "max_output", "fits"),
    [
        (700, 200, None, None, True),  # 770 + 200
        (730, 200, None, None, False),  # 803 + 200: the estimate alone would have fitted
        (700, 200, 300, None, False),  # the caller's own limit counts, not the guess
        (700, 900, 200, None, True),
        (700, 900, None, 200, True),  # the model stops at its own limit
        (700, 200, 200, 200, True),
        (1_000, 1, None, None, False),
        (0, 1_000, None, None, True),  # to the last token
        (0, 1_001, None, None, False),
    ],
)
def test_prompt_and_answer_must_fit_the_window(
    prompt: int, output: int, max_tokens: int | None, max_output: int | None, fits: bool
) -> None:
    asked = ask(measured=signals(prompt_tokens=prompt, output=output), max_tokens=max_tokens)
    rejection = reject(asked, model("m", context=1_000, max_output=max_output))
    assert (rejection is None) is fits
    assert rejection is None or rejection.reason == "context"


def test_a_model_that_gives_less_than_the_answer_may_have_is_left_out() -> None:
    asked = ask(measured=signals(output=9_000), max_tokens=5_000)
    assert reject(asked, model("m", max_output=5_000)) is None
    assert reject(asked, model("m")) is None
    found = reject(asked, model("m", max_output=4_096))
    assert found == Rejection("m", "output", "gives at most 4096 tokens, up to 5000 are expected")
    agents = ask(measured=signals(output=300), max_tokens=32_000)
    assert reject(agents, model("m", max_output=4_096)) is None, "a large limit is no long answer"
    assert reject(asked, model("m", max_output=4_096), outputs=False) is None
    assert reject(ask(measured=signals(output=9_000)), model("m", max_output=4_096)) is None, "a guess reserves nothing"


@pytest.mark.parametrize(
    "need", ["tools", "parallel_tools", "json_schema", "vision", "audio", "logprobs", "embeddings"]
)
def test_each_need_restricts_the_candidates(need: Capability) -> None:
    asked = ask(measured=signals(needs=frozenset({need})))
    listed = (model("without"), model("with", capabilities=frozenset({need})))
    remaining, rejections = admissible(asked, listed, (), frozenset())
    assert names_of(remaining) == ["with"]
    assert rejections == (Rejection("without", "capability", f"lacks {need}"),)


def test_a_model_that_embeds_never_chats() -> None:
    both = model("m", capabilities=frozenset({"embeddings", "tools"}))
    assert reject(ask(), both) == Rejection("m", "capability", "serves embeddings alone")


@pytest.mark.parametrize(
    ("backend", "own", "taken"),
    [
        ("vllm", {SEVERAL, TOKENS, "echo", "logprobs"}, True),
        ("vllm", {"suffix"}, False),
        ("ollama", {"suffix"}, True),
        ("ollama", {SEVERAL}, False),
        ("llamacpp", {SEVERAL, TOKENS}, True),
        ("llamacpp", {"echo"}, False),
        ("tgi", {SEVERAL}, True),
        ("tgi", {TOKENS}, False),
        ("openai_compatible", {SEVERAL, TOKENS, "echo", "logprobs", "suffix"}, True),
        ("openai", {SEVERAL}, False),
        ("anthropic", {SEVERAL}, False),
        ("simulated", {SEVERAL}, False),
    ],
)
def test_what_chat_has_no_words_for_goes_only_to_servers_that_take_it(backend: str, own: set[str], taken: bool) -> None:
    asked = ask(dialect="completions", own=frozenset(own))
    found = reject(asked, model("m", backend=backend))
    assert (found is None) is taken
    assert found is None or found.detail == f"has no way to take {', '.join(sorted(own))}"


def test_a_pinned_model_is_not_measured_against_its_window() -> None:
    assert reject(ask(measured=signals(prompt_tokens=9_999)), model("m", context=1_000), windows=False) is None


def test_the_callers_cost_cap_is_on_expected_cost() -> None:
    one = model("m", price=Price(input=10, output=100))
    asked = signals(prompt_tokens=100, output=20)
    assert reject(ask(measured=asked, max_cost=3_000), one) is None
    rejection = reject(ask(measured=asked, max_cost=2_999), one)
    assert rejection is not None
    assert rejection.reason == "cost"


def test_rest_is_the_last_obstacle_to_be_named() -> None:
    asked = ask(measured=signals(needs=frozenset({"tools"})))
    resting = frozenset({"m"})
    with_tools = model("m", capabilities=frozenset({"tools"}))
    without = reject(asked, model("m"), resting=resting)
    tired = reject(asked, with_tools, resting=resting)
    assert without is not None
    assert tired is not None
    assert (without.reason, tired.reason) == ("capability", "unavailable")


@pytest.mark.parametrize(
    ("constraint", "left"),
    [
        (Constraint(), "abc"),
        (Constraint(bar=0.1), "abc"),
        (Constraint(models=("a", "c")), "ac"),
        (Constraint(models=()), ""),
        (Constraint(tier="medium"), "b"),
        (Constraint(min_tier="medium"), "bc"),
        (Constraint(max_tier="medium"), "ab"),
        (Constraint(location="local"), "a"),
        (Constraint(region="eu"), "c"),
        (Constraint(location="cloud", max_tier="medium"), "b"),
    ],
)
def test_each_key_of_a_constraint_narrows(constraint: Constraint, left: str) -> None:
    three = (model("a", "small", location="local"), model("b", "medium"), model("c", "large", region="eu"))
    remaining, rejections = admissible(ask(), three, [narrow("rule x", "rule", constraint, three)], frozenset())
    assert "".join(one.name for one in remaining) == left
    assert all(one.reason == "rule" and one.detail.startswith("rule x: ") for one in rejections)


@given(
    asked=asks(),
    listed=models(),
    given_already=st.lists(constraints(), max_size=3),
    more=constraints(),
    resting=st.frozensets(names()),
    windows=st.booleans(),
)
def test_one_more_constraint_never_adds_a_model(
    asked: Ask,
    listed: tuple[Model, ...],
    given_already: list[Constraint],
    more: Constraint,
    resting: frozenset[str],
    windows: bool,
) -> None:
    narrowings = [narrow("x", "constraint", one, listed) for one in given_already]
    before, _ = admissible(asked, listed, narrowings, resting, windows=windows)
    narrowings.append(narrow("y", "constraint", more, listed))
    after, rejections = admissible(asked, listed, narrowings, resting, windows=windows)
    assert set(names_of(after)) <= set(names_of(before))
    assert sorted(names_of(after) + [one.model for one in rejections]) == sorted(names_of(listed))


def names_of(listed: tuple[Model, ...] | list[Model]) -> list[str]:
    return [one.name for one in listed]
