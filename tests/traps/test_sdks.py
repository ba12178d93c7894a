"""The traps of the official clients: what they ask again, and how long they wait. Their own code is asked."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.serving.router import Answer
from tests.serving.upstream import Request, answers, in_turn, sends
from tests.serving.upstream import whole as page
from tests.traps.setting import Setting, setting


@pytest.fixture
def ill(tmp_path: Path) -> Iterator[Setting]:
    with setting(tmp_path, "openai") as made:
        yield made


def judged(reply: Answer) -> tuple[bool, float | None]:
    """Whether the client would ask again, and after how many seconds by our word."""
    request = httpx2.Request("POST", "http://127.0.0.1:1/v1/chat/completions")
    response = httpx2.Response(reply.status, headers=reply.headers, content=reply.body, request=request)
    with OpenAI(base_url="http://127.0.0.1:1/v1", api_key="unused") as client:
        return client._should_retry(response), client._parse_retry_after_header(response.headers)


@pytest.mark.proves("chat", "openai", "errors", evidence="scripted", client="openai (Python)")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529])
def test_of_all_that_clients_ask_again_only_a_rate_limit_is_worth_it(ill: Setting, status: int) -> None:
    """They ask 408, 409, 429 and every 5xx again by themselves; what the router has tried in vain it tells them so."""
    ill.behaves(sends(page({"error": {"message": "no", "type": "t", "code": "c"}}, status)))
    assert judged(ill.ask("first")) == (status == 429, 5.0 if status == 429 or status >= 500 else None)


def test_retry_after_ms_of_the_upstream_is_obeyed(ill: Setting) -> None:
    limited = page({"error": {"message": "slow"}}, 429, "retry-after-ms: 300\r\n")
    ill.behaves(in_turn(sends(limited), answers("In time.")))
    reply = ill.ask("first")
    assert reply.json()["choices"][0]["message"]["content"] == "In time."
    assert reply.headers["x-router-attempts"] == "2"


def test_a_wait_of_the_upstream_that_is_too_long_is_told(ill: Setting) -> None:
    ill.behaves(sends(page({"error": {"message": "slow"}}, 429, "retry-after: 20\r\n")))
    reply = ill.ask("first")
    assert judged(reply) == (True, 20.0)


def test_x_should_retry_is_said_where_the_status_would_mislead(ill: Setting) -> None:
    """A 502 is asked again by every client; not where the router's key is wrong, or the answer cannot be read."""
    ill.behaves(sends(page({"error": {"message": "no"}}, 401)))
    refused = ill.ask("first")
    assert (refused.status, refused.headers["x-should-retry"], judged(refused)[0]) == (502, "false", False)


def test_the_client_asks_as_often_as_it_is_told(ill: Setting) -> None:
    ill.behaves(sends(page({"error": {"message": "no", "type": "t", "code": "c"}}, 400)))
    with (
        OpenAI(base_url=ill.router.url + "/v1", api_key="unused", max_retries=3) as client,
        pytest.raises(openai.BadRequestError),
    ):
        client.chat.completions.create(model="first", messages=[{"role": "user", "content": "hi"}])
    assert len(ill.asked()) == 1


def test_many_clients_that_ask_again_do_not_multiply(ill: Setting) -> None:
    """A broken upstream is asked a bounded number of times for each request, however often clients come back."""
    seen: list[Request] = []

    async def broken(writer: asyncio.StreamWriter, request: Request) -> None:
        seen.append(request)
        writer.write(page({"error": {"message": "boom", "type": "server_error"}}, 500))

    ill.behaves(broken)
    replies = [ill.ask("first") for _ in range(5)]
    assert len(seen) == sum(int(reply.headers["x-router-attempts"]) for reply in replies) <= 15
