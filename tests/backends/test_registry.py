from typing import get_args

import pytest

from llm_inference_router.backends.registry import backend, unseen
from llm_inference_router.config.schema import BackendName
from llm_inference_router.types import Attachment


@pytest.mark.parametrize("name", get_args(BackendName))
def test_every_name_of_the_configuration_is_a_backend(name: str) -> None:
    assert backend(name) is backend(name)


def test_another_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        backend("nonesuch")


@pytest.mark.parametrize(
    ("name", "word", "unable"),
    [
        ("openai", "file", None),
        ("openai_compatible", "video_url", None),
        ("vllm", "file", "files"),
        ("vllm", "video_url", None),
        ("llamacpp", "video_url", "videos"),
        ("tgi", "audio_url", "sounds"),
        ("ollama", "file", "files"),
        ("anthropic", "file", None),
        ("anthropic", "video_url", "videos"),
    ],
)
def test_what_a_server_refuses_to_look_at_is_known_before_it_is_asked(name: str, word: str, unable: str | None) -> None:
    assert unseen(name, [Attachment("image", media="image/png"), Attachment("file", media=word)]) == unable
