"""`llm-router serve`: load, refuse what cannot be served, listen, announce."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from msgspec import structs

from llm_inference_router.config.available import not_available
from llm_inference_router.config.load import inspect
from llm_inference_router.config.schema import Config
from llm_inference_router.effects import SystemClock
from llm_inference_router.errors import ConfigError

if TYPE_CHECKING:
    from llm_inference_router.server.app import Router

BAD_CONFIG = os.EX_CONFIG  # 78


@click.command("serve")
@click.option("--config", "-c", "path", default="router.yaml", show_default=True, help="The configuration file.")
@click.option("--host", help="Address to listen on, instead of server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, instead of server.port; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1), help="Processes, instead of server.workers.")
def command(path: str, host: str | None, port: int | None, workers: int | None) -> None:
    """Run the router.

    \b
    Examples:
      llm-router serve                        router.yaml of this folder
      llm-router serve -c prod.yaml --port 80
    """
    given = {key: value for key, value in (("host", host), ("port", port), ("workers", workers)) if value is not None}
    try:
        config = _config(path, given)
        # Imported after the configuration is known to be good: a typo is answered in a fifth of the time.
        from llm_inference_router.engine.predictors import predictors
        from llm_inference_router.server.app import Router
        from llm_inference_router.server.listen import bind, serve
        from llm_inference_router.server.reload import Loaded, Source
        from llm_inference_router.telemetry.logs import Warnings

        def read() -> Loaded:
            again = _config(path, given)
            return Loaded(again, predictors(again))

        router = Router(config, predictors(config), Source(Path(path), read))
        logging.getLogger("llm_inference_router").addHandler(Warnings(router.log, SystemClock().now_ms))
    except ConfigError as error:
        _refuse(error.problems)
    settings = config.server
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        raise click.ClickException(str(error.strerror)) from error
    address = f"http://{_bracketed(settings.host)}:{listener.getsockname()[1]}"
    if not serve(router, settings, listener, lambda: _announce(router, config, path, address)):
        sys.exit(1)


def _config(path: str, given: dict[str, Any]) -> Config:
    """The file's configuration with what the command line says. Raises ConfigError with every problem there is."""
    found = inspect(path)
    problems = [*found.problems, *found.unset]
    if found.config is None:
        raise ConfigError(problems)
    config = structs.replace(found.config, server=structs.replace(found.config.server, **given))
    problems += not_available(config)
    host = given.get("host")
    if host is not None and not config.server.keys and host not in ("127.0.0.1", "localhost", "::1"):
        problems.append(f"--host {host}: without server.keys the router listens on loopback only")
    if problems:
        raise ConfigError(problems)
    return config


def _refuse(problems: list[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(BAD_CONFIG)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(router: "Router", config: Config, path: str, address: str) -> None:
    # Imported here like the router itself, which has loaded it already.
    from llm_inference_router.routing.evidence import briefly

    routes = ", ".join(config.routes)
    click.echo(f"llm-router is ready on {address}", err=True)
    models = f"{len(config.models)} model{'s' if len(config.models) > 1 else ''}"
    click.echo(f"  configuration {Path(path)}: {models}, routes {routes}", err=True)
    click.echo(f"  OpenAI base URL {address}/v1 · dashboard {address}/dashboard · metrics {address}/metrics", err=True)
    simulated = [m.name for m in config.models if m.backend == "simulated"]
    if simulated:
        click.echo(f"  simulated models: {', '.join(simulated)}", err=True)
    for name, choice in router.catalog.routes.items():
        click.echo(f"  route {name}: {briefly(choice.evidence)}", err=True)
