from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.dialects.signature import mark, returned, tag, untag

texts = st.text(max_size=60)
providers = st.text(max_size=30)


@given(texts, providers)
def test_what_is_tagged_comes_back_as_it_was(signature: str, provider: str) -> None:
    assert untag(tag(signature, provider)) == (mark(provider), signature)


@given(texts.filter(bool), providers, providers)
def test_only_its_own_provider_gets_a_signature_back(signature: str, provider: str, other: str) -> None:
    tagged = tag(signature, provider)
    assert returned(tagged, provider) == signature
    assert provider == other or returned(tagged, other) is None


@given(texts.filter(lambda text: not text.startswith("llmr1.")), providers)
def test_what_was_never_tagged_is_sent_as_it_is(signature: str, provider: str) -> None:
    assert untag(signature) is None
    assert returned(signature, provider) == (signature or None)


@given(providers, providers)
def test_what_nobody_signed_is_sent_to_nobody(provider: str, other: str) -> None:
    assert returned(tag("", provider), other) is None
    assert returned(tag("", provider), provider) is None


@given(texts.filter(bool), providers.filter(bool))
def test_two_routers_in_a_row_take_off_a_tag_each(signature: str, provider: str) -> None:
    inner = tag(signature, provider)
    assert returned(tag(inner, "router.example"), "router.example") == inner


def test_a_tag_shows_no_address() -> None:
    assert tag("abc", "internal.example.com") == f"llmr1.{mark('internal.example.com')}.abc"
    assert "example" not in tag("abc", "internal.example.com")


def test_what_only_looks_like_a_tag_is_none() -> None:
    assert untag("llmr1.") is None
    assert untag("llmr1.short.x") is None
    assert untag("llmr1.0123456789") is None
