"""litellm on chat completions."""

from tests.real.clients import litellm, told

litellm.tell(f"openai/{told.MODEL}", told.V1)
