"""The thin edge between a config file and the machine: the file itself, the environment, the files it
refers to."""

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from llm_inference_router.config.parse import Findings, parse
from llm_inference_router.config.schema import SHIPPED_PREDICTOR, Config, Route
from llm_inference_router.config.yaml import MAX_BYTES
from llm_inference_router.errors import ConfigError

_MAX_REFERENCE = 64 * 1024


def load(path: str | os.PathLike[str]) -> Config:
    """The config of a file, ready to serve. Raises ConfigError with every problem, unset variables among
    them."""
    findings = inspect(path)
    if findings.config is None or findings.unset:
        raise ConfigError([*findings.problems, *findings.unset])
    return findings.config


def inspect(path: str | os.PathLike[str]) -> Findings:
    """All that is to be said about a file; unset variables are warnings here. Raises nothing about its
    content. Files that routes name are absolute then; whether they are there is not looked at."""
    file = Path(path)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Findings(None, (f"{file}: no such file; `llm-router init` writes one",))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return Findings(None, (f"{file}: cannot be read: {reason}",))
    findings = parse(data, environ=os.environ, read_file=_reader(file.parent), name=str(file))
    if findings.config is None:
        return findings
    return structs.replace(findings, config=_placed(findings.config, file.parent))


def _placed(config: Config, folder: Path) -> Config:
    routes = {name: _placed_route(route, folder) for name, route in config.routes.items()}
    return structs.replace(config, routes=routes)


def _placed_route(route: Route, folder: Path) -> Route:
    if route.predictor == SHIPPED_PREDICTOR:
        return route
    return structs.replace(route, predictor=str((folder / route.predictor).absolute()))


def _reader(folder: Path) -> Callable[[str], str]:
    """Reads a referred file; a relative path begins at the config's own folder."""

    def read(path: str) -> str:
        with (folder / path).open("rb") as stream:
            data = stream.read(_MAX_REFERENCE + 1)
        if len(data) > _MAX_REFERENCE:
            raise ValueError(f"larger than {_MAX_REFERENCE // 1024} KiB")
        return data.decode("utf-8")

    return read
