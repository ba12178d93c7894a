"""`llm-router init`: looks for keys and local servers, and writes the first configuration."""

import os
from pathlib import Path

import click

from llm_inference_router.cli import discover
from llm_inference_router.config.schema import BackendName
from llm_inference_router.config.starter import KEYS, LocalServer, starter


@click.command("init")
@click.option("--output", "-o", default="router.yaml", show_default=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def command(output: str, force: bool) -> None:
    """Find keys and local servers, write a commented configuration.

    Looks for OPENAI_API_KEY and ANTHROPIC_API_KEY in the environment, and for vLLM (port 8000), TGI (8080,
    3000), Ollama (11434), llama.cpp (8080) and LM Studio (1234) on this machine. Keys are referred to,
    never copied. With nothing found, the file has simulated models, so that it starts.

    \b
    Examples:
      llm-router init
      llm-router init -o prod.yaml
      OPENAI_API_KEY=sk-... llm-router init --force
    """
    file = Path(output)
    if file.exists() and not force:
        raise click.ClickException(f"{file} is there already; replace it with --force or write another with -o")
    servers = discover.discover(discover.PORTS)
    keys = tuple(backend for backend, name in KEYS.items() if os.environ.get(name, "").strip())
    _write(file, starter(servers, keys), force)
    _tell(servers, keys, file)


def _write(file: Path, text: str, force: bool) -> None:
    """Writes whole or not at all; without `force` a file that has appeared meanwhile stays."""
    try:
        if force:
            draft = file.with_name(f".{file.name}.{os.getpid()}")
            draft.write_text(text, encoding="utf-8")
            draft.replace(file)
        else:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error


def _tell(servers: tuple[LocalServer, ...], keys: tuple[BackendName, ...], file: Path) -> None:
    for server in servers:
        click.echo(f"found {server.label} at {server.url}: {', '.join(model.id for model in server.models)}")
    for backend in keys:
        click.echo(f"found {KEYS[backend]}")
    if not servers and not keys:
        click.echo("found no key and no local server: the models in the file are simulated")
    click.echo(f"wrote {file}")
    option = "" if file == Path("router.yaml") else f" {file}"
    click.echo(f"next: llm-router check{option}, then llm-router serve{f' -c{option}' if option else ''}")
