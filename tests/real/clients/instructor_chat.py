"""instructor: an object by a tool call that the client insists on."""

from typing import Any

import instructor
from openai import OpenAI
from pydantic import BaseModel

from tests.real.clients import told


class get_weather(BaseModel):  # noqa: N801 - the tool has the name of the class
    """Get the weather"""

    city: str


client = instructor.from_openai(
    OpenAI(base_url=told.V1, api_key=told.KEY, timeout=300, max_retries=0), mode=instructor.Mode.TOOLS
)
WANTED: dict[str, Any] = {"model": told.MODEL, "temperature": 0, "max_tokens": told.MAX_TOKENS, "max_retries": 0}


def tool() -> dict[str, Any]:
    found = client.chat.completions.create(messages=told.user(told.ASK_WEATHER), response_model=get_weather, **WANTED)
    return told.tool(type(found).__name__, found.model_dump())


told.tell(tool=tool)
