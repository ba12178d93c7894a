"""What is known of a stream whose text is not read event by event is what reading each of them tells."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.dialects.responses_relayed import Relayed

MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


def delta(text: str, place: int = 0) -> dict[str, Any]:
    return {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": place,
        "content_index": 0,
        "delta": text,
        "logprobs": [],
    }


def begun() -> list[dict[str, Any]]:
    return [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": MESSAGE},
        {"type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": PART},
    ]


def written(event: dict[str, Any], spaced: bool) -> bytes:
    data = orjson.dumps(event)
    return data.replace(b":", b" : ").replace(b",", b" , ") if spaced else data


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters=":,"), max_size=8)
_DELTA = st.builds(delta, _TEXT | st.sampled_from(['"output_index"', '\\"output_index']), st.sampled_from([0, 0, 0, 1]))
_OTHER = st.sampled_from(
    [
        {"type": "response.content_part.done", "output_index": 0, "content_index": 0, "part": PART},
        {"type": "response.content_part.added", "output_index": 0, "content_index": 1, "part": PART},
        {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{"},
    ]
)


@given(st.lists(st.tuples(st.one_of(_DELTA, _DELTA, _DELTA, _OTHER), st.booleans()), max_size=12))
def test_text_that_is_not_read_counts_like_text_that_is(events: list[tuple[dict[str, Any], bool]]) -> None:
    read, said = Relayed(), Relayed()
    for number, (event, spaced) in enumerate([*((one, False) for one in begun()), *events]):
        numbered = {**event, "sequence_number": number}
        data = written(numbered, spaced)
        read.take(numbered)
        if event["type"] != "response.output_text.delta" or not said.says(data, event["delta"]):
            said.take(orjson.loads(data))
    assert said.resumable == read.resumable
    assert said.next == read.next
    assert said.answer == read.answer
    if read.resumable:
        assert vars_of(said) == vars_of(read)


def vars_of(one: Relayed) -> Any:
    items = one.items("1")
    return [items.output, items.resumable, list(items.close("completed"))]


def test_a_delta_of_an_open_part_is_not_read_and_one_of_another_place_is() -> None:
    relayed = Relayed()
    for number, event in enumerate(begun()):
        relayed.take({**event, "sequence_number": number})
    assert relayed.says(orjson.dumps({**delta("Hi"), "sequence_number": 3}), "Hi")
    assert relayed.next == 4
    assert not relayed.says(orjson.dumps({**delta("Hi", 1), "sequence_number": 4}), "Hi")
    assert not relayed.says(orjson.dumps({**delta('"output_index":0,', 1), "sequence_number": 4}), "Hi")
