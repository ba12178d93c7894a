"""Where the real servers and clients are installed: once, from locks, into one folder that git ignores."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".venv-real"
NODE = Path(__file__).parent / "node"
INSTALL_WITHIN_S = 1800

Say = Callable[[str], None]


class Environment(Protocol):
    """A folder of installed programs."""

    @property
    def folder(self) -> Path: ...

    def install(self, say: Say) -> None:
        """Installs what is missing. Raises RuntimeError with the installer's words."""


@dataclass(frozen=True)
class Venv:
    """A virtual environment from the lock `requirements/real-NAME.txt`; `given`, an environment variable, names a
    folder in its place, in which nothing is changed.
    """

    name: str
    given: str = ""
    alias: tuple[str, str] | None = None  # a distribution's name and version that another one asks for

    @property
    def folder(self) -> Path:
        return Path(os.environ.get(self.given) or CACHE / self.name).resolve()

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, say: Say) -> None:
        if os.environ.get(self.given):
            return
        lock = ROOT / "requirements" / f"real-{self.name}.txt"
        if _installed(self.folder, lock):
            return
        say(f"installing {lock.name} into {self.folder.relative_to(ROOT)} (once; it may take minutes)")
        _run([sys.executable, "-m", "venv", "--clear", str(self.folder)], ROOT)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--no-deps", "--require-hashes", "-r", str(lock)], ROOT)
        if self.alias is not None:
            _alias(self.folder, *self.alias)
        _stamp(self.folder, lock)


@dataclass(frozen=True)
class NodePackages:
    """The package folder `node`, copied: its scripts find what is installed beside them."""

    folder: Path = CACHE / "node"

    def install(self, say: Say) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in NODE.iterdir():
            shutil.copy(path, self.folder)
        lock = NODE / "package-lock.json"
        if _installed(self.folder, lock):
            return
        say(f"installing {lock.name} into {self.folder.relative_to(ROOT)} (once)")
        if shutil.which("npm") is None:
            raise RuntimeError("npm is needed for the Node clients and for aimock: install Node.js 20 or newer")
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.folder)
        _stamp(self.folder, lock)


def _alias(folder: Path, name: str, version: str) -> None:
    [packages] = folder.glob("lib/python3*/site-packages")
    found = packages / f"{name}-{version}.dist-info"
    found.mkdir(exist_ok=True)
    (found / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def _installed(folder: Path, lock: Path) -> bool:
    stamp = folder / "installed"
    return stamp.is_file() and stamp.read_text() == _digest(lock)


def _stamp(folder: Path, lock: Path) -> None:
    (folder / "installed").write_text(_digest(lock))


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_WITHIN_S)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
