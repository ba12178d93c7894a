"""From a chat request to its measurements: `view` finds what is judged, `extract` measures it in one pass.

What is judged is the last thing a human asked. Only a window of it is read, its head and its tail, so that
the cost does not grow with the prompt.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from llm_inference_router.learning.lens import TASKS
from llm_inference_router.signals.ask import REACH, judged, without_machine_blocks
from llm_inference_router.signals.attached import attachments
from llm_inference_router.signals.complexity import band_of
from llm_inference_router.signals.features import NOTHING_AROUND, Surroundings
from llm_inference_router.signals.form import (
    format_of,
)
from llm_inference_router.signals.length import chars_per_token, output_tokens, prompt_tokens
from llm_inference_router.signals.reading import read
from llm_inference_router.signals.sense import Sense, shipped
from llm_inference_router.signals.words import words
from llm_inference_router.types import NO_TOKENS, Attachment, ChatRequest, Complexity, Message, Parts, Signals, Task
from llm_inference_router.vocabulary import Capability, Modality

# Measured on unseen files: 450 characters lose 0.008 of APGR against these 900, and 2,000 gain 0.001 at twice the cost.
HEAD = 400
TAIL = 500
SYSTEM = 320
_EARLIER = 400
_SHORT = 200  # characters of an ask that may be a follow-up
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
_TEXT: tuple[Modality, ...] = ("text",)
_NEEDED: dict[Modality, Capability] = {"image": "vision", "audio": "audio"}


class TextView(Struct, frozen=True, gc=False):
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
    turns: int = 0
    attachments: tuple[Modality, ...] = ()
    quoted_code: bool = False
    working: bool = False  # inside a tool loop: nothing but machines has spoken since a tool's result


def window_of(text: str, head: int = HEAD, tail: int = TAIL) -> str:
    """The head and the tail of a text that is longer than both."""
    return text if len(text) <= head + tail else text[:head] + "\n" + text[-tail:]


def view(request: ChatRequest) -> TextView:
    """Finds the last human ask and what stands around it. A request without any human text is judged by its
    last text."""
    messages = request.messages
    total = turns = 0
    system: str | None = None
    kinds: dict[Modality, None] = {}
    for message in messages:
        total += len(message.text)
        if message.role == "user":
            turns += 1
        elif message.role == "system" and system is None:
            system = message.text
        if message.attachments:
            kinds.update(dict.fromkeys(message.attachments))
    asks = _asks(messages)
    ask = next(asks, None)
    if ask is None:
        ask = next((m.text for m in reversed(messages) if m.text), "")
    part = judged(ask)
    window = window_of(part.text)
    if turns > 1 and len(ask) <= _SHORT and _follows(part.text) and (before := next(asks, None)) is not None:
        window = window_of(judged(before).text, _EARLIER // 2, _EARLIER // 2) + "\n" + window
    return TextView(
        ask,
        window,
        window_of(system, SYSTEM // 2, SYSTEM // 2) if system else "",
        0 if part.shots else max(0, total - len(part.text)),
        total,
        turns,
        tuple(kinds),
        part.code,
        bool(messages) and _works(messages),
    )


def _works(messages: Sequence[Message]) -> bool:
    """Whether the last word is a tool's. Some clients add a reminder of their own to every result."""
    last = messages[-1]
    if last.role == "user" and len(messages) > 1 and messages[-2].role == "tool":
        return not without_machine_blocks(last.text).strip()
    return last.role == "tool"


def _asks(messages: Sequence[Message]) -> Iterator[str]:
    """The human asks, newest first, found as they are wanted."""
    looked = 0
    for message in reversed(messages):
        if message.role != "user":
            continue
        text = without_machine_blocks(message.text)
        if text[:REACH].strip() or text[-REACH:].strip():
            yield text
        looked += 1
        if looked >= _LOOK_BACK:
            return


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


def around(request: ChatRequest, view: TextView) -> Surroundings:
    """What stands around the ask."""
    schema = request.response_format == "json_schema"
    if not (view.context_chars or view.turns > 1 or view.attachments or request.tools or view.quoted_code or schema):
        return NOTHING_AROUND
    return Surroundings(
        view.context_chars, max(0, view.turns - 1), len(view.attachments), request.tools, view.quoted_code, schema
    )


def extract(request: ChatRequest, view: TextView, sense: Sense | None = None) -> Signals:
    """All signals of a request, seen through `sense`, the shipped one if none is given. The same request gives the same
    signals; nothing is raised for any text."""
    sense = sense or shipped()
    reading = read(view.window)
    tools = request.tools > 0
    sight = sense.see(view.window, reading, around(request, view), view.system, tools=tools, working=view.working)
    shares = sight.tasks
    label = TASKS[shares.index(max(shares))]
    form = format_of(reading, request, label)
    depth = shares[2] + shares[3] + 0.5 * shares[4]
    if depth > 1.0:
        depth = 1.0
    needs = request.needs
    modalities = _TEXT
    attached: tuple[Attachment, ...] = ()
    if view.attachments:
        attached = attachments(request)
        needs = needs.union(_NEEDED[kind] for kind in view.attachments if kind in _NEEDED)
        modalities = (*_TEXT, *(kind for kind in view.attachments if kind != "text"))
    return Signals(
        prompt_tokens(request, view.total_chars, chars_per_token(reading)),
        output_tokens(shares, form, reading, depth, request),
        Complexity(sight.value, band_of(sight.value), Parts(*sight.parts)),
        Task(label, dict(zip(TASKS, shares, strict=True))),
        form,
        reading.language,
        modalities,
        needs,
        sight.latent,
        sense.lens.version,
        attached,
    )


def unjudged(request: ChatRequest, view: TextView) -> Signals:
    """The signals of a request that asks for no text: how long it is, and in which language. Nothing is to be written,
    so nothing of it is hard.
    """
    reading = read(view.window)
    return Signals(
        prompt_tokens(request, view.total_chars, chars_per_token(reading)),
        NO_TOKENS,
        Complexity(0.0, band_of(0.0), Parts(0.0, 0.0, 0.0, 0.0, 0.0)),
        Task("extraction", {"extraction": 1.0}),
        "free",
        reading.language,
        _TEXT,
        request.needs,
    )
