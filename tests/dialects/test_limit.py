import orjson
import pytest

from llm_inference_router.dialects.chat import parse
from llm_inference_router.dialects.limit import FIELDS, limited
from llm_inference_router.dialects.responses import Responses


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("asked", "most", "sent"), [(32_000, 4_096, 4_096), (100, 4_096, 100), (32_000, None, 32_000)])
def test_no_more_is_asked_for_than_the_model_gives(field: str, asked: int, most: int | None, sent: int) -> None:
    request = parse(
        orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hello"}], field: asked, "seed": 1})
    )
    made = limited(request, most)
    assert (made.max_tokens, made.body[field], made.body["seed"]) == (sent, sent, 1)
    assert made.warnings == (() if sent == asked else (f"warning;clamped;{field}",))
    assert request.body[field] == asked, "the client's own is what another model is asked with"


def test_a_responses_client_reads_its_own_word() -> None:
    request = Responses().parse(orjson.dumps({"model": "auto", "input": "Hello", "max_output_tokens": 32_000}))
    made = limited(request, 4_096)
    assert (made.max_tokens, made.body["max_completion_tokens"]) == (4_096, 4_096)
    assert made.warnings == ("warning;clamped;max_output_tokens",)
