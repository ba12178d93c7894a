"""litellm on Anthropic's Messages."""

from tests.real.clients import litellm, told

litellm.tell(f"anthropic/{told.MODEL}", told.URL)
