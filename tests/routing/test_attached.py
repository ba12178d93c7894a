"""What attachments are in tokens at each provider: the figures of their own pages, and what follows of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from llm_inference_router.config import schema
from llm_inference_router.routing.attached import prompt_tokens
from llm_inference_router.routing.decide import decide
from llm_inference_router.signals.length import FLAT
from llm_inference_router.types import Attachment, Price
from tests.routing.build import ask, model, signals, snapshot


def tokens(backend: str, name: str, *attachments: Attachment) -> int:
    """Beyond the text's."""
    measured = replace(signals(prompt_tokens=10_000), attachments=attachments)
    flat = sum(FLAT[one.kind] for one in attachments)
    return prompt_tokens(model("m", backend=backend, upstream_model=name), measured) - 10_000 + flat


@pytest.mark.parametrize(
    ("name", "width", "height", "low", "expected"),
    [
        ("gpt-4o", 1024, 1024, False, 765),  # the page's examples
        ("gpt-4o", 2048, 4096, False, 1105),
        ("gpt-4o", 4096, 8192, True, 85),
        ("gpt-4o", 512, 512, False, 255),
        ("gpt-4o", 100, 100, False, 255),  # nothing is scaled up
        ("gpt-4o-mini-2024-07-18", 1024, 1024, False, 2833 + 4 * 5667),
        ("gpt-5", 1024, 1024, False, 70 + 4 * 140),
        ("o3", 1024, 1024, False, 75 + 4 * 150),
        ("o3", 1024, 1024, True, 75),
        ("gpt-4.1-mini", 1024, 1024, False, 1659),  # 1024 patches, 1.62 each
        ("gpt-4.1-mini", 1800, 2400, False, 2352),  # 1452 patches: the page's example
        ("o4-mini", 1800, 2400, False, 2497),
        ("gpt-5-nano", 32, 32, False, 2),
        ("some-fine-tune", 1024, 1024, False, 765),
    ],
)
def test_openais_pictures(name: str, width: int, height: int, low: bool, expected: int) -> None:
    assert tokens("openai", name, Attachment("image", width, height, low)) == expected


@pytest.mark.parametrize(
    ("name", "width", "height", "expected"),
    [
        ("claude-sonnet-4-5", 200, 200, 53),
        ("claude-sonnet-4-5", 1000, 1000, 1333),
        ("claude-sonnet-4-5", 1092, 1092, 1590),
        ("claude-sonnet-4-5", 8000, 8000, 1600),
        ("claude-sonnet-4-5", 3136, 300, 314),  # scaled to 1568 x 150
        ("claude-opus-4-6", 2576, 2576, 1600),
        ("claude-opus-4-7", 2000, 1000, 2667),
        ("claude-opus-4-7", 5000, 5000, 4784),
        ("claude-opus-4-20250514", 5000, 5000, 1600),
    ],
)
def test_anthropics_pictures(name: str, width: int, height: int, expected: int) -> None:
    assert tokens("anthropic", name, Attachment("image", width, height)) == expected


@pytest.mark.parametrize(("side", "expected"), [(28, 64), (280, 100), (1000, 1296), (20_000, 4096)])
def test_pictures_of_other_models(side: int, expected: int) -> None:
    assert tokens("vllm", "Qwen/Qwen2-VL-7B", Attachment("image", side, side)) == expected


def test_a_picture_of_unknown_size_is_a_thousand_by_a_thousand() -> None:
    for backend, name in (("openai", "gpt-4o"), ("anthropic", "claude-haiku-4-5"), ("vllm", "x")):
        known = tokens(backend, name, Attachment("image", 1024, 1024))
        assert tokens(backend, name, Attachment("image")) == known


def test_the_name_decides_whoever_serves_the_model() -> None:
    picture = Attachment("image", 1000, 1000)
    assert tokens("openai_compatible", "anthropic/claude-sonnet-4.5", picture) == 1333
    assert tokens("openai_compatible", "openai/gpt-4o", picture) == 765


def test_sounds_count_by_their_length_and_files_at_a_flat_rate() -> None:
    assert tokens("openai", "gpt-4o-audio-preview", Attachment("audio", seconds=12.0)) == 120
    assert tokens("vllm", "Qwen2-Audio", Attachment("audio", seconds=12.0)) == 300
    assert tokens("vllm", "x", Attachment("audio"), Attachment("file")) == FLAT["audio"] + FLAT["file"]


@given(
    backend=st.sampled_from(["openai", "anthropic", "vllm"]),
    name=st.sampled_from(["gpt-4o", "gpt-4.1-mini", "gpt-5.2", "claude-opus-4-7", "x"]),
    width=st.integers(1, 2**31),
    height=st.integers(1, 2**31),
    low=st.booleans(),
)
def test_every_picture_costs_something_and_none_without_end(
    backend: str, name: str, width: int, height: int, low: bool
) -> None:
    assert 0 <= tokens(backend, name, Attachment("image", width, height, low)) <= 60_000


def test_cost_and_window_are_judged_by_each_models_own_count() -> None:
    price = Price(input=1_000_000)
    gpt = model("gpt", backend="openai", upstream_model="gpt-4o", price=price)
    mini = model("mini", backend="openai", upstream_model="gpt-4o-mini", price=price, context=20_000)
    listed = tuple(replace(one, capabilities=frozenset({"vision"})) for one in (gpt, mini))
    measured = replace(
        signals(prompt_tokens=100 + FLAT["image"], needs=frozenset({"vision"})),
        attachments=(Attachment("image", 1024, 1024),),
    )
    found = decide(ask(measured=measured), snapshot(listed, policy=schema.Fixed()))
    [candidate] = found.candidates
    assert (candidate.model, candidate.prompt_tokens, candidate.cost) == ("gpt", 865, 865 * 1_000_000)
    [rejection] = found.rejections
    assert (rejection.model, rejection.reason) == ("mini", "context")
    assert rejection.detail == "has a context of 20000 tokens, about 28361 are needed"


def test_a_request_of_text_has_the_same_count_everywhere() -> None:
    found = decide(ask(), snapshot((model("a"), model("b", backend="openai"))))
    assert [one.prompt_tokens for one in found.candidates] == [None, None]
