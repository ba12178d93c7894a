"""The shape of the code, held by the code: who may import whom, and where I/O may happen."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "llm_inference_router"
NAME = "llm_inference_router"

# From the outside in. A module imports from its own layer's package and from those below, never from above and never
# from a neighbour in the same layer.
LAYERS = [
    {"cli"},
    {"demo"},
    {"server"},
    {"engine"},
    {"store", "transport", "telemetry"},
    {"training"},
    {"evaluation"},
    {"routing"},
    {"signals", "resilience", "backends"},
    {"learning"},
    {"dialects"},
    {"config"},
    {"effects"},
    {"errors"},
    {"money"},
    {"types"},
    {"vocabulary"},
]
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
PURE = {"dialects", "learning", "signals", "resilience", "backends", "routing", "money", "types", "vocabulary"} | {
    "errors"
}
IMPURE = {"asyncio", "socket", "ssl", "http", "sqlite3", "os", "time", "random", "logging", "threading", "subprocess"}
ASYNC = {"engine", "server", "store", "transport", "telemetry", "cli", "demo"}
HEAVY = {"scipy", "sklearn", "lightgbm", "matplotlib", "openai", "anthropic", "rich", "jsonschema"}
MODULES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            found.append(node.module)
            if node.module == NAME:
                found += [f"{NAME}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_inwards(path: Path) -> None:
    package = package_of(path)
    if package == "__init__":
        return
    assert package in LEVEL, f"{package} has no place in LAYERS"
    for name in imports(path):
        if not name.startswith(NAME + "."):
            continue
        other = name.split(".")[1]
        assert other == package or LEVEL[other] > LEVEL[package], f"{package} may not import {other}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if package_of(p) in PURE], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_the_pure_core_does_no_io(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE


def test_async_stays_at_the_edge() -> None:
    for path in MODULES:
        if package_of(path) in ASYNC:
            continue
        tree = ast.parse(path.read_text())
        protocols = {n for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for n in ast.walk(c) if _is_protocol(c)}
        found = [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef) and n not in protocols]
        assert not found, f"{path}: async def"


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def test_modules_stay_small() -> None:
    assert {str(p): n for p in MODULES if (n := len(p.read_text().splitlines())) > 400} == {}


def test_no_words_to_do_without() -> None:
    words = {"manager", "handler", "helper", "helpers", "utils", "util", "service", "misc", "common"}
    assert not [p for p in MODULES if p.stem in words]


@pytest.mark.parametrize("module", [NAME, f"{NAME}.cli.serve", f"{NAME}.server.listen"])
def test_serving_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(m.partition('.')[0] for m in sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(found) & HEAVY


def test_the_package_itself_imports_cheaply() -> None:
    code = f"import sys, {NAME}; print(len([m for m in sys.modules if m.startswith('{NAME}.')]))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(found) <= 5
