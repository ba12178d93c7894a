"""From a chat request to its measurements: `view` finds what is judged, `extract` measures it in one pass.

What is judged is the last thing a human asked. Only a window of it is read, its head and its tail, so that
the cost does not grow with the prompt.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from llm_inference_router.signals.ask import REACH, judged, without_machine_blocks
from llm_inference_router.signals.complexity import complexity_of
from llm_inference_router.signals.features import Surroundings, vector
from llm_inference_router.signals.length import chars_per_token, output_tokens, prompt_tokens, total_chars
from llm_inference_router.signals.lexicon import CATEGORIES
from llm_inference_router.signals.reading import Reading, lookup, read
from llm_inference_router.signals.task import Table, evidence, format_of, softened, task_of
from llm_inference_router.signals.weights import TASK
from llm_inference_router.signals.words import words
from llm_inference_router.types import Capability, ChatRequest, Format, Modality, Quantiles, Signals, Task

# Measured on unseen files: 450 characters lose 0.008 of APGR against these 900, and 2,000 gain 0.001 at twice the cost.
HEAD = 400
TAIL = 500
SYSTEM = 320
_EARLIER = 400
_LOOK_BACK = 12  # human turns that are searched for an ask

# What marks a short turn as a continuation of the one before it.
_FOLLOW = words(
    "why how continue go on and now again it that this these those them more less shorter longer "
    "simpler also same instead explain elaborate translate rewrite retry warum wieso weiter nun jetzt "
    "nochmal das es und kürzer pourquoi encore maintenant et plus ça por qué continúa ahora y más eso "
    "perché continua ora e questo porque agora isso mais waarom verder nu dat dlaczego dalej teraz to "
    "почему дальше теперь это ещё чому далі тепер це neden devam şimdi bunu لماذا أكمل الآن למה המשך "
    "עכשיו क्यों जारी अब"
)
_FOLLOW_CJK = re.compile("为什么|继续|现在|再|那|怎么|なぜ|続け|もっと|それ|今度|왜|계속|이제|다시|그")
_CLOSING = words(
    "thanks thank thx ok okay great perfect cool bye danke merci gracias grazie obrigado obrigada "
    "bedankt dziękuję спасибо дякую teşekkürler شكرا תודה धन्यवाद"
)
_CLOSING_CJK = re.compile("谢谢|ありがとう|감사|고마워")
_SPLIT = re.compile(r"[^\W\d_]+")
_NEEDED: dict[Modality, Capability] = {"image": "vision", "audio": "audio"}


class TextView(Struct, frozen=True):
    """What a request says, cut to what is judged.

    `ask` is the last human ask, whole, without the blocks that tools wrote into it; rules match on it.
    `window` is what is measured: at most `HEAD` + `TAIL` characters of the ask without what it quotes,
    after at most 400 of the ask that a short follow-up continues. `system` is at most `SYSTEM` characters.
    Counts are of the whole request.
    """

    ask: str
    window: str
    system: str = ""
    context_chars: int = 0
    total_chars: int = 0
    messages: int = 0
    turns: int = 0
    shots: int = 0
    tools: int = 0
    attachments: tuple[Modality, ...] = ()
    quoted_code: bool = False
    working: bool = False  # inside a tool loop: the last message is a tool's result


def window_of(text: str, head: int = HEAD, tail: int = TAIL) -> str:
    """The head and the tail of a text that is longer than both."""
    return text if len(text) <= head + tail else text[:head] + "\n" + text[-tail:]


def view(request: ChatRequest) -> TextView:
    """Finds the last human ask and what stands around it. A request without any human text is judged by its
    last text."""
    messages = request.messages
    total = total_chars(messages)
    asks = _asks(request)
    ask = asks[0] if asks else next((m.text for m in reversed(messages) if m.text), "")
    part = judged(ask)
    window = window_of(part.text)
    if len(asks) > 1 and _follows(part.text):
        earlier = judged(asks[1])
        window = window_of(earlier.text, _EARLIER // 2, _EARLIER // 2) + "\n" + window
    system = next((m.text for m in messages if m.role == "system"), "")
    kinds: dict[Modality, None] = {}
    turns = 0
    for message in messages:
        if message.role == "user":
            turns += 1
        for kind in message.attachments:
            kinds[kind] = None
    return TextView(
        ask=ask,
        window=window,
        system=window_of(system, SYSTEM // 2, SYSTEM // 2),
        context_chars=0 if part.shots else max(0, total - len(part.text)),
        total_chars=total,
        messages=len(messages),
        turns=turns,
        shots=part.shots,
        tools=request.tools,
        attachments=tuple(kinds),
        quoted_code=part.code,
        working=bool(messages) and messages[-1].role == "tool",
    )


def _asks(request: ChatRequest) -> list[str]:
    """The last human ask, and the one before it, newest first."""
    found: list[str] = []
    looked = 0
    for message in reversed(request.messages):
        if message.role != "user":
            continue
        text = without_machine_blocks(message.text)
        if text[:REACH].strip() or text[-REACH:].strip():
            found.append(text)
            if len(found) == 2 or len(text) > 200:
                break
        looked += 1
        if looked >= _LOOK_BACK:
            break
    return found


def _follows(text: str) -> bool:
    """Whether a short ask only makes sense after the one before it."""
    if len(text) > 80:
        return False
    low = text.lower()
    words = _SPLIT.findall(low)
    if _CLOSING.intersection(words[:3]) or _CLOSING_CJK.search(low):
        return False
    if len(words) > 10:
        return False
    return bool(_FOLLOW.intersection(words)) or (len(text) <= 24 and _FOLLOW_CJK.search(low) is not None)


class Measured(Struct, frozen=True):
    """What complexity rests on, before its weights: the fit needs it for thousands of prompts."""

    reading: Reading
    evidence: Sequence[float]
    task: Task
    format: Format
    output: Quantiles
    features: Sequence[float]


def measure(request: ChatRequest, view: TextView, table: Table = TASK) -> Measured:
    """Reads the window once. `table` is the evidence for tasks, another than the shipped one only while
    fitting."""
    reading = read(view.window)
    values = evidence(reading, _system_hits(view.system), view.quoted_code)
    task = task_of(values, tools=view.tools, working=view.working, table=table)
    form = format_of(reading, request, task.label)
    shares = softened(task)
    depth = min(1.0, shares[2] + shares[3] + 0.5 * shares[4])
    output = output_tokens(task.probabilities, form, reading, depth, request)
    around = Surroundings(
        context_chars=view.context_chars,
        turns=max(0, view.turns - 1),
        attachments=len(view.attachments),
        tools=view.tools,
        quoted_code=view.quoted_code,
        schema=request.response_format == "json_schema",
    )
    features = vector(reading, shares, form, output.p50, around)
    return Measured(reading, values, task, form, output, features)


def extract(request: ChatRequest, view: TextView) -> Signals:
    """All signals of a request. The same request gives the same signals; nothing is raised for any text."""
    measured = measure(request, view)
    needs = request.needs
    if view.attachments:
        needs = needs.union(_NEEDED[kind] for kind in view.attachments if kind in _NEEDED)
    return Signals(
        prompt_tokens=prompt_tokens(request, view.total_chars, chars_per_token(measured.reading)),
        output_tokens=measured.output,
        complexity=complexity_of(measured.features),
        task=measured.task,
        format=measured.format,
        language=measured.reading.language,
        modalities=("text", *(kind for kind in view.attachments if kind != "text")),
        needs=needs,
    )


@lru_cache(maxsize=512)  # an application's system message comes with each of its requests
def _system_hits(system: str) -> Sequence[int]:
    hits = [0] * len(CATEGORIES)
    lookup(set(_SPLIT.findall(system.lower())), "latin", hits)
    return tuple(hits) if any(hits) else ()
