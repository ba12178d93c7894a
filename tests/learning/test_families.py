"""Names in the wild find the right model, and never a wrong one."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.families import Kind, find, find_in, index_of
from llm_inference_router.learning.leaderboard import Family, parse, table
from llm_inference_router.learning.spelling import billions, same_date, spell

EXACT = """
gpt-3.5-turbo: gpt-3.5-turbo | openai/gpt-3.5-turbo-16k | azure/gpt-35-turbo | GPT-3.5 Turbo | gpt-35-turbo-16k-0613
gpt-3.5-turbo-0301: gpt-3.5-turbo-0301
gpt-3.5-turbo-1106: openai/gpt-3.5-turbo-1106 | gpt-3.5-turbo-1106
gpt-3.5-turbo-0125: gpt-3.5-turbo-0125 | gpt_3.5_turbo_0125
gpt-4-0314: gpt-4-0314 | gpt-4-32k-0314
gpt-4-0613: gpt-4 | openai/gpt-4-0613 | gpt-4-32k | GPT-4
gpt-4-1106: gpt-4-1106-preview | openai/gpt-4-1106-preview
gpt-4-0125: gpt-4-0125-preview | gpt-4-turbo-preview
gpt-4-turbo-2024-04-09: gpt-4-turbo | gpt-4-turbo-2024-04-09 | openrouter/openai/gpt-4-turbo
gpt-4o-2024-05-13: gpt-4o-2024-05-13 | openai/gpt-4o-2024-05-13
gpt-4o-2024-08-06: gpt-4o | openai/gpt-4o | azure/gpt-4o | gpt-4o-2024-08-06 | gpt-4o@azure | gpt4o | GPT-4o
gpt-4o-2024-11-20: gpt-4o-2024-11-20
chatgpt-4o: chatgpt-4o-latest | openai/chatgpt-4o-latest
gpt-4o-mini: gpt-4o-mini | gpt-4o-mini-2024-07-18 | openai/gpt-4o-mini:free | openrouter/openai/gpt-4o-mini
gpt-4.1: gpt-4.1 | gpt-4.1-2025-04-14 | openai/gpt-4.1 | gpt-4-1
gpt-4.1-mini: gpt-4.1-mini | openai/gpt-4.1-mini-2025-04-14
gpt-4.1-nano: gpt-4.1-nano
gpt-4.5: gpt-4.5-preview | gpt-4.5-preview-2025-02-27
o1: o1 | openai/o1-2024-12-17
o1-preview: o1-preview | o1-preview-2024-09-12
o1-mini: o1-mini-2024-09-12
o3: o3 | openai/o3-2025-04-16
o3-mini: o3-mini | o3-mini-2025-01-31
o3-mini-high: o3-mini-high
o4-mini: o4-mini-2025-04-16
gpt-5: gpt-5 | gpt-5-2025-08-07
gpt-5-chat: gpt-5-chat-latest
gpt-5-mini: gpt-5-mini
gpt-5-nano: openai/gpt-5-nano-2025-08-07
gpt-oss-20b: gpt-oss:20b | openai/gpt-oss-20b | groq/openai/gpt-oss-20b
gpt-oss-120b: openai/gpt-oss-120b | gpt-oss-120b-MXFP4
claude-instant-1: claude-instant-v1 | anthropic.claude-instant-v1 | claude-instant-1.2
claude-1: claude-v1 | claude-1.3 | anthropic/claude-v1
claude-2: claude-v2 | claude-2.0 | anthropic.claude-v2
claude-2.1: claude-2.1 | anthropic.claude-v2:1 | bedrock/anthropic.claude-v2:1
claude-3-haiku: claude-3-haiku | claude-3-haiku-20240307 | anthropic.claude-3-haiku-20240307-v1:0 | Claude 3 Haiku
claude-3-sonnet: claude-3-sonnet-20240229 | us.anthropic.claude-3-sonnet-20240229-v1:0:200k
claude-3-opus: claude-3-opus@20240229 | anthropic/claude-3-opus:beta | claude-3-opus-latest
claude-3.5-sonnet-20240620: claude-3-5-sonnet-20240620 | bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0
claude-3.5-sonnet-20241022: claude-3-5-sonnet-v2@20241022 | Claude 3.5 Sonnet (20241022) | claude-3-5-sonnet-latest
claude-3.5-haiku: claude-3-5-haiku-20241022 | anthropic/claude-3.5-haiku
claude-3.7-sonnet: claude-3-7-sonnet-20250219 | vertex_ai/claude-3-7-sonnet@20250219
claude-3.7-sonnet-thinking: anthropic/claude-3.7-sonnet:thinking
claude-sonnet-4: claude-sonnet-4-20250514 | anthropic/claude-4-sonnet | eu.anthropic.claude-sonnet-4-20250514-v1:0
claude-opus-4.1: claude-opus-4-1-20250805 | claude-opus-4.1
claude-sonnet-4.5: claude-sonnet-4-5 | global.anthropic.claude-sonnet-4-5-20250929-v1:0 | claude-sonnet-4-5@20250929
claude-haiku-4.5: anthropic/claude-haiku-4.5
claude-opus-4.5: claude-opus-4-5-20251101
gemini-1.0-pro: gemini-pro | models/gemini-1.0-pro | gemini-1.0-pro-001
gemini-1.5-flash-002: gemini-1.5-flash | models/gemini-1.5-flash-002 | gemini-1.5-flash-latest
gemini-1.5-flash-8b: gemini-1.5-flash-8b | models/gemini-1.5-flash-8b-001
gemini-1.5-pro-001: vertex_ai/gemini-1.5-pro-001 | gemini-1.5-pro-preview-0409
gemini-1.5-pro-002: models/gemini-1.5-pro-002 | google/gemini-1.5-pro-002 | gemini/gemini-1.5-pro
gemini-2.0-flash: gemini-2.0-flash-001 | gemini-2.0-flash-exp
gemini-2.0-flash-lite: gemini-2.0-flash-lite-001
gemini-2.5-flash-lite: gemini-2.5-flash-lite-preview-06-17
gemini-2.5-pro: gemini-2.5-pro-preview-05-06 | google/gemini-2.5-pro-exp-03-25:free
gemini-3-pro: gemini-3-pro-preview
gemma-2-9b: google/gemma-2-9b-it | gemma2:9b | gemma2-9b-it | gemma2:9b-instruct-q8_0
gemma-3-27b: google/gemma-3-27b-it:free | gemma3:27b | gemma-3-27b-it-qat-q4_0-gguf
gemma-3n-e4b: google/gemma-3n-E4B-it | gemma3n:e4b
llama-2-7b: meta-llama/Llama-2-7b-chat-hf | llama2:7b-chat | TheBloke/Llama-2-7B-Chat-GGUF
llama-2-70b: meta/llama-2-70b-chat | meta.llama2-70b-chat-v1:0 | together_ai/togethercomputer/llama-2-70b-chat
llama-3-8b: meta-llama/Meta-Llama-3-8B-Instruct | llama3-8b-8192 | llama3:8b | llama-3-8b-chat@anyscale | llama-v3-8b
llama-3-70b: meta-llama/llama-3-70b-instruct:nitro | meta.llama3-70b-instruct-v1:0 | Llama-3-70b-chat-hf
llama-3.1-8b: meta-llama/Meta-Llama-3.1-8B-Instruct | llama3.1:8b-instruct-q4_K_M | llama-3.1-8b-instant
llama-3.1-8b: accounts/fireworks/models/llama-v3p1-8b-instruct | Llama-3_1-8B | @cf/meta/llama-3.1-8b-instruct-fp8
llama-3.1-8b: hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4 | us.meta.llama3-1-8b-instruct-v1:0
llama-3.1-70b: together_ai/meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo | llama-3.1-70b-versatile
llama-3.1-405b: meta-llama/Meta-Llama-3.1-405B-Instruct-FP8 | Meta-Llama-3.1-405B-Instruct-bf16
llama-3.2-3b: llama3.2:3b | meta-llama/Llama-3.2-3B-Instruct
llama-3.3-70b: llama-3.3-70b-versatile | meta-llama/Llama-3.3-70B-Instruct:free | Meta-Llama-3.3-70B-Instruct-GGUF
llama-4-scout: meta-llama/Llama-4-Scout-17B-16E-Instruct | llama4-scout
llama-4-maverick: meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8
codellama-34b: codellama/CodeLlama-34b-Instruct-hf | meta/code-llama-instruct-34b-chat | codellama:34b
llama-3.1-nemotron-51b: nvidia/Llama-3_1-Nemotron-51B-Instruct | nvidia/llama-3.1-nemotron-51b-instruct
llama-3.1-nemotron-70b: nvidia/Llama-3.1-Nemotron-70B-Instruct-HF
llama-3.3-nemotron-super-49b-v1: nvidia/llama-3.3-nemotron-super-49b-v1 | Llama-3_3-Nemotron-Super-49B-v1_5
llama-3-chatqa-1.5-8b: nvidia/Llama3-ChatQA-1.5-8B
mistral-7b-v0.1: mistralai/Mistral-7B-Instruct-v0.1
mistral-7b-v0.2: mistral.mistral-7b-instruct-v0:2 | TheBloke/Mistral-7B-Instruct-v0.2-GPTQ
mistral-7b-v0.3: mistralai/mistral-7b-instruct-v0.3
mixtral-8x7b: mistralai/Mixtral-8x7B-Instruct-v0.1 | open-mixtral-8x7b | mistralai/mixtral-8x7b-chat
mixtral-8x7b: mixtral-8x7b-32768 | mixtral
mixtral-8x22b: mixtral:8x22b-instruct-v0.1-q5_0 | mistralai/mixtral-8x22b-instruct
mistral-large-2407: mistral.mistral-large-2407-v1:0 | mistralai/Mistral-Large-Instruct-2407
mistral-small-3.2: mistralai/Mistral-Small-3.2-24B-Instruct-2506
qwen-2.5-7b: Qwen/Qwen2.5-7B-Instruct | qwen2.5:7b-instruct-fp16 | Qwen2.5-7B-Instruct-Turbo | qwen2_5-7b-instruct
qwen-2.5-72b: Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4 | qwen-2.5-72b-instruct | Qwen2-5-72B-Instruct-AWQ
qwen-2.5-coder-32b: Qwen/Qwen2.5-Coder-32B-Instruct | qwen2.5-coder:32b
qwen-3-8b: qwen3:8b | Qwen/Qwen3-8B-FP8
qwen-3-30b-a3b-2507: Qwen/Qwen3-30B-A3B-Instruct-2507
qwq-32b-preview: Qwen/QwQ-32B-Preview
deepseek-v3: deepseek-ai/DeepSeek-V3
deepseek-v3-0324: deepseek-ai/DeepSeek-V3-0324 | deepseek/deepseek-chat-v3-0324:free
deepseek-r1: deepseek-ai/DeepSeek-R1 | deepseek-r1:671b | deepseek-reasoner
deepseek-r1-distill-llama-70b: deepseek-r1:70b | deepseek-r1-distill-llama-70b
phi-3-mini: microsoft/Phi-3-mini-4k-instruct | phi3:mini | microsoft/Phi-3-mini-128k-instruct
phi-4: microsoft/phi-4 | phi4:14b
yi-34b: zero-one-ai/Yi-34B-Chat | 01-ai/Yi-34B-Chat
command-r: cohere/command-r | cohere.command-r-v1:0
command-r-plus: command-r+ | cohere.command-r-plus-v1:0
command-r-plus-08-2024: cohere/command-r-plus-08-2024 | command-r-plus-2024-08
nova-lite: us.amazon.nova-lite-v1:0 | amazon/nova-lite
wizardlm-13b: WizardLM/WizardLM-13B-V1.2
vicuna-13b: lmsys/vicuna-13b-v1.5
zephyr-7b-beta: HuggingFaceH4/zephyr-7b-beta
starling-lm-7b-alpha: berkeley-nest/Starling-LM-7B-alpha
openchat-3.5-0106: openchat/openchat-3.5-0106
solar-10.7b: upstage/SOLAR-10.7B-Instruct-v1.0
dbrx: databricks/dbrx-instruct | databricks-dbrx-instruct
tinyllama-1.1b: TinyLlama/TinyLlama-1.1B-Chat-v1.0 | tinyllama
smollm-2-135m: smollm2:135m | HuggingFaceTB/SmolLM2-135M-Instruct
hermes-3-llama-3.1-8b: NousResearch/Hermes-3-Llama-3.1-8B
llama-3.1-tulu-3-8b: allenai/Llama-3.1-Tulu-3-8B
kimi-k2: moonshotai/Kimi-K2-Instruct | moonshotai/kimi-k2:free
palm-2: chat-bison-001 | palm-2-chat-bison
"""

VARIANT = """
gpt-5: gpt-5-high
gpt-4o-mini: ft:gpt-4o-mini-2024-07-18:acme::abc123
gpt-4o-2024-08-06: my-team-gpt-4o
claude-opus-4.5: claude-opus-4-5-20251101-thinking-32k
grok-4-fast: x-ai/grok-4-fast-reasoning
llama-3-8b: someone/Llama-3-8B-Instruct-Lexi-Uncensored | llama-3-8b-instruct-acme
mistral-large-2402 mistral-large-2407 mistral-large-2411 mistral-large-3: mistral-large-latest | mistral/mistral-large
"""

FAMILY = """
llama-3.1-8b llama-3.1-70b llama-3.1-405b: llama3.1 | llama-3.1-instruct
llama-3-70b: llama-3-30b
llama-3-8b: dolphin-2.9-llama3-8b
llama-2-13b: NousResearch/Nous-Hermes-Llama2-13b
llama-3.1-8b: nvidia/llama-3.1-nemotron-nano-8b-v1
mistral-7b-v0.1 mistral-7b-v0.2 mistral-7b-v0.3: mistralai/mistral-7b-chat
gpt-5.4: gpt-6
claude-opus-4.8: claude-opus-5
claude-haiku-4.5: claude-haiku-5-20270101
gemini-3.1-pro: gemini-4-pro
gemini-1.0-ultra: gemini-1.5-ultra
phi-3-medium: phi-3.5-medium
gemma-3-27b: google/gemma-4-27b-it
qwen-3-8b: qwen3.5:9b
qwen-2.5-7b: Qwen/Qwen2.5-Math-7B-Instruct
qwen-2.5-72b: qwen2.5-vl-72b-instruct
qwen-2.5-coder-7b: qwen2.5-coder:3b
gpt-4o-2024-08-06: gpt-4o-audio-preview
o4-mini: o4-mini-deep-research
deepseek-v3.2: deepseek-v4
"""

UNKNOWN = """
 | auto | my-router | default | model | llama | claude | gemini | gpt | mistral | qwen | 8b | 2024-08-06
gpt-2 | gpt2 | gpt-3 | gpt-j-6b | gpt-neox-20b | gpt-4o-nano | gpt-5-pro | o1-pro | o3-pro | gpt-4o-micro | gpt-4o-7b
text-embedding-3-small | BAAI/bge-m3 | Alibaba-NLP/gte-Qwen2-7B-instruct | whisper-1 | dall-e-3 | gpt-image-1
gpt-4o-transcribe | gpt-4o-mini-tts | meta-llama/Llama-Guard-3-8B | Llama-3.1-Nemotron-70B-Reward
gpt-oss-safeguard-20b | mistral-embed | cohere.rerank-v3-5:0 | omni-moderation-latest | google/shieldgemma-9b
nova-premier | us.amazon.nova-canvas | claude-3-nano | gemini-flash-latest | microsoft/phi-1_5 | command-nightly
command-light | kimi-k3 | llama-3-mini | x-ai/grok-code-fast-1 | deepseek | distilbert-base-uncased
stable-diffusion-xl
"""


def _listed(text: str) -> list[tuple[str, tuple[str, ...]]]:
    rows = []
    for line in text.strip().splitlines():
        models, _, names = line.partition(": ")
        rows += [(name.strip(), tuple(models.split())) for name in names.split(" | ")]
    return rows


CASES: list[tuple[str, Kind, tuple[str, ...]]] = [
    *((name, "exact", models) for name, models in _listed(EXACT)),
    *((name, "variant", models) for name, models in _listed(VARIANT)),
    *((name, "family", models) for name, models in _listed(FAMILY)),
]


@pytest.mark.parametrize(("name", "kind", "models"), CASES, ids=[name for name, _, _ in CASES])
def test_a_name_in_the_wild_finds_its_model(name: str, kind: Kind, models: tuple[str, ...]) -> None:
    match = find(name)
    assert match is not None
    assert (match.kind, tuple(family.name for family in match.families)) == (kind, models)


@pytest.mark.parametrize(
    "name", [name.strip() for line in UNKNOWN.strip("\n").splitlines() for name in line.split("|")]
)
def test_a_name_that_says_too_little_or_another_thing_finds_nothing(name: str) -> None:
    assert find(name) is None


def test_enough_spellings_are_held() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize("family", table().families, ids=lambda family: family.name)
def test_every_name_of_the_table_finds_its_own_line(family: Family) -> None:
    for name in (family.name, *family.also, family.name.upper(), f"provider/{family.name}", f"{family.name}-AWQ"):
        match = find(name)
        assert match is not None, name
        assert (match.kind, match.families) == ("exact", (family,)), name


def test_the_size_said_is_kept() -> None:
    sizes = {name: match.size for name in ("llama-3-30b", "mixtral-8x7b", "gpt-4o") if (match := find(name))}
    assert sizes["llama-3-30b"] == 30
    assert sizes["mixtral-8x7b"] == pytest.approx(47, abs=1)
    assert sizes["gpt-4o"] is None


@given(st.text(max_size=300))
def test_any_text_is_answered(name: str) -> None:
    match = find(name)
    assert match is None or match.families


@given(st.sampled_from([name for name, _, _ in CASES]), st.sampled_from(["-AWQ", "-GPTQ-Int4", "-FP8", "-gguf", "-hf"]))
def test_precision_and_form_never_change_the_answer(name: str, suffix: str) -> None:
    assert find(name.partition("@")[0] + suffix) == find(name.partition("@")[0]) or ":" in name


def test_a_claim_on_a_name_that_is_taken_names_both_models() -> None:
    text = "model\tone-1b\t\tA\t1\t\t2024-01\t\nmodel\ttwo-1b\tOne 1B\tB\t1\t\t2024-01\t\n"
    with pytest.raises(ValueError, match="'One 1B' of two-1b already means one-1b"):
        index_of(parse(text).families)


def test_another_table_is_searched_alone() -> None:
    index = index_of(parse("model\tacme-2-7b\t\tAcme\t7\t\t2024-01\t\n").families)
    match = find_in(index, "acme/Acme2-7B-Instruct")
    assert match is not None
    assert match.kind == "exact"
    assert find_in(index, "gpt-4o") is None


def test_spelling_takes_names_apart() -> None:
    stems = {"llama", "claude"}
    assert spell("llama-v3p1-8b", stems) == spell("Llama_3.1_8B", stems) == spell("llama3-1:8b", stems)
    assert spell("claude-4-sonnet", stems) == spell("claude-sonnet-4", stems)
    assert spell("claude-3-5-haiku-20241022", stems).stamp == "20241022"
    assert [billions(size) for size in ("8", "e4", "", "7+70")] == [8, 8, None, None]
    assert billions("8x7") == pytest.approx(47.04)


def test_dates_of_different_length_are_compared() -> None:
    assert same_date("20240806", "0806")
    assert same_date("2407", "20240724")
    assert not same_date("0613", "0314")
    assert not same_date("", "0314")


def test_importing_reads_nothing_and_finding_needs_no_numpy() -> None:
    code = (
        "import sys; from llm_inference_router.learning import families, leaderboard; "
        "print(leaderboard.table.cache_info().currsize); families.find('gpt-4o'); "
        "print(leaderboard.table.cache_info().currsize, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1", "False"]
