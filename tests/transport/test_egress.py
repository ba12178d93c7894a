"""Where an upstream may be: judged by the address that is connected to, before anything is sent there.

The machine's own resolver reads `127.1` as 127.0.0.1 and `169.254.43518` as 169.254.169.254, so both are names here
that resolve to what nobody wrote.
"""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from llm_inference_router.config.address import is_metadata, is_private, reached
from llm_inference_router.transport.base import TransportFault
from llm_inference_router.transport.egress import CODE, admitted
from llm_inference_router.transport.http import HttpTransport
from llm_inference_router.types import Endpoint, Model
from llm_inference_router.vocabulary import Location
from tests.transport.test_http import CALL, OK, Peer, contexts, listening, model, run

SPELLED = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::a9fe:a9fe%1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
PRIVATE = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "::",
           "fd12::1", "fe80::1%1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"]  # fmt: skip
PUBLIC = ["1.1.1.1", "104.18.6.192", "172.32.0.1", "2606:4700::1", "64:ff9b::104.18.6.192"]


def at(url: str, location: Location, private: bool = False) -> Model:
    name = f"{location}-{private}"  # what is prepared for a model of a name and URL is kept
    return replace(model(url), name=name, location=location, endpoints=(Endpoint("m@x", url, private),))


async def send(transport: HttpTransport, target: Model) -> bytes:
    response = await transport.send(CALL, target, target.endpoints[0])
    try:
        return await response.read(10**6)
    finally:
        response.close()


async def refused(transport: HttpTransport, target: Model) -> None:
    with pytest.raises(TransportFault) as caught:
        await send(transport, target)
    assert (caught.value.fault.kind, caught.value.fault.code) == ("connect", CODE)
    assert "127" not in caught.value.fault.message
    assert "169" not in caught.value.fault.message


def renamed(url: str, name: str) -> str:
    return url.replace("127.0.0.1", name).replace("localhost", name)


@pytest.mark.parametrize("address", SPELLED)
@pytest.mark.parametrize("private", [False, True])
def test_metadata_addresses_are_refused_to_every_model_in_every_spelling(address: str, private: bool) -> None:
    for host in ("models.example.com", address):
        with pytest.raises(TransportFault) as caught:
            admitted(host, [address], private)
        assert caught.value.fault.code == CODE


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_of_a_cloud_model_may_not_resolve_to_a_private_address(address: str) -> None:
    with pytest.raises(TransportFault):
        admitted("api.example.com", [address], private=False)
    assert admitted("models.lan", [address], private=True) == [address]


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("private", [False, True])
def test_public_addresses_are_never_refused(address: str, private: bool) -> None:
    assert admitted("api.example.com", [address], private) == [address]


def test_of_several_addresses_the_good_ones_are_used() -> None:
    mixed = ["10.0.0.1", "1.1.1.1", "169.254.169.254", "2606:4700::1"]
    assert admitted("api.example.com", mixed, private=False) == ["1.1.1.1", "2606:4700::1"]
    assert admitted("models.lan", mixed, private=True) == ["10.0.0.1", "1.1.1.1", "2606:4700::1"]


@given(st.lists(st.ip_addresses().map(str), min_size=1, max_size=6), st.booleans())
def test_what_is_admitted_is_never_a_metadata_address_and_private_only_where_it_may_be(
    addresses: list[str], private: bool
) -> None:
    try:
        good = admitted("api.example.com", addresses, private)
    except TransportFault as fault:
        assert fault.fault.code == CODE  # noqa: PT017 - either is right; both are checked
        return
    assert good
    assert not any(is_metadata(reached(one)) for one in good)
    assert private or not any(is_private(reached(one)) for one in good)


@given(st.ip_addresses(v=4))
def test_an_address_inside_an_ipv6_one_is_judged_as_itself(inner: IPv4Address) -> None:
    number = int(inner)
    for outer in (IPv6Address(0xFFFF << 32 | number), IPv6Address(0x64_FF9B << 96 | number)):
        assert reached(str(outer)) == inner
    assert reached(str(IPv6Address(0x2002 << 112 | number << 80 | 1))) == inner


def test_a_cloud_models_name_that_resolves_to_this_machine_is_refused_and_nothing_is_sent() -> None:
    async def test() -> None:
        peer = Peer(OK)
        transport = HttpTransport({})
        async with listening(peer.serve) as url:
            await refused(transport, at(renamed(url, "127.1"), "cloud"))
            assert (peer.connections, peer.requests) == (0, [])
            assert await send(transport, at(renamed(url, "127.1"), "local")) == b"ok"
            assert await send(transport, at(renamed(url, "127.1"), "cloud", private=True)) == b"ok"
        await transport.close()

    run(test)


def test_an_address_that_is_written_is_where_the_operator_put_it() -> None:
    async def test() -> None:
        peer = Peer(OK)
        transport = HttpTransport({})
        async with listening(peer.serve) as url:
            for name in ("127.0.0.1", "localhost"):
                assert await send(transport, at(renamed(url, name), "cloud")) == b"ok"
        await transport.close()

    run(test)


@pytest.mark.parametrize("name", ["169.254.169.254", "169.254.43518", "0xa9fea9fe"])
@pytest.mark.parametrize("location", ["local", "cloud"])
def test_the_metadata_address_is_called_for_nobody(name: str, location: Location) -> None:
    async def test() -> None:
        transport = HttpTransport({})
        await refused(transport, at(f"http://{name}/v1", location))
        await transport.close()

    run(test)


def test_over_tls_not_even_the_handshake_begins() -> None:
    async def test() -> None:
        server, trust = contexts()
        peer = Peer(OK)
        shaken: list[object] = []
        server.sni_callback = lambda *hello: shaken.append(hello)
        transport = HttpTransport({}, trust)
        async with listening(peer.serve, server) as url:
            await refused(transport, at(renamed(url, "127.1"), "cloud"))
            assert shaken == []
            assert await send(transport, at(url, "cloud")) == b"ok"
            assert len(shaken) == 1
        await transport.close()

    run(test)


class Rebound:
    """A resolver that gives one answer after the other."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return [self.answers.pop(0)]


def test_a_name_that_is_bound_anew_is_judged_anew() -> None:
    async def test() -> None:
        peer = Peer(OK, close=True)
        transport = HttpTransport({}, resolver=Rebound("127.0.0.1", "169.254.169.254", "127.0.0.1"))
        async with listening(peer.serve) as url:
            target = at(renamed(url, "models.lan"), "local")
            assert await send(transport, target) == b"ok"
            await asyncio.sleep(0.05)  # until that connection is known to be closed
            await refused(transport, target)
            assert await send(transport, target) == b"ok"
        assert peer.connections == 2
        await transport.close()

    run(test)


def test_a_connection_of_a_local_model_is_not_lent_to_a_cloud_one_of_the_same_name() -> None:
    async def test() -> None:
        peer = Peer(OK)
        transport = HttpTransport({}, resolver=Rebound("127.0.0.1", "127.0.0.1"))
        async with listening(peer.serve) as url:
            url = renamed(url, "models.lan")
            assert await send(transport, at(url, "local")) == b"ok"
            await refused(transport, at(url, "cloud"))
        assert len(peer.requests) == 1
        await transport.close()

    run(test)


def test_the_address_that_was_judged_is_the_one_that_is_called() -> None:
    """Only one look-up is made: between a look and a call nobody can change the answer."""

    async def test() -> None:
        peer = Peer(OK)
        resolver = Rebound("127.0.0.1")
        transport = HttpTransport({}, resolver=resolver)
        async with listening(peer.serve) as url:
            assert await send(transport, at(renamed(url, "models.lan"), "local")) == b"ok"
        assert resolver.answers == []
        await transport.close()

    run(test)


def test_where_the_first_address_refuses_the_next_is_called() -> None:
    async def twice(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def test() -> None:
        peer = Peer(OK)
        transport = HttpTransport({}, resolver=twice)
        async with listening(peer.serve) as url:
            assert await send(transport, at(renamed(url, "models.lan"), "local")) == b"ok"
        await transport.close()

    run(test)
