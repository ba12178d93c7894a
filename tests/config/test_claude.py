"""What a Claude takes, by the version in its name."""

import pytest

from llm_inference_router.config.claude import claude


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("claude-opus-5-5", (5, 5)),
        ("claude-opus-4-20250514", (4, 0)),
        ("claude-haiku-4-5-20251001", (4, 5)),
        ("us.anthropic.claude-sonnet-4-6-v1:0", (4, 6)),
        ("anthropic/claude-sonnet-4.5", (4, 5)),
        ("claude-3-5-sonnet-20241022", (3, 5)),
        ("claude-3-opus-20240229", (3, 0)),
        ("claude-mythos-preview", (5, 0)),
        ("claude-sonnet-latest", (5, 0)),
        ("claude-of-our-own", None),
        ("upstream-name", None),
    ],
)
def test_the_version_is_read_from_any_spelling_of_the_name(name: str, version: tuple[int, int] | None) -> None:
    assert claude(name).version == version


@pytest.mark.parametrize(
    ("name", "thinking", "unthinking", "samples", "schemas", "forced", "prefilled"),
    [
        ("claude-3-5-sonnet-20241022", "none", "omitted", True, False, True, True),
        ("claude-opus-4-1", "budget", "omitted", True, False, True, True),
        ("claude-sonnet-4-5", "budget", "omitted", True, True, True, True),
        ("claude-opus-4-6", "adaptive", "omitted", True, True, True, False),
        ("claude-opus-4-7", "adaptive", "omitted", False, True, True, False),
        ("claude-opus-5", "adaptive", "disabled", False, True, True, False),
        ("claude-fable-5", "adaptive", "never", False, True, True, False),
        ("claude-fable-5-1", "adaptive", "never", False, True, False, False),
        ("claude-opus-5-5", "adaptive", "never", False, True, False, False),
        ("claude-sonnet-5-5", "adaptive", "between_tools", False, True, False, False),
        ("another-server", "budget", "omitted", True, False, True, True),
    ],
)
def test_models_differ_in_what_they_take(
    name: str, thinking: str, unthinking: str, samples: bool, schemas: bool, forced: bool, prefilled: bool
) -> None:
    model = claude(name)
    assert (model.thinking, model.unthinking) == (thinking, unthinking)
    assert (model.samples, model.schemas, model.forced, model.prefilled) == (samples, schemas, forced, prefilled)
