import orjson
import pytest

from llm_inference_router.dialects.chat import parse
from llm_inference_router.dialects.limit import FIELDS, limited


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
