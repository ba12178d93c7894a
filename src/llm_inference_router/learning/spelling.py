"""A model's name as people write it, taken apart into words, size, date and the rest.

`meta-llama/Meta-Llama-3.1-8B-Instruct-AWQ`, `llama-v3p1-8b-instruct` and `llama3.1:8b-instruct-q4_K_M` all come apart
into the word `llama@3.1` and the size `8`. A version number belongs to the family word before it, so that
`claude-sonnet-4` and `claude-4-sonnet` are one spelling. Nothing here knows which models exist: the family words
(`stems`) come from the table.
"""

import re
from collections.abc import Callable, Collection

from msgspec import Struct


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that say nothing about how good the model is: who serves it, that it follows instructions, the file's form.
NOISE = words_of("""
    instruct it hf latest exp experimental api text lm llm model models open free nitro floor extended default maas
    tput ctx dpo sft rlhf orpo rev release public global hosted serverless dedicated original official stable app mix
    versatile meta facebook openai google deepmind anthropic nvidia microsoft azure aws amazon bedrock vertex ai ai21
    cohere mistralai alibaba cloud moonshotai zhipu zai xai x nousresearch ibm allenai upstage databricks together
    togethercomputer fireworks groq cerebras sambanova deepinfra novita hyperbolic nebius baseten replicate perplexity
    openrouter ollama lmstudio vllm sglang cloudflare cf featherless lambda friendli parasail anyscale huggingface
    unsloth bartowski thebloke tgi nim
""")
PRECISION = re.compile(
    r"(?<![a-z0-9])(?:i?q\d+(?:[_-](?:k|0|1|nl|s|m|l|xs|xxs|xl))*|awq|gptq|gguf|ggml|exl[23]|mlx|bnb|marlin|hqq|aqlm|"
    r"autoround|quantized|quant|qat|imatrix|onnx|tensorrt|int[248]|u?int4|[nm]?[bf]+p?(?:4|8|16|32)|nvfp4|mxfp4|nf4|ud|"
    r"w\d+a\d+(?:16)?|[2-8]-?bits?|\d(?:\.\d+)?bpw|dynamic|kv\d+|turbomind)(?![a-z0-9])"
)
_BEDROCK_OWNER = re.compile(
    r"^(?:(?:us|eu|apac|au|jp|ca|global|us-gov)\.)?"
    r"(?:anthropic|meta|amazon|mistral|cohere|ai21|deepseek|openai|qwen|google|nvidia|minimax|moonshot|zai)\."
)
_BEDROCK_REVISION = re.compile(r"-v\d+:0(?::\w+)?$")
_DATES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<!\d)(20\d\d)[-._]?(0[1-9]|1[0-2])[-._]?([0-3]\d)(?!\d)"), lambda m: m[1] + m[2] + m[3]),
    (re.compile(r"(?<!\d)(0[1-9]|1[0-2])-(20\d\d)(?!\d)"), lambda m: m[2] + m[1]),
    (re.compile(r"(?<!\d)(20\d\d)-(0[1-9]|1[0-2])(?!\d)"), lambda m: m[1] + m[2]),
    (re.compile(r"(?<![\d.])(0[1-9]|1[0-2])-([0-3]\d)(?!\d)"), lambda m: m[1] + m[2]),
    (re.compile(r"(?<![\d.a-z])(?!8192|4096|2048|1024)(\d{4}|\d{6}|0\d\d)(?![\d.a-z])"), lambda m: m[1]),
)
_MAYBE_DATE = re.compile(r"\d\d-?\d")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)b|(\d+x\d+(?:\.\d+)?)b|(e\d+)b|(\d{2,})m")
_IGNORED_NUMBER = re.compile(r"a\d+(?:\.\d+)?b|\d+e|\d+k|\dm|\d{4,}")  # active parameters, experts, context windows
_VERSION = re.compile(r"v?(\d+)(?:[.p](\d+))?([a-z]{0,2})")
_GLUED = re.compile(r"([a-z]+?)(v?\d.*)")
_BREAKS = re.compile(r"[^a-z0-9.+]+")
LONGEST = 200  # characters; a longer name is no model's name


class Spelling(Struct, frozen=True):
    """`words` with their versions (`llama@3.1`), `size` as written (`8`, `8x7`, `e4`, or empty), `stamp` a date or
    revision as digits (`20240620`, `0613`, `002`, or empty)."""

    words: frozenset[str]
    size: str
    stamp: str


def spell(name: str, stems: Collection[str]) -> Spelling:
    text, stamp = _take_date(PRECISION.sub("-", bare(name)))
    chunks = [chunk for piece in _BREAKS.split(text) for chunk in _cut(piece.strip("."), stems)]
    words, sizes = _gather(chunks, stems)
    return Spelling(frozenset(words - NOISE), "+".join(sorted(sizes)), stamp)


def bare(name: str) -> str:
    """The name in lower case without the path, the provider and the revision that a platform puts around it."""
    text = name.strip().lower()[:LONGEST]
    if text.startswith("ft:"):  # ft:gpt-4o-mini-2024-07-18:organisation::id
        text = text.split(":")[1] + "-finetuned"
    text = text.rstrip("/").rpartition("/")[2]
    text, _, after = text.partition("@")  # model@provider, or model@date on Vertex
    if after.isdigit():
        text = f"{text}-{after}"
    return _BEDROCK_REVISION.sub("", _BEDROCK_OWNER.sub("", text))


def _take_date(text: str) -> tuple[str, str]:
    stamp = ""
    if not _MAYBE_DATE.search(text):
        return text, stamp
    for pattern, digits in _DATES:
        for match in pattern.finditer(text):
            stamp = stamp or digits(match)
        text = pattern.sub("-", text)
    return text, stamp


def _cut(piece: str, stems: Collection[str]) -> list[str]:
    """`llama3.1` is two chunks because `llama` is a stem; `gpt4all` is one because it is a stem itself."""
    if not piece:
        return []
    if piece.endswith("+"):
        return [*_cut(piece.rstrip("+"), stems), "plus"]
    if piece in stems:
        return [piece]
    glued = _GLUED.fullmatch(piece)
    if glued and glued[1] in stems:
        return [glued[1], glued[2]]
    return [piece]


def _gather(chunks: list[str], stems: Collection[str]) -> tuple[set[str], set[str]]:
    """Words and sizes. A number joins the one right before it (`3-5` is 3.5) when both are single digits."""
    words: dict[str, str] = {}  # word -> its version
    extra: set[str] = set()
    sizes: set[str] = set()
    owner, digit = "", ""
    for chunk in chunks:
        before, digit = digit, ""
        if size := _SIZE.fullmatch(chunk):
            sizes.add(_size(size))
        elif _IGNORED_NUMBER.fullmatch(chunk):
            continue
        elif (version := _VERSION.fullmatch(chunk)) and chunk not in stems:
            number = _number(version)
            if before and len(chunk) == 1:
                words[owner] = f"{before}.{chunk}"
            elif words.get(owner):
                extra.add(f"{owner}@{number}")
            else:
                words[owner] = number
                digit = number if len(number) == 1 else ""
        elif chunk in stems:
            owner = chunk
            words.setdefault(owner, "")
        else:
            extra.add(chunk)
    return extra | {f"{word}@{version}" if version else word for word, version in words.items()}, sizes


def _size(match: re.Match[str]) -> str:
    if match[4]:
        return f"{int(match[4]) / 1000:g}"
    return next(group for group in match.groups() if group)


def _number(match: re.Match[str]) -> str:
    tail = "" if match[2] in {None, "0"} else f".{match[2]}"
    return f"{match[1]}{tail}{match[3]}"


def same_date(one: str, other: str) -> bool:
    """Whether two stamps can be one date: `0806` and `2407` are parts of `20240806` and `20240701`."""
    if one == other:
        return True
    long, short = (one, other) if len(one) > len(other) else (other, one)
    return len(long) == 8 and (short in {long[4:], long[2:6], long[:6]})


def stem(word: str) -> str:
    """The word without its version: `llama` of `llama@3.1`."""
    return word.partition("@")[0]


def billions(size: str) -> float | None:
    """Parameters that a size says, in billions: eight experts of seven share about a sixth of their weights."""
    if "+" in size or not size:
        return None
    if size.startswith("e"):  # gemma-3n: effective parameters, about half of the stored ones
        return 2 * float(size[1:])
    experts, _, each = size.rpartition("x")
    return float(each) * float(experts) * 0.84 if experts else float(each)
