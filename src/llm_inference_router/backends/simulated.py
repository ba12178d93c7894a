"""The backend of simulated models: their answers are OpenAI's dialect already, and are read as that.

What they say is made in `simulated_answer`, framed in `simulated_wire` and timed in `transport.simulated`.
"""

from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.quirks import SIMULATED


class Simulated(OpenAI):
    def __init__(self) -> None:
        super().__init__(SIMULATED)

    def auth(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """None: there is nobody to show a key to."""
        return ()
