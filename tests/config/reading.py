"""What the tests of the checks share: a good file, ways to spoil it, and its reading."""

from llm_inference_router.config.parse import Findings, parse

BASE = """\
models:
  - {name: small, backend: simulated, tier: small, location: local, context: 8000}
  - {name: large, backend: simulated, tier: large, location: cloud, context: 128000}
routes:
  auto: {models: [small, large]}
"""


def read(text: str, **environ: str) -> Findings:
    def read_file(path: str) -> str:
        raise FileNotFoundError(2, "No such file or directory", path)

    return parse(text, environ=environ, read_file=read_file, name="router.yaml")


def model(**keys: str) -> str:
    """BASE with a third model on line 6, `m`, made of the given keys."""
    given = {"name": "m", "backend": "vllm", "tier": "small", "location": "local", "context": "4096", **keys}
    body = ", ".join(f"{key}: {value}" for key, value in given.items() if value)
    return BASE.replace("routes:", f"  - {{{body}}}\nroutes:")


def extended(extra: str) -> str:
    """BASE with more from line 6 on."""
    return BASE + extra


def rule(when: str, use: str = "{tier: small}") -> str:
    return extended(f"rules:\n  - name: r\n    when: {when}\n    use: {use}\n")
