"""The nouns: frozen values without behaviour, shared by every layer.

Units are in the names: `_ms` milliseconds, `_tokens` tokens, `_us` microseconds; money is whole picodollars (see
`money`), `at` is Unix time in milliseconds.

A request makes thirty of them. None can come to hold itself, so the garbage collector need not know of them (`gc`).
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from llm_inference_router.vocabulary import (
    Band,
    Capability,
    DialectName,
    FaultKind,
    Format,
    Location,
    Modality,
    RejectionReason,
    Role,
    TaskLabel,
    Tier,
)

ARGUMENTS_CODE = "invalid_tool_arguments"  # of a fault: the model called a tool with what is no JSON object

# --- what a client asks -------------------------------------------------------------------------------------------


class Message(Struct, frozen=True, gc=False):
    """One turn. `text` is all its text parts joined by newlines; `attachments` are the kinds of its other parts."""

    role: Role
    text: str
    attachments: tuple[Modality, ...] = ()
    tool_calls: int = 0


class ChatRequest(Struct, frozen=True, gc=False):
    """A request for an answer, validated. `body` is JSON in OpenAI's chat dialect, parsed once: fields we do not read
    pass through it. From a client of another `dialect` it is a translation, of which `warnings` name what it changed,
    and `source` is that client's own JSON. `headers`: those of the client that an upstream of its dialect is to see.
    `earlier`: ids of stored answers and items that it goes on from, whose words are still to be put in; `asked`: the
    request as it came, where such words have been put in. Its own words alone are kept.
    """

    model: str
    messages: tuple[Message, ...]
    body: Mapping[str, Any]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    choices: int = 1
    tools: int = 0
    needs: frozenset[Capability] = frozenset()
    response_format: Literal["text", "json_object", "json_schema"] = "text"
    prefilled: bool = False  # its last message is the beginning of the answer, which goes on from there
    dialect: DialectName = "chat"
    source: Mapping[str, Any] = {}
    warnings: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()  # what of it chat has no words for: only a relay that takes it can serve
    tokens: int = 0  # of a prompt that came as token numbers, beside what is in `messages`
    earlier: tuple[str, ...] = ()
    asked: "ChatRequest | None" = None
    headers: tuple[tuple[str, str], ...] = ()


class Caller(Struct, frozen=True, gc=False):
    """Who asks, as far as routing may know. `routes` None: every route and model."""

    key: str = ""
    routes: tuple[str, ...] | None = None
    user: str = ""
    session: str = ""
    tags: Mapping[str, str] = {}


# --- what is measured of it ---------------------------------------------------------------------------------------


class Parts(Struct, frozen=True, gc=False):
    """The five parts of complexity, each 0..1.

    Knowledge is concept depth and expertise, output is expected length and format.
    """

    reasoning: float
    knowledge: float
    constraints: float
    context: float
    output: float


class Complexity(Struct, frozen=True, gc=False):
    value: float
    band: Band
    parts: Parts


class Quantiles(Struct, frozen=True, gc=False):
    p50: int
    p90: int


NO_TOKENS = Quantiles(0, 0)


class Task(Struct, frozen=True, gc=False):
    label: TaskLabel
    probabilities: Mapping[TaskLabel, float]


class Attachment(Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of a message that is not text, as far as its own bytes tell. `low`: to be looked at in low detail."""

    kind: Modality
    width: int = 0  # pixels; 0: not known
    height: int = 0
    low: bool = False
    seconds: float | None = None
    # A picture's MIME type (`image/other` of one that we do not know), where it stands in the request itself; None:
    # behind an address. Of what is neither picture nor sound the word for its part: `file`, `video_url`, `audio_url`.
    media: str | None = None


class Signals(Struct, frozen=True, gc=False):
    """What is known of a request before any model is looked at."""

    prompt_tokens: int  # attachments at a flat rate
    output_tokens: Quantiles
    complexity: Complexity
    task: Task
    format: Format
    language: str  # ISO 639-1, "und" when it cannot be told
    modalities: tuple[Modality, ...]
    needs: frozenset[Capability]
    latent: tuple[float, ...] = ()  # the numbers that every model's quality depends on, see learning.lens
    lens: str = ""  # the version of the lens that they were seen through
    attachments: tuple[Attachment, ...] = ()


# --- what can answer ----------------------------------------------------------------------------------------------


class Price(Struct, frozen=True, gc=False):
    """Picodollars per token."""

    input: int = 0
    output: int = 0
    cached_input: int | None = None  # None: as input
    cache_write: int | None = None  # None: as input


class Endpoint(Struct, frozen=True, gc=False):
    """One address of a model. `id` is safe to show: it holds no credentials and no path. `private`: its name may
    resolve to an address of a private network although the model is in the cloud."""

    id: str
    url: str
    private: bool = False


class Timeouts(Struct, frozen=True, gc=False):
    """Seconds."""

    connect: float = 2.0
    first_token: float = 10.0
    idle: float = 15.0
    total: float = 600.0


class Model(Struct, frozen=True, gc=False):
    name: str
    backend: str
    upstream_model: str
    endpoints: tuple[Endpoint, ...]
    tier: Tier
    location: Location
    region: str
    context: int
    max_output: int | None
    price: Price
    capabilities: frozenset[Capability]
    timeouts: Timeouts = Timeouts()

    @property
    def simulated(self) -> bool:
        return self.backend == "simulated"


# --- what is decided ----------------------------------------------------------------------------------------------


class Quality(Struct, frozen=True, gc=False):
    """Expected quality of the answer, 0..1, and the standard deviation of that expectation.

    `basis`: what the expectation rests on. Labels are answers of this very model that were judged.
    """

    mean: float
    sd: float
    basis: Literal["labels", "public results", "tier"] = "tier"


class Candidate(Struct, frozen=True, omit_defaults=True, gc=False):
    """`output_tokens` are of one answer, reasoning included; None in records of versions that did not keep them.

    `beaten_by`: one model or a mix of several that is expected to be as good for less money, whatever is asked. A
    route without labels of its owner does not choose such a candidate first."""

    model: str
    quality: Quality
    cost: int
    ttft_ms: float
    total_ms: float
    utility: float
    output_tokens: Quantiles | None = None
    reasoning_tokens: Quantiles = NO_TOKENS
    beaten_by: tuple[str, ...] = ()
    prompt_tokens: int | None = None  # where they are others at this model than in the signals


class Rejection(Struct, frozen=True, gc=False):
    model: str
    reason: RejectionReason
    detail: str = ""


class PolicyUsed(Struct, frozen=True, gc=False):
    """The policy as it was applied, after overrides: enough to explain and to replay the choice."""

    kind: Literal["fixed", "complexity", "cheapest_above_bar", "utility", "pinned"]
    bar: float | None = None
    bands: tuple[float, float] | None = None
    targets: tuple[str, str, str] | None = None  # complexity: the models of light, medium, heavy
    cost_weight: float | None = None
    latency_weight: float | None = None


class Decision(Struct, frozen=True, gc=False):
    """One routed request. `chain` is the order in which models are tried; `chosen` is its first."""

    id: str
    request_id: str
    at: int
    route: str
    reason: str
    rule: str | None
    policy: PolicyUsed
    chosen: str
    chain: tuple[str, ...]
    signals: Signals
    candidates: tuple[Candidate, ...]
    rejections: tuple[Rejection, ...]
    baseline: str  # the route's strongest model: what the saving is measured against
    key: str = ""
    user: str = ""
    session: str = ""
    tags: Mapping[str, str] = {}
    experiment: str | None = None
    arm: str | None = None
    propensity: float = 1.0
    explored: bool = False
    elapsed_us: int = 0
    choices: int = 1  # answers asked for; usage and cost are of all of them


# --- what happened ------------------------------------------------------------------------------------------------


class Usage(Struct, frozen=True, gc=False):
    """Tokens as billed. `input_tokens` includes cached ones, `output_tokens` includes reasoning."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    source: Literal["reported", "estimated"] = "reported"


class Fault(Struct, frozen=True, gc=False):
    """Why one upstream try failed, in words that may be shown. `status` is the upstream's, 0 when there was none.

    `final`: another model would fail in the same way (the client's own mistake), so the error is passed on.
    """

    kind: FaultKind
    message: str
    status: int = 0
    type: str = ""
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    final: bool = False


class Piece(Struct, frozen=True, gc=False):
    """One event of an upstream's stream.

    `chunk` is a chat.completion.chunk as JSON, ready to frame, or None when the event is not for the client
    (a usage chunk it did not ask for; a role-only chunk is still a chunk). Of an upstream that speaks the client's
    dialect, where that is another one, it is the event's own JSON, and `event` its name. `content`: it carries
    non-empty text, reasoning, refusal or tool delta. `finish_reason`: the whole answer has finished, all its choices.
    `done`: the stream's end marker. `fault`: the upstream reported an error inside its stream, which ends
    it; of kind malformed it concerns this event alone, unless `done` says that nothing can follow it.
    """

    chunk: bytes | None = None
    content: bool = False
    text_chars: int = 0  # characters generated: text, refusal, reasoning and tool arguments
    text: str = ""  # content and refusal, not reasoning or tool arguments
    finish_reason: str | None = None
    usage: Usage | None = None
    fault: Fault | None = None
    done: bool = False
    event: bytes = b""
    called: bool = False  # it is part of a tool call; said of events that are no chat chunks
    prompt: Usage | None = None  # what the input came to, where that is told at the beginning


class Attempt(Struct, frozen=True, gc=False):
    """One upstream try. `outcome` is "ok" or the fault's kind."""

    decision_id: str
    number: int
    model: str
    endpoint: str
    at: int
    outcome: str
    status: int
    ttft_ms: float | None
    total_ms: float
    usage: Usage | None = None
    cost: int = 0
    detail: str = ""


class Outcome(Struct, frozen=True, gc=False):
    """How a request ended. `status` is the HTTP status the client was given; 499 when it left first."""

    decision_id: str
    at: int
    route: str
    model: str
    status: int
    error: str | None
    finish_reason: str | None
    stream: bool
    attempts: int
    usage: Usage | None
    cost: int
    baseline_cost: int
    ttft_ms: float | None
    total_ms: float
    overhead_ms: float
    simulated: bool = False
    tier: Tier | Literal[""] = ""  # of the model that answered; "" when none did


class Turn(Struct, frozen=True, gc=False):
    """An answer that a later request may go on from, by the id the client knows. `input`, `output` are JSON arrays of
    OpenAI's Responses; before them came the turn named `previous` ("": none). `answer`: the response object without its
    output, as JSON ("": not kept)."""

    id: str
    previous: str
    input: str
    output: str
    answer: str = ""


class Content(Struct, frozen=True, gc=False):
    """What was said: kept only where the owner switched `store.content` on."""

    prompt: str
    completion: str
    turn: Turn | None = None


class Record(Struct, frozen=True, gc=False):
    """Everything that is kept of one request, appended as one."""

    decision: Decision
    attempts: tuple[Attempt, ...]
    outcome: Outcome
    content: Content | None = None
