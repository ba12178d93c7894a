"""The page for people: what was routed where, what it cost, how fast it was."""

from pathlib import Path

from llm_inference_router.routing.catalog import Catalog


def dashboard(path: Path, catalog: Catalog) -> str:
    return "<html></html>"
