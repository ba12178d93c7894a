"""The documents tell what the code does: every name in them exists, and every name of the code is in them."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml
from click.testing import CliRunner
from openai import OpenAI

from llm_inference_router import errors
from llm_inference_router.cli.main import main as command_line
from llm_inference_router.config.load import inspect
from llm_inference_router.config.schema import Config
from llm_inference_router.dialects.spoken import PATHS
from llm_inference_router.dialects.warning import Reason
from llm_inference_router.telemetry.metrics import Metrics
from scripts import reference
from tests.serving.router import serving

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "llm_inference_router"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
HTTP = (ROOT / "docs/reference/http.md").read_text()
ARCHITECTURE = (ROOT / "docs/explain/architecture.md").read_text()

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in FENCE.findall(text) if language in languages]


def prose(text: str) -> str:
    return FENCE.sub("", text)


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a page's tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


# --- links and places -------------------------------------------------------------------------------------------------


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: no such file"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(target.read_text()), re.MULTILINE)
            assert anchor in {reference._anchor(heading) for heading in headings}, f"{link}: no such heading"


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    assert {page for page in (ROOT / "docs").rglob("*.md") if page != index} <= linked


def test_every_image_is_shown() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in LINK.findall(page.read_text())}
    images = set((ROOT / "docs" / "images").iterdir())
    assert images
    assert images <= shown
    assert {str(i): i.stat().st_size for i in images if i.stat().st_size > 200_000} == {}


@each_page
def test_no_place_of_a_machine_and_no_registry_is_named(page: Path) -> None:
    text = page.read_text()
    assert not re.findall(r"(?<![\w.:/~$-])/(?:work|root|home|tmp|opt|mnt|media|Users|private)/\S*", text)
    hosts = r"pypi\.org|pythonhosted|npmjs|registry\.(?!py)|docker\.io|ghcr\.io|quay\.io|anaconda|crates\.io"
    assert not re.findall(hosts, text, re.IGNORECASE)


# --- names of the code ------------------------------------------------------------------------------------------------


def test_the_tree_lists_every_module_once() -> None:
    tree = blocks(section(ARCHITECTURE, "The tree"), "")[0].splitlines()[1:]
    listed: list[str] = []
    folder = ""
    for line in tree:
        name, _, said = line.strip().partition(" ")
        if line.startswith("    "):
            listed.append(f"{folder}{name}")
        elif name.endswith("/"):
            folder = name
            continue
        else:
            folder = ""
            listed.append(name)
        assert said.strip(), f"{name}: no words"
    assert len(listed) == len(set(listed))
    skipped = {"__init__.py", "py.typed"}
    kept = {".py", ".yaml", ".html", ".json", ".jsonl", ".typed"}
    there = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.*")
        if path.is_file() and path.suffix in kept and path.name not in skipped
    }
    assert set(listed) == there


def defined(module: Path) -> set[str]:
    """Functions, classes, methods and constants of a module; methods as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            for inner in ast.iter_child_nodes(node):
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    names.add(f"{node.name}.{inner.name}")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


@each_page
def test_modules_functions_and_tests_that_are_named_exist(page: Path) -> None:
    wrong = []
    for name in INLINE.findall(prose(page.read_text())):
        if found := re.fullmatch(r"([\w/-]+\.py)::(test_\w+)", name):
            file = ROOT / "tests" / found[1].removeprefix("tests/")
        elif found := re.fullmatch(r"([\w/-]+/\w+\.py)(?::([\w.]+))?", name):
            file = next(
                (base / found[1] for base in (SOURCE, ROOT, ROOT / "tests") if (base / found[1]).exists()), ROOT
            )
        else:
            continue
        if not file.is_file() or (found[2] and found[2] not in defined(file)):
            wrong.append(name)
    assert not wrong


def test_the_map_leads_to_at_least_forty_behaviours_with_code_and_test() -> None:
    table = rows(section(ARCHITECTURE, "Where do I find ...?"))[1:]
    assert len(table) >= 40
    for behaviour, code, test in table:
        assert re.fullmatch(r"`[\w/]+\.py:[\w.]+`", code), behaviour
        assert re.fullmatch(r"`[\w/]+\.py::test_\w+`", test), behaviour


@each_page
def test_make_targets_that_are_named_exist(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    shown = [*INLINE.findall(prose(text)), *"\n".join(blocks(text, "sh", "")).splitlines()]
    named = {found[1] for line in shown if (found := re.match(r"make ([a-z-]+)", line))}
    assert named <= known


# --- generated pages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", reference.PAGES, ids=lambda p: p.name)
def test_generated_pages_are_fresh(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == reference.PAGES[page](), "run `make docs`"


def test_a_page_without_its_marks_is_an_error() -> None:
    assert reference.filled("a\n<!-- x: made by scripts/reference.py -->\nold\n<!-- end of x -->\nb", "x", "new") == (
        "a\n<!-- x: made by scripts/reference.py -->\n\nnew\n\n<!-- end of x -->\nb"
    )
    with pytest.raises(ValueError, match="the page needs"):
        reference.filled("nothing", "x", "new")


def test_every_metric_is_listed_as_it_is_scraped() -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text()
    families = [family for family in Metrics().registry.collect() if family.name.startswith("llm_router_")]
    assert families
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert f"| `{name}` | {family.type} |" in page


@each_page
def test_metrics_that_are_named_exist(page: Path) -> None:
    known = {family.name for family in Metrics().registry.collect()}
    for name in re.findall(r"llm_router_\w+", page.read_text()):
        assert re.sub(r"_(total|bucket|sum|count|created)$", "", name) in known, name


# --- configuration ----------------------------------------------------------------------------------------------------

YAML = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page.read_text(), "yaml"))
]
MODELS = "\n".join(
    f"  - {{name: {tier}, backend: simulated, tier: {tier}, location: local, context: 8192}}"
    for tier in ("small", "medium", "large")
)


@pytest.mark.parametrize("block", YAML)
def test_a_shown_configuration_has_no_problem(block: str, tmp_path: Path) -> None:
    """A part of a file is completed with simulated models and a route of all models."""
    keys = yaml.safe_load(block)
    assert set(keys) <= set(Config.__struct_fields__), "blocks of other programs' YAML are marked `text`"
    if "models" not in keys:
        block += f"\nmodels:\n{MODELS}\n"
    if "routes" not in keys:
        names = [model["name"] for model in yaml.safe_load(block)["models"]]
        block += f"\nroutes:\n  auto: {{models: [{', '.join(names)}]}}\n"
    file = tmp_path / "router.yaml"
    file.write_text(block)
    assert inspect(file).problems == ()


# --- the command line -------------------------------------------------------------------------------------------------


def shown_commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `llm-router ...` in a page's code, up to the next shell word."""
    lines = [*INLINE.findall(prose(text)), *"\n".join(blocks(text, "sh", "")).splitlines()]
    for line in lines:
        if "llm-router is ready" in line:
            continue
        for found in re.finditer(r"(?:^|[\s/]|\$ )llm-router (?=[a-z-])(.*?)(?=\s{2,}|&&|\||;|#|>|<|$)", line):
            yield shlex.split(found[1])


def options_of(verb: str) -> set[str]:
    command: click.Command = importlib.import_module(f"llm_inference_router.cli.{verb}").command
    parameters = [p for p in command.params if isinstance(p, click.Option)]
    return {"-h", "--help"}.union(*(p.opts + p.secondary_opts for p in parameters))


@each_page
def test_commands_that_are_shown_exist_with_their_options(page: Path) -> None:
    verbs = command_line.list_commands(click.Context(command_line))
    for arguments in shown_commands(page.read_text()):
        if arguments[0] in ("--help", "--version"):
            continue
        assert arguments[0] in verbs, arguments
        used = {argument.partition("=")[0] for argument in arguments[1:] if re.match(r"--?[a-z]", argument)}
        assert used <= options_of(arguments[0]), arguments


def test_commands_are_found_in_the_pages() -> None:
    found = [arguments[0] for page in PAGES for arguments in shown_commands(page.read_text())]
    assert set(found) >= set(command_line.list_commands(click.Context(command_line)))


# --- code that is shown -----------------------------------------------------------------------------------------------

PYTHON = {
    str(page.relative_to(ROOT)): [
        block
        for block in blocks(page.read_text(), "python")
        if "langchain" not in block  # not installed for the tests
    ]
    for page in PAGES
}


@pytest.mark.parametrize("page", [page for page, found in PYTHON.items() if found])
def test_the_shown_python_gets_answers(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks of a page in their order, as a reader would paste them, against a router with simulated models."""
    models = MODELS.replace("context: 8192", "context: 8192, price: {input: 1, output: 2}")
    with serving(tmp_path, f"models:\n{models}\nroutes:\n  auto: {{models: [small, medium, large]}}\n") as router:
        shared: dict[str, object] = {}
        for block in PYTHON[page]:
            exec(block.replace("http://127.0.0.1:4100", router.url), shared)
            assert capsys.readouterr().out.strip()
        client = shared["client"]
        assert isinstance(client, OpenAI)
        client.close()


# --- errors, headers, the decision ------------------------------------------------------------------------------------

ERROR_ROWS = rows(section(HTTP, "Errors"))[1:]
DOCUMENTED = [(int(row[0]), code, row[2]) for row in ERROR_ROWS for code in re.findall(r"`(\w+)`", row[1])]
SPEAKING = [
    SOURCE / "errors.py",
    SOURCE / "backends" / "faults.py",
    *(
        path
        for package in ("dialects", "engine", "routing", "server")
        for path in sorted((SOURCE / package).glob("*.py"))
    ),
]


def raised() -> Iterator[tuple[str, type[errors.RouterError] | None]]:
    """Every error code that the source can say, with its class where the place tells."""
    for path in SPEAKING:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                cls = getattr(errors, name, None)
                for keyword in node.keywords:
                    if keyword.arg == "code":
                        yield from ((code, cls) for code in constants(keyword.value))
                if name == "empty":  # dialects.invalid
                    yield f"empty_{ast.literal_eval(node.args[1])}", errors.InvalidRequest
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if isinstance(target, ast.Name) and target.id.endswith("_CODE") and node.value is not None:
                    yield from ((code, None) for code in constants(node.value))
    for cls in vars(errors).values():
        if isinstance(cls, type) and issubclass(cls, errors.RouterError):
            yield cls.code, None
    yield errors.UpstreamRejected("", status=400, type="", code=None, param=None).code, None


def constants(value: ast.expr) -> list[str]:
    """The texts that an expression can be: itself, or one side of `x or "text"`."""
    parts = value.values if isinstance(value, ast.BoolOp) else [value]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    assert {code for _, code, _ in DOCUMENTED} == {code for code, _ in raised()}


def test_documented_errors_have_the_status_and_type_of_their_class() -> None:
    seen = 0
    for code, cls in raised():
        if cls is None or ("upstream" in cls.type and cls is not errors.UpstreamError):
            continue
        seen += 1
        assert (cls.status, code, f"`{cls.type}`") in DOCUMENTED, code
    assert seen > 20


def test_default_codes_have_the_status_and_type_of_their_class() -> None:
    leaves: list[type[errors.RouterError]] = [
        errors.InvalidRequest,
        errors.Unauthorized,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.RequestTimeout,
        errors.TooLarge,
        errors.Unservable,
        errors.Busy,
        errors.Draining,
        errors.UpstreamUnavailable,
        errors.UpstreamBroken,
        errors.Internal,
    ]
    for cls in leaves:
        assert (cls.status, cls.code, f"`{cls.type}`") in DOCUMENTED, cls


def test_every_header_is_documented_and_every_documented_one_exists() -> None:
    places = [*sorted((SOURCE / "server").glob("*.py")), SOURCE / "dialects/fault.py", SOURCE / "dialects/spoken.py"]
    source = "\n".join(path.read_text() for path in places)
    code = set(
        re.findall(
            r'b?"((?:x-[a-z-]+)|(?:anthropic-[a-z]+)|request-id|retry-after|www-authenticate|authorization'
            r'|idempotency-key|idempotent-replayed)"',
            source,
        )
    )
    tables = section(HTTP, "Request headers") + section(HTTP, "Response headers")
    assert {name for row in rows(tables) for name in re.findall(r"`([\w-]+)`", row[0])} == code


def test_every_path_is_documented_and_every_documented_one_exists() -> None:
    source = (SOURCE / "server" / "pages.py").read_text()
    code = {path.replace(":path}", "}") for path in re.findall(r'Route\("(/[^"]*)"', source)} | set(PATHS)
    assert {row[0].split()[1] for row in rows(section(HTTP, "Paths")) if row[0] != "method and path"} == code


def test_every_reason_of_a_warning_is_explained() -> None:
    words = {row[0].strip("`") for row in rows(section((ROOT / "docs/guides/failures.md").read_text(), "Warnings"))}
    assert words - {"reason"} == set(get_args(Reason))


def names_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name != "probabilities":
                yield from names_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_of(inner)


def test_every_field_of_a_decision_is_documented() -> None:
    done = CliRunner().invoke(
        command_line,
        ["route", "-c", str(ROOT / "examples/router.example.yaml"), "--json", "Hello"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    decision = yaml.safe_load(done.stdout)
    documented = set(re.findall(r"`(\w+)`", section(HTTP, "The decision")))
    assert set(names_of(decision)) <= documented
