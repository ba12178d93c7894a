"""The router before a real vLLM: its configuration, and what vLLM says of itself."""

import re
from typing import Any
from urllib.request import ProxyHandler, build_opener

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIERS = ("small", "medium", "large")


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def config(url: str) -> str:
    """Three tiers on one vLLM, by complexity; `wide` is a simulated model with a larger window than vLLM's."""
    models = "\n".join(
        f"  - {{name: tiny-{tier}, backend: vllm, endpoints: [{{url: '{url}'}}], upstream_model: tiny, tier: {tier}, "
        f"location: local, context: 1024, price: {{input: {usd}, output: {2 * usd}}}, "
        "capabilities: [tools, json_schema, logprobs], timeouts: {first_token: 2m, idle: 1m}}"
        for tier, usd in zip(TIERS, (0.1, 1, 10), strict=True)
    )
    price = "{input: 10, output: 30}"
    wide = f"  - {{name: wide, backend: simulated, tier: large, location: cloud, context: 128000, price: {price}}}"
    auto = "{kind: complexity, light: tiny-small, medium: tiny-medium, heavy: tiny-large}"
    return (
        f"models:\n{models}\n{wide}\nroutes:\n"
        f"  auto: {{models: [tiny-small, tiny-medium, tiny-large], policy: {auto}}}\n"
        "  roomy: {models: [tiny-small, wide], policy: {kind: fixed}}\n"
    )


def running(metrics_url: str) -> int:
    """Requests that vLLM works on or holds in its queue."""
    return _metric(metrics_url, "num_requests_running") + _metric(metrics_url, "num_requests_waiting")


def generated(metrics_url: str) -> int:
    """Tokens that vLLM has made since it started."""
    return _metric(metrics_url, "generation_tokens_total")


def _metric(metrics_url: str, name: str) -> int:
    with build_opener(ProxyHandler({})).open(metrics_url, timeout=10) as response:
        text = response.read().decode()
    found = re.findall(rf"^vllm:{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    assert found, f"vLLM has no metric {name}"
    return int(sum(float(value) for value in found))
