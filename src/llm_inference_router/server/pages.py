"""Everything but inference, on Starlette: models, decisions without an answer, operations, the dashboard."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, TypeAlias, cast

import msgspec
import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from llm_inference_router.config.schema import Scope
from llm_inference_router.dialects.messages import parse_count
from llm_inference_router.dialects.responses_stored import input_items, response_of
from llm_inference_router.dialects.spoken import FORWARDED, PATHS, spoken_in
from llm_inference_router.engine.count import count
from llm_inference_router.engine.endpoints import Endpoints, running
from llm_inference_router.engine.judge import judge
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.errors import Internal, InvalidRequest, MethodNotAllowed, NotFound, RouterError
from llm_inference_router.routing.evidence import shown
from llm_inference_router.routing.explain import explain, why
from llm_inference_router.server.auth import Grant, Keys
from llm_inference_router.server.body import Arriving, caller, forwarded, read_body, wishes
from llm_inference_router.server.dashboard import dashboard
from llm_inference_router.server.earlier import joined
from llm_inference_router.server.listing import STARTED, entry, listed, speaks_messages
from llm_inference_router.server.refusal import fresh_id, refusal
from llm_inference_router.server.reload import Reloads
from llm_inference_router.server.stored import find, forget, input_of
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.telemetry.metrics import Metrics

Page: TypeAlias = Callable[[Request], Awaitable[Response]]

_BREAKER = {"closed": 0, "half_open": 1, "open": 2}


class _Drain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    drained: bool


class Pages:
    def __init__(
        self,
        runtime: Runtime,
        keys: Keys,
        store: SqliteStore,
        metrics: Metrics,
        reloads: Reloads,
        at_work: Callable[[], Sequence[Endpoints]],
        arriving: Arriving,
    ) -> None:
        self._runtime = runtime
        self._keys = keys
        self._store = store
        self._metrics = metrics
        self._reloads = reloads
        self._at_work = at_work
        self._arriving = arriving

    async def models(self, request: Request) -> Response:
        grant = self._grant(request, "inference")
        catalog = self._runtime.catalog
        names = catalog.visible(grant.routes)
        if speaks_messages(request.headers):
            return _json(listed(names, catalog, request.query_params))
        return _json({"object": "list", "data": [self._model(name) for name in names]})

    async def model(self, request: Request) -> Response:
        grant = self._grant(request, "inference")
        name = request.path_params["name"]
        if name not in self._runtime.catalog.visible(grant.routes):
            raise NotFound(f"the model {name!r} does not exist, or this key may not use it", param="model")
        if speaks_messages(request.headers):
            return _json(entry(name, self._runtime.catalog))
        return _json(self._model(name))

    async def route(self, request: Request) -> Response:
        """POST /v1/route: the decision for a body of any dialect, by the same path as serving; nothing is sent."""
        grant = self._grant(request, "inference")
        headers = dict(request.scope["headers"])
        runtime = self._runtime
        body = await self._body(request)
        asked = spoken_in(body).parse(body)
        if asked.earlier:
            asked = await joined(asked, grant.key, runtime)
        decision = judge(asked, caller(grant, headers, asked), wishes(headers), runtime.snapshot(), runtime.clock)
        evidence = runtime.catalog.choices[decision.route].evidence
        return _json(explain(decision) | {"evidence": shown(evidence), "why": why(decision)})

    async def count_tokens(self, request: Request) -> Response:
        """POST /v1/messages/count_tokens: answered here, or by the model's provider; nothing is recorded."""
        grant = self._grant(request, "inference")
        headers = dict(request.scope["headers"])
        runtime = self._runtime
        asked = parse_count(await self._body(request))
        asked = msgspec.structs.replace(asked, headers=forwarded(headers, FORWARDED["messages"]))
        tokens = await count(runtime, asked, caller(grant, headers, asked), wishes(headers))
        named = {"request-id": fresh_id()}
        return Response(orjson.dumps({"input_tokens": tokens}), 200, named, "application/json")

    async def response(self, request: Request) -> Response:
        """GET of an answer that was kept, as the client was given it; DELETE forgets what was said."""
        grant = self._grant(request, "inference")
        name = request.path_params["id"]
        if request.method == "DELETE":
            await forget(self._store, self._runtime, grant.key, name)
            return _json({"id": name, "object": "response", "deleted": True})
        turn = await find(self._runtime, grant.key, name)
        if request.query_params.get("stream", "").lower() in ("true", "1"):
            raise InvalidRequest("a stored answer is given whole", param="stream", code="unsupported_parameter")
        return _json(response_of(turn))

    async def input_items(self, request: Request) -> Response:
        """GET of what a kept answer was an answer to, in pages."""
        grant = self._grant(request, "inference")
        turn = await find(self._runtime, grant.key, request.path_params["id"])
        said = await input_of(self._runtime, grant.key, turn)
        return _json(input_items(turn, said, request.query_params))

    async def livez(self, request: Request) -> Response:
        return _json({"status": "alive"})

    async def readyz(self, request: Request) -> Response:
        """200 while some route can answer, 503 otherwise; `degraded` says what is not as it should be."""
        now = self._runtime.clock.monotonic()
        resting = sorted(self._runtime.endpoints.resting(now))
        troubles = [f"model {name} has no endpoint that answers" for name in resting]
        troubles += [f"endpoint {name} is drained" for name in self._runtime.endpoints.drained()]
        if self._reloads.trouble:
            troubles.append(self._reloads.trouble)
        if self._store.degraded:
            troubles.append(self._store.degraded)
        status = "degraded" if troubles else "ready"
        usable = any(not {m.name for m in one.models} <= set(resting) for one in self._runtime.catalog.routes.values())
        body = orjson.dumps({"status": status if usable else "unavailable", "troubles": troubles})
        return Response(body, 200 if usable else 503, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        self._grant(request, "admin")
        self._runtime.observer.flush()
        self._metrics.count_late(self._store.late)
        self._gauge()
        return Response(self._metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    async def reload(self, request: Request) -> Response:
        """POST /admin/reload: 200 when the configuration was read again and is served, 422 with its problems."""
        self._grant(request, "admin")
        result = await self._reloads.reload("request")
        if result.problems:
            return _json({"status": "refused", "problems": result.problems}, 422)
        return _json({"status": "reloaded", "needs_restart": result.restart})

    async def endpoint(self, request: Request) -> Response:
        """POST /admin/endpoints/{id}: `{"drained": true}` sends nothing new to it; what runs on it ends."""
        self._grant(request, "admin")
        name = request.path_params["name"]
        try:
            wish = msgspec.json.decode(await request.body(), type=_Drain)
        except msgspec.DecodeError as error:
            raise InvalidRequest('the body must be {"drained": true} or {"drained": false}', param="drained") from error
        try:
            self._runtime.endpoints.drain(name, wish.drained)
        except KeyError as error:
            known = ", ".join(one for one, _ in self._runtime.endpoints.states(0.0))
            raise NotFound(f"there is no endpoint {name!r}; there are {known}", code="unknown_endpoint") from error
        self._runtime.forget_snapshot()
        return _json({"endpoint": name, "drained": wish.drained})

    async def dashboard(self, request: Request) -> Response:
        self._grant(request, "admin")
        window = request.query_params.get("window", "24h")
        html = await asyncio.to_thread(dashboard, self._store.path, window, self._runtime.clock.now_ms())
        return Response(html, media_type="text/html")

    async def home(self, request: Request) -> Response:
        return RedirectResponse("/dashboard")

    async def _body(self, request: Request) -> bytes:
        limit = self._runtime.config.server.max_body
        return await read_body(request.receive, dict(request.scope["headers"]), limit, self._arriving)

    def _gauge(self) -> None:
        """What is measured now. Of models that are gone nothing stays, once their last request has ended."""
        now, at_work = self._runtime.clock.monotonic(), self._at_work()
        self._metrics.breaker_state.clear()
        for endpoints in at_work:
            for endpoint, state in endpoints.states(now):
                self._metrics.breaker_state.labels(endpoint).set(_BREAKER[state])
        self._metrics.inflight.clear()
        for model, number in running(at_work).items():
            self._metrics.inflight.labels(model).set(number)
        self._metrics.tasks.set(len(asyncio.all_tasks()))

    def _grant(self, request: Request, scope: Scope) -> Grant:
        return self._keys.grant(dict(request.scope["headers"]), scope)

    def _model(self, name: str) -> dict[str, Any]:
        catalog = self._runtime.catalog
        body: dict[str, Any] = {"id": name, "object": "model", "created": STARTED, "owned_by": "llm-inference-router"}
        route = catalog.routes.get(name)
        if route is not None:
            members = [model.name for model in route.models]
            simulated = all(model.simulated for model in route.models)
            return body | {"kind": "route", "models": members, "policy": route.policy.kind, "simulated": simulated}
        model = catalog.models[name]
        return body | {
            "kind": "model",
            "tier": model.tier,
            "location": model.location,
            "context": model.context,
            "capabilities": sorted(model.capabilities),
            "simulated": model.simulated,
        }


def pages(
    runtime: Runtime,
    keys: Keys,
    store: SqliteStore,
    metrics: Metrics,
    reloads: Reloads,
    at_work: Callable[[], Sequence[Endpoints]],
    arriving: Arriving,
) -> Any:
    """`at_work`: the endpoints of every configuration that still answers a request, the newest last. `arriving`: the
    bodies on their way, those of requests for an answer too."""
    page = Pages(runtime, keys, store, metrics, reloads, at_work, arriving)
    routes = [
        Route("/", _guarded(page.home, runtime)),
        Route("/v1/models", _guarded(page.models, runtime)),
        Route("/v1/models/{name:path}", _guarded(page.model, runtime)),
        Route("/v1/route", _guarded(page.route, runtime), methods=["POST"]),
        Route("/v1/messages/count_tokens", _guarded(page.count_tokens, runtime), methods=["POST"]),
        Route("/v1/responses/{id}", _guarded(page.response, runtime), methods=["GET", "DELETE"]),
        Route("/v1/responses/{id}/input_items", _guarded(page.input_items, runtime)),
        Route("/livez", page.livez),
        Route("/readyz", page.readyz),
        Route("/metrics", _guarded(page.metrics, runtime)),
        Route("/admin/reload", _guarded(page.reload, runtime), methods=["POST"]),
        Route("/admin/endpoints/{name:path}", _guarded(page.endpoint, runtime), methods=["POST"]),
        Route("/dashboard", _guarded(page.dashboard, runtime)),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error})


def _guarded(page: Page, runtime: Runtime) -> Page:
    """Renders our errors in the API's shape, once for all pages."""

    @wraps(page)
    async def guarded(request: Request) -> Response:
        try:
            return await page(request)
        except RouterError as error:
            return _error(error, request.url.path)
        except Exception as error:  # noqa: BLE001 - the last line of defence: our mistakes do not show their insides
            runtime.observer.crashed(error)
            return _error(Internal("something went wrong in the router"), request.url.path)

    return guarded


async def _http_error(request: Request, error: Exception) -> Response:
    status = cast(HTTPException, error).status_code
    path = request.url.path
    if status == 405 or path in PATHS:
        return _error(MethodNotAllowed(f"{request.method} is not allowed on {path}"), path)
    return _error(NotFound(f"there is nothing at {path}", code="unknown_path"), path)


def _error(error: RouterError, path: str) -> Response:
    status, headers, body = refusal(error, path)
    shown = dict(headers)
    if error.code == "missing_api_key":
        shown["www-authenticate"] = 'Basic realm="llm-inference-router"'  # so that a browser asks for the key
    return Response(body, status, shown)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
