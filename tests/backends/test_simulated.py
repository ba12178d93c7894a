"""What simulated models promise: determinism, honest marks, bounds, answers that the official client accepts."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llm_inference_router.backends import simulated_answer, simulated_schema, simulated_text, simulated_wire
from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.backends.registry import backend
from llm_inference_router.backends.simulated_answer import ContextExceededError, Imagined, imagine
from llm_inference_router.backends.simulated_draws import Draws
from llm_inference_router.dialects.chat import parse
from llm_inference_router.types import Endpoint, Model, Price
from llm_inference_router.vocabulary import TIERS, Tier

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
BOOK = {
    "type": "function",
    "function": {
        "name": "book_table",
        "description": "Books a table in a restaurant",
        "parameters": {
            "type": "object",
            "properties": {"guests": {"type": "integer", "minimum": 1, "maximum": 12}},
            "required": ["guests"],
        },
    },
}


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def answer(body: dict[str, Any], tier: Tier = "small", seed: int = 0, **more: Any) -> Imagined:
    return imagine(body, model=f"sim-{tier}", tier=tier, seed=seed, **more)


def frames(imagined: Imagined, *, include_usage: bool, step: int = 3) -> bytes:
    made = simulated_wire.Frames(imagined, id="chatcmpl-1", created=1, include_usage=include_usage)
    steps = [made.step(at, at + step) for at in range(0, made.steps, step)]
    return b"".join([made.first(), *steps, made.last()])


def chunks_of(stream: bytes) -> list[ChatCompletionChunk]:
    events = [event.removeprefix(b"data: ") for event in stream.split(b"\n\n") if event]
    assert events[-1] == b"[DONE]"
    return [ChatCompletionChunk.model_validate_json(event) for event in events[:-1]]


# --- determinism --------------------------------------------------------------------------------------------


@given(st.text(max_size=200), st.sampled_from(TIERS), st.integers(0, 2**32))
def test_the_same_request_model_and_seed_give_the_same_answer(text: str, tier: Tier, seed: int) -> None:
    assert answer(asked(text), tier, seed) == answer(asked(text), tier, seed)


def test_streaming_does_not_change_the_answer() -> None:
    streamed = asked("Why is the sky blue?", stream=True, stream_options={"include_usage": True})
    assert answer(asked("Why is the sky blue?")) == answer(streamed)


def test_another_seed_gives_another_speed() -> None:
    assert answer(asked("hello"), seed=1).ttft_ms != answer(asked("hello"), seed=2).ttft_ms


def test_draws_are_even_and_their_jitter_has_median_one() -> None:
    draws = Draws(7)
    values = [draws.uniform() for _ in range(4000)]
    assert 0.48 < sum(values) / len(values) < 0.52
    assert 0.46 < sum(draws.jitter(0.3) < 1 for _ in range(4000)) / 4000 < 0.54


# --- quality ------------------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(0, 1))
def test_quality_falls_with_difficulty_and_rises_with_the_tier(one: float, other: float) -> None:
    easy, hard = sorted((one, other))
    for tier in TIERS:
        assert simulated_answer.quality(tier, easy) >= simulated_answer.quality(tier, hard)
    small, medium, large = (simulated_answer.quality(tier, hard) for tier in TIERS)
    assert small < medium < large


def test_the_share_of_good_answers_is_the_quality() -> None:
    imagined = [answer(asked(f"question {n}", metadata={"difficulty": "0.5"})) for n in range(1500)]
    share = sum(one.good for one in imagined) / len(imagined)
    assert abs(share - simulated_answer.quality("small", 0.5)) < 0.04


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [({"difficulty": "0.4"}, 0.4), ({"difficulty": "7"}, 1.0), ({"difficulty": "-1"}, 0.0)],
)
def test_the_difficulty_is_the_requests_own_within_bounds(metadata: dict[str, str], expected: float) -> None:
    assert simulated_answer.difficulty(asked("hello", metadata=metadata)) == expected


@pytest.mark.parametrize("metadata", [None, {}, {"difficulty": "high"}, {"difficulty": "nan"}])
def test_without_a_readable_difficulty_it_is_guessed_from_the_ask(metadata: dict[str, str] | None) -> None:
    easy = simulated_answer.difficulty(asked("hello", metadata=metadata))
    hard = "Prove that x^2 + y^2 = 3 has no rational solution, then extend it to p = 7, and explain each step. " * 3
    assert 0 <= easy < simulated_answer.difficulty(asked(hard, metadata=metadata)) <= 1


# --- words and bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wie kann ich mein Passwort ändern?", "de"),
        ("Où est la gare, et comment y aller ?", "fr"),
        ("¿Cuál es el horario para hoy?", "es"),
        ("Dove sono gli orari della piscina?", "it"),
        ("Você sabe qual é o meu saldo?", "pt"),
        ("Где ближайший вокзал?", "ru"),
        ("أين المحطة؟", "ar"),
        ("स्टेशन कहाँ है?", "hi"),
        ("车站在哪里？", "zh"),
        ("駅はどこですか。", "ja"),
        ("What is the time in Oslo?", "en"),
    ],
)
def test_the_answer_is_marked_and_in_the_language_of_the_ask(text: str, language: str) -> None:
    assert simulated_text.language(text) == language
    said = answer(asked(text, metadata={"difficulty": "0.4"}), "medium").choices[0].text
    assert said.startswith("(simulated medium model)")
    assert simulated_text.FILLER[language][0] in said


@given(st.text(max_size=300))
def test_tokens_join_to_the_text_they_were_split_from(text: str) -> None:
    assert "".join(simulated_text.pieces(text)) == text


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_length_is_bounded_by_the_request(field: str) -> None:
    said = answer(asked("Write a detailed report", **{field: 5}))
    assert (said.output_tokens, said.choices[0].finish_reason) == (5, "length")


def test_the_length_is_bounded_by_the_model() -> None:
    assert answer(asked("Write a detailed report"), max_output=7).output_tokens == 7


def test_a_stop_sequence_ends_the_text_before_it() -> None:
    said = answer(asked("hello", stop=["small"])).choices[0]
    assert (said.text, said.finish_reason) == ("(simulated ", "stop")


def test_a_prompt_beyond_the_context_is_refused() -> None:
    with pytest.raises(ContextExceededError, match="context is 100 tokens"):
        answer(asked("word " * 200), context=100)


def test_an_easy_ask_gets_a_shorter_answer_than_a_hard_one() -> None:
    easy = answer(asked("hello", metadata={"difficulty": "0.02"}))
    hard = answer(asked("hello", metadata={"difficulty": "0.8"}))
    assert easy.output_tokens * 3 < hard.output_tokens


# --- tools and schemas --------------------------------------------------------------------------------------


def test_a_fitting_tool_is_called_with_arguments_from_the_ask() -> None:
    said = answer(asked("What is the weather in Oslo?", tools=[BOOK, WEATHER])).choices[0]
    assert said.tool is not None
    assert (said.tool.name, said.finish_reason) == ("get_weather", "tool_calls")
    assert json.loads(said.text)["city"] == "Oslo"


@pytest.mark.parametrize(
    ("choice", "name"),
    [("required", "book_table"), ({"type": "function", "function": {"name": "get_weather"}}, "get_weather")],
)
def test_a_tool_that_is_demanded_is_called(choice: Any, name: str) -> None:
    said = answer(asked("hello", tools=[BOOK, WEATHER], tool_choice=choice)).choices[0]
    assert said.tool is not None
    assert said.tool.name == name


@pytest.mark.parametrize("more", [{"tool_choice": "none"}, {}])
def test_no_tool_is_called_without_need(more: dict[str, Any]) -> None:
    text = "What is the weather in Oslo?" if more else "Good morning!"
    assert answer(asked(text, tools=[WEATHER], **more)).choices[0].tool is None


def test_a_tools_result_is_answered_in_words() -> None:
    body = asked("What is the weather in Oslo?", tools=[WEATHER])
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    body["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain, 9 degrees"},
    ]
    said = answer(body).choices[0]
    assert said.tool is None
    assert "rain, 9 degrees" in said.text


SCHEMAS: list[dict[str, Any]] = [
    WEATHER["function"]["parameters"],  # type: ignore[index]
    BOOK["function"]["parameters"],  # type: ignore[index]
    {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"], "minLength": 30}},
        "required": ["a", "b"],
    },
    {"type": "array", "items": {"type": "number", "minimum": 2, "exclusiveMaximum": 3}, "minItems": 4},
    {"type": "integer", "multipleOf": 7, "minimum": 20, "maximum": 40},
    {"type": "string", "format": "date-time"},
    {"enum": ["x", 3, None]},
    {"const": {"k": 1}},
    {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True},
    {
        "anyOf": [
            {"type": "null"},
            {"type": "object", "properties": {"n": {"type": "boolean"}}, "required": ["n"]},
        ]
    },
    {
        "allOf": [
            {"type": "object", "properties": {"p": {"type": "string"}}, "required": ["p"]},
            {"properties": {"q": {"type": "integer"}}, "required": ["q"]},
        ]
    },
    {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["value", "next"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_values_are_valid_for_their_schema(schema: dict[str, Any]) -> None:
    for seed in range(50):
        value = simulated_schema.sample(schema, Draws(seed), "Two rooms in Bergen for 3 nights, 2026-03-14, please.")
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())


def test_structured_answers_are_valid_json_for_their_schema() -> None:
    schema = SCHEMAS[0]
    format_ = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    jsonschema.validate(json.loads(answer(asked("Rome?", response_format=format_)).choices[0].text), schema)


def test_a_json_object_is_marked_inside() -> None:
    text = answer(asked("hello", response_format={"type": "json_object"}), "large").choices[0].text
    assert json.loads(text)["simulated"] == "large"


# --- on the wire --------------------------------------------------------------------------------------------

BODIES = [asked("Tell me about tides."), asked("Weather in Oslo?", tools=[WEATHER]), asked("Hello", n=3)]
PROBABLE = asked("Tell me about tides.", logprobs=True, top_logprobs=2)


@pytest.mark.parametrize("body", BODIES, ids=["text", "tool", "three"])
@pytest.mark.parametrize("include_usage", [True, False])
def test_whole_and_streamed_answers_say_the_same_to_the_official_types(
    body: dict[str, Any], include_usage: bool
) -> None:
    imagined = answer(body)
    whole = ChatCompletion.model_validate_json(simulated_wire.whole(imagined, id="chatcmpl-1", created=1))
    texts = ["" for _ in whole.choices]
    finishes: list[Any] = [None for _ in whole.choices]
    chunks = chunks_of(frames(imagined, include_usage=include_usage))
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        calls = choice.delta.tool_calls or []
        texts[choice.index] += choice.delta.content or "".join(
            call.function.arguments or "" for call in calls if call.function
        )
        finishes[choice.index] = choice.finish_reason or finishes[choice.index]
    for one in whole.choices:
        calls_made = one.message.tool_calls
        said = one.message.content if calls_made is None else calls_made[0].function.arguments  # type: ignore[union-attr]
        assert (texts[one.index], finishes[one.index]) == (said, one.finish_reason)
    assert (chunks[-1].usage == whole.usage) is include_usage
    for last in (whole, chunks[-1]):
        assert (last.model_extra or {})["simulated"] == imagined.marks


def test_every_token_has_a_log_probability_when_asked() -> None:
    imagined = answer(PROBABLE)
    whole = ChatCompletion.model_validate_json(simulated_wire.whole(imagined, id="chatcmpl-1", created=1))
    probable = whole.choices[0].logprobs
    assert probable is not None
    assert probable.content is not None
    assert [token.token for token in probable.content] == list(imagined.choices[0].pieces)
    assert all(token.logprob < 0 and len(token.top_logprobs) == 1 for token in probable.content)
    streamed = [
        token.token
        for chunk in chunks_of(frames(imagined, include_usage=True))
        for choice in chunk.choices
        if choice.logprobs
        for token in choice.logprobs.content or []
    ]
    assert streamed == [token.token for token in probable.content]


@pytest.mark.parametrize("body", BODIES, ids=["text", "tool", "three"])
def test_the_backend_reads_what_the_model_says(body: dict[str, Any]) -> None:
    imagined = answer(body)
    simulated = backend("simulated")
    rendering = Rendering(model="shown", id="x", created=1, include_usage=False)
    read = simulated.answer(simulated_wire.whole(imagined, id="chatcmpl-1", created=1), rendering)
    assert isinstance(read, Answer)
    assert read.usage is not None
    assert read.usage.output_tokens == imagined.output_tokens
    assert read.body["simulated"] == imagined.marks
    decoder = simulated.decoder(rendering)
    pieces = decoder.feed(frames(imagined, include_usage=True)) + decoder.close()
    chunks = [ChatCompletionChunk.model_validate_json(piece.chunk) for piece in pieces if piece.chunk]
    assert {chunk.model for chunk in chunks} == {"shown"}
    assert (chunks[-1].model_extra or {})["simulated"] == imagined.marks
    assert pieces[-1].done
    assert not any(piece.fault for piece in pieces)


def test_encoding_passes_the_body_on_and_asks_for_usage() -> None:
    endpoint = Endpoint("sim@simulated", "simulated://sim")
    model = Model("sim", "simulated", "sim", (endpoint,), "small", "local", "", 4096, None, Price(), frozenset())
    body = asked("hello", model="auto", stream=True, metadata={"difficulty": "0.2"})
    call = backend("simulated").encode(parse(json.dumps(body).encode()), model).call
    sent = json.loads(call.body)
    assert (call.stream, sent["model"], sent["metadata"]) == (True, "sim", {"difficulty": "0.2"})
    assert sent["stream_options"] == {"include_usage": True}
    assert backend("simulated").auth("secret") == ()
