"""The model list as each official client reads it."""

from collections.abc import Iterator

import anthropic
import pytest
from anthropic import Anthropic
from anthropic.types import ModelInfo
from openai import OpenAI

from tests.clients.conftest import BACKENDS
from tests.serving.router import Router

NAMES = ["auto", "text", *BACKENDS, "plain"]


@pytest.fixture
def claude(router: Router) -> Iterator[Anthropic]:
    with Anthropic(base_url=router.url, api_key="unused", max_retries=0) as made:
        yield made


def test_anthropics_client_reads_the_list(claude: Anthropic) -> None:
    page = claude.models.list()
    assert [one.id for one in page.data] == NAMES
    assert (page.first_id, page.last_id, page.has_more) == (NAMES[0], NAMES[-1], False)
    for one in page.data:
        ModelInfo.model_validate_json(one.model_dump_json(), strict=True)
        assert (one.type, one.display_name) == ("model", one.id)
        assert claude.models.retrieve(one.id) == one
    vllm = claude.models.retrieve("vllm")
    assert (vllm.max_input_tokens, vllm.max_tokens) == (32768, 4096)


@pytest.mark.parametrize("limit", [1, 3, len(NAMES), 1000])
def test_anthropics_client_turns_the_pages(claude: Anthropic, limit: int) -> None:
    assert [one.id for one in claude.models.list(limit=limit)] == NAMES
    backwards = claude.models.list(limit=limit, before_id=NAMES[-1])
    assert sorted(one.id for one in backwards) == sorted(NAMES[:-1])


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=nonesuch", "before_id="])
def test_a_page_that_cannot_be_is_refused(claude: Anthropic, query: str) -> None:
    name, _, value = query.partition("=")
    with pytest.raises(anthropic.BadRequestError):
        claude.models.list(extra_query={name: value})


def test_a_name_that_does_not_exist_is_not_found(claude: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("nonesuch")


def test_openais_client_reads_its_own(client: OpenAI) -> None:
    page = client.models.list()
    assert page.object == "list"
    assert [one.id for one in page.data] == NAMES
