import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config import address


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "https://api.openai.com/v1",
        "http://localhost:1234/v1/",
        "http://[::1]:8000/v1",
        "http://gpu_box.internal:8000",
        "https://models.example.com./v1",
    ],
)
def test_addresses_of_model_servers_are_good(url: str) -> None:
    assert address.problem(url) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:8000", "http://"),
        ("", "http://"),
        ("file:///etc/passwd", "http://"),
        ("http://", "no host"),
        ("http:///v1", "no host"),
        ("http://a:99999/v1", "is not a URL"),
        ("http://a:0/v1", "port 0"),
        ("http://[::1/v1", "is not a URL"),
        ("http://user@a/v1", "credentials"),
        ("http://:secret@a/v1", "credentials"),
        ("http://a/v1?key=x", "query"),
        ("http://a/v1#x", "query"),
        ("http://a/v1?", "query"),
        ("http://a/v 1", "space"),
        ("http://a b/v1", "space"),
        ("http://a/v1/chat/completions/", "/chat/completions"),
        ("https://api.anthropic.com/v1/messages", "/messages"),
        ("http://a/v1/responses", "/responses"),
        ("http://0.0.0.0:8000/v1", "one server"),
        ("http://224.0.0.1/v1", "one server"),
        ("http://a%20b/v1", "no name and no address"),
        ("http://-a/v1", "no name and no address"),
    ],
)
def test_what_is_no_address_of_a_model_server_is_refused(url: str, words: str) -> None:
    assert words in (address.problem(url) or "")


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.169.254.",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "metadata.google.internal",
        "METADATA.google.internal",
        "2852039166",
        "0xa9fea9fe",
        "0xa9.254.169.254",
        "169.254.43518",
        "169.254.169.0376",
    ],
)
def test_the_metadata_address_is_refused_in_every_spelling(host: str) -> None:
    assert address.problem(f"http://{host}/v1") is not None


def test_no_message_repeats_the_url() -> None:
    for url in ("http://u:hunter2@a/v1", "http://a/v1?key=hunter2", "hunter2"):
        assert "hunter2" not in (address.problem(url) or "")


@given(st.text(max_size=60) | st.text("htp:/[]@.0123456789a%?#", max_size=40).map(lambda tail: "http://" + tail))
def test_any_text_is_judged_and_a_good_one_has_a_host(url: str) -> None:
    if address.problem(url) is None:
        assert address.host(url)


def test_loopback() -> None:
    assert all(map(address.is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST")))
    assert not any(map(address.is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.com", "", "127.0.0.1.evil.com")))
