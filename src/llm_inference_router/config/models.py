"""The configured models as the rest of the router knows them."""

from urllib.parse import urlsplit

from llm_inference_router import money, types
from llm_inference_router.config import defaults
from llm_inference_router.config.schema import Config, ModelConfig, PriceConfig


def catalogue(config: Config) -> tuple[types.Model, ...]:
    """Every model, in the file's order. The config must have passed `check`. Credentials stay in the
    config."""
    return tuple(_model(model) for model in config.models)


def _model(model: ModelConfig) -> types.Model:
    timeouts = model.timeouts
    return types.Model(
        name=model.name,
        backend=model.backend,
        upstream_model=model.upstream_model or model.name,
        endpoints=_endpoints(model),
        tier=model.tier,
        location=model.location,
        region=model.region,
        context=model.context,
        max_output=model.max_output,
        price=_price(model.price),
        capabilities=defaults.capabilities(model),
        timeouts=types.Timeouts(
            connect=float(timeouts.connect),
            first_token=float(timeouts.first_token),
            idle=float(timeouts.idle),
            total=float(timeouts.total),
        ),
    )


def _endpoints(model: ModelConfig) -> tuple[types.Endpoint, ...]:
    """Endpoints whose ids show the host and port alone, numbered where two share them."""
    if model.backend == "simulated":
        return (types.Endpoint(id=f"{model.name}@simulated", url=f"simulated://{model.name}"),)
    endpoints: list[types.Endpoint] = []
    seen: dict[str, int] = {}
    private = {endpoint.url for endpoint in model.endpoints if endpoint.private}
    for url in defaults.urls(model):
        host = urlsplit(url).netloc.lower()
        seen[host] = seen.get(host, 0) + 1
        number = f"#{seen[host]}" if seen[host] > 1 else ""
        name = f"{model.name}@{host}{number}"
        endpoints.append(types.Endpoint(id=name, url=url.rstrip("/"), private=url in private))
    return tuple(endpoints)


def _price(price: PriceConfig) -> types.Price:
    return types.Price(
        input=money.per_token(price.input),
        output=money.per_token(price.output),
        cached_input=None if price.cached_input is None else money.per_token(price.cached_input),
        cache_write=None if price.cache_write is None else money.per_token(price.cache_write),
    )
