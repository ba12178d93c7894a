"""Finds model servers on this machine by asking the ports where they usually listen.

Servers share ports (8080 is both TGI's and llama.cpp's), so each is told by its answers: vLLM and llama.cpp
sign their model lists, TGI has /info, Ollama has /api/tags, LM Studio has /api/v0/models; whatever else
lists models in OpenAI's form is taken as a compatible server.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, build_opener

from llm_inference_router.config.starter import LocalModel, LocalServer

PORTS: tuple[int, ...] = (8000, 8080, 3000, 11434, 1234)

_SILENCE_S = 1.0
_DEADLINE_S = 3.0
_MAX_ANSWER = 1024 * 1024
_MAX_MODELS = 50
_NOT_CHAT = ("embed", "rerank", "whisper", "bge-", "e5-", "clip")
_OLLAMA_CONTEXT = 4096  # what Ollama serves unless it is told otherwise, whatever the model could

Ask = Callable[[str], Any]


def discover(ports: tuple[int, ...]) -> tuple[LocalServer, ...]:
    """The servers on these ports of 127.0.0.1, in their order; all are asked at once. Takes a few seconds
    at most."""
    with ThreadPoolExecutor(max_workers=max(1, len(ports))) as pool:
        found = list(pool.map(_identify, ports))
    return tuple(server for server in found if server is not None and server.models)


def _identify(port: int) -> LocalServer | None:
    base = f"http://127.0.0.1:{port}"
    ask = _asker(base)
    listed = _listed(ask("/v1/models"))
    owners = {str(model.get("owned_by")) for model in listed}
    url = f"{base}/v1"
    if "vllm" in owners:
        models = tuple(_model(model, model.get("max_model_len")) for model in listed)
        return LocalServer("vLLM", "vllm", url, models)
    if "llamacpp" in owners:
        return LocalServer("llama.cpp", "llamacpp", url, _llamacpp(listed, ask("/props")))
    info = ask("/info")
    if isinstance(info, dict) and isinstance(info.get("model_id"), str) and "max_total_tokens" in info:
        return LocalServer("TGI", "tgi", url, _kept((_model({"id": info["model_id"]}, info["max_total_tokens"]),)))
    if tags := _dicts(ask("/api/tags"), "models"):
        return LocalServer("Ollama", "ollama", url, _kept(tuple(_ollama(tag) for tag in tags)))
    if studio := _dicts(ask("/api/v0/models"), "data"):
        chats = [model for model in studio if model.get("type") in ("llm", "vlm")]
        models = tuple(
            _model(model, model.get("loaded_context_length") or model.get("max_context_length")) for model in chats
        )
        return LocalServer("LM Studio", "openai_compatible", url, _kept(models))
    if listed:
        models = tuple(_model(model, model.get("max_model_len")) for model in listed)
        return LocalServer("An OpenAI-compatible server", "openai_compatible", url, _kept(models))
    return None


def _listed(answer: Any) -> list[dict[str, Any]]:
    """The entries of a model list in OpenAI's form that can chat, as far as their names tell."""
    models = [model for model in _dicts(answer, "data") if _usable(model.get("id"))]
    return models[:_MAX_MODELS]


def _dicts(answer: Any, key: str) -> list[dict[str, Any]]:
    values = answer.get(key) if isinstance(answer, dict) else None
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _usable(id: Any) -> bool:  # noqa: A002 - the servers' own word
    if not isinstance(id, str) or not id.strip() or not id.isprintable() or len(id) > 300:
        return False
    return not any(word in id.lower() for word in _NOT_CHAT)


def _kept(models: tuple[LocalModel, ...]) -> tuple[LocalModel, ...]:
    return tuple(model for model in models if _usable(model.id))[:_MAX_MODELS]


def _model(model: dict[str, Any], context: Any) -> LocalModel:
    return LocalModel(id=str(model.get("id") or ""), context=_count(context))


def _ollama(tag: dict[str, Any]) -> LocalModel:
    details = tag.get("details")
    size = details.get("parameter_size") if isinstance(details, dict) else None
    name = tag.get("name")
    return LocalModel(
        id=name if isinstance(name, str) else "",
        context=_OLLAMA_CONTEXT,
        size=size if isinstance(size, str) else "",
    )


def _llamacpp(listed: list[dict[str, Any]], props: Any) -> tuple[LocalModel, ...]:
    settings = props.get("default_generation_settings") if isinstance(props, dict) else None
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    models = []
    for model in listed:
        meta = model.get("meta")
        trained = meta.get("n_ctx_train") if isinstance(meta, dict) else None
        models.append(_model(model, context or trained))
    return tuple(models)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else None


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _asker(base: str) -> Ask:
    """Asks one server; None for silence, an error or anything that is not JSON. All questions share one
    deadline."""
    opener: OpenerDirector = build_opener(ProxyHandler({}), _NoRedirect())
    deadline = time.monotonic() + _DEADLINE_S

    def ask(path: str) -> Any:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        try:
            with opener.open(base + path, timeout=min(_SILENCE_S, left)) as answer:
                body = bytearray()
                while chunk := answer.read1(65536):
                    body += chunk
                    if len(body) > _MAX_ANSWER or time.monotonic() > deadline:
                        return None
            return json.loads(bytes(body))
        except (OSError, URLError, HTTPException, ValueError, RecursionError):
            return None  # whatever listens there, it is no model server that we could use

    return ask
