"""What shape of answer a request wants."""

from llm_inference_router.signals.reading import Reading
from llm_inference_router.signals.vocabulary import SIGN
from llm_inference_router.types import ChatRequest
from llm_inference_router.vocabulary import Format, TaskLabel

_TABLE, _LIST, _JSON, _WRITE = SIGN["table"], SIGN["list"], SIGN["json"], SIGN["write"]
_HOW_MANY = (
    "how many", "how much", "what is the sum", "what is the value", "calculate", "compute",
    "wie viele", "combien", "cuánt", "quant", "сколько", "скільки", "kaç", "多少", "いくつ", "몇",
)  # fmt: skip


def format_of(reading: Reading, request: ChatRequest, task: TaskLabel) -> Format:
    """The shape of the answer that is asked for; `free` when nothing says."""
    if request.response_format != "text":
        return "json"
    options, counts = reading.options, reading.counts
    if options >= 3 or (options == 2 and not reading.distinct.isdisjoint(("option", "choice", "answer"))):
        return "choice"
    if task == "code" and counts[_WRITE]:
        return "code"
    if counts[_JSON]:
        return "json"
    if counts[_TABLE] and task != "code":
        return "table"
    low = reading.low
    if "one word" in low or "yes or no" in low or "true or false" in low or "one sentence" in low:
        return "short"
    if reading.questions and reading.size < 150 and any(map(low.__contains__, _HOW_MANY)):
        return "number"
    if counts[_LIST] and task not in ("code", "mathematics"):
        return "list"
    return "code" if task == "code" and reading.codelike > 2 else "free"
