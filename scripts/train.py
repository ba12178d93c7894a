"""Trains the shipped predictor anew from the data files that its card names. train.py FOLDER [--check]

The files are looked for in FOLDER by their names. Without --check the shipped file is replaced, whatever is in the
files: this is how a new version is made. With --check nothing is replaced: the files must be the very ones of the
card, and what is trained from them is compared with the shipped file byte by byte; exit 1 where they differ, and the
parts that do are named. Exit 2 where the files are not there, or not those.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from llm_inference_router.learning.artefact import SHIPPED, Artefact, ArtefactError, load
from llm_inference_router.signals.features import NAMES
from llm_inference_router.training.train import PROMPTS

TABLES = ("weights", "bias")


class Carded(Struct, frozen=True, tag_field="file", tag="llm-router predictor"):
    """What is read of an artefact here."""

    card: Mapping[str, Any]


class Wrong(Exception):
    """The files are not there, or are others than the card's."""


def card_of(path: Path) -> Mapping[str, Any]:
    """Of any format: what this version cannot serve any more, a new one may be made from. Raises ArtefactError
    where it is no predictor."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Carded).card
    except (OSError, msgspec.DecodeError) as error:
        raise ArtefactError(f"{path}: is not a predictor made by `llm-router train`: {error}") from error


def sources(card: Mapping[str, Any]) -> dict[str, str]:
    """The hash of each file, by its name. Raises `Wrong` for a predictor that names none."""
    files: dict[str, str] = {}
    for source in card.get("sources", {}).values():
        files |= source["files"]
    if not files:
        raise Wrong("the predictor has no card, so it does not say what it was made of; run `llm-router train FILES`")
    return files


def found(folder: Path, names: Mapping[str, str]) -> list[Path]:
    """Raises `Wrong` with every file that is not there."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise Wrong("\n".join(f"{folder / name}: is missing" for name in missing))
    return [folder / name for name in names]


def others(paths: list[Path], hashes: Mapping[str, str]) -> list[str]:
    """What is to be said of files whose content is not the card's."""
    digests = {path: sha256(path.read_bytes()).hexdigest() for path in paths}
    return [
        f"{path}: sha256 {digest}, but the card names {hashes[path.name]}"
        for path, digest in digests.items()
        if digest != hashes[path.name]
    ]


def differences(fresh: Artefact, shipped: Artefact) -> list[str]:
    """A line for each part that differs; of tables how many numbers do, and by how much."""
    lines = []
    for name in fresh.__struct_fields__:
        mine, theirs = getattr(fresh, name), getattr(shipped, name)
        if mine == theirs:
            continue
        if name in TABLES and len(mine) == len(theirs):
            a, b = (np.frombuffer(one, "<f4").astype(np.float64) for one in (mine, theirs))
            lines.append(f"{name}: {int((a != b).sum())} of {len(a)} numbers, by {np.abs(a - b).max():.4f} at most")
        elif isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            keys = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
            lines.append(f"{name}: {', '.join(keys)}")
        else:
            lines.append(name)
    return lines or ["the same content, written in another order"]


def trained(paths: list[Path], output: Path, seed: int) -> None:
    """By the command itself, in a process of its own. Raises CalledProcessError."""
    command = [sys.executable, "-P", "-m", "llm_inference_router.cli.main", "train", *map(str, paths)]
    subprocess.run([*command, "--seed", str(seed), "--output", str(output)], check=True)


def check(paths: list[Path], shipped: Path, card: Mapping[str, Any]) -> int:
    """Raises `Wrong` for prompts that are not the card's."""
    written = card["written"]["files"]
    if changed := others([PROMPTS], {PROMPTS.name: written.get(PROMPTS.name, "no such file")}):
        raise Wrong("\n".join(changed))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / shipped.name
        trained(paths, output, card["seed"])
        if output.read_bytes() == shipped.read_bytes():
            print(f"the same bytes as {shipped.name}")
            return 0
        print(f"{shipped}: another file. These parts differ:")
        print(*(f"  {line}" for line in differences(load(output, NAMES), load(shipped, NAMES))), sep="\n")
        return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--check", action="store_true", help="replace nothing; exit 1 where the bytes differ")
    parser.add_argument("--predictor", type=Path, default=SHIPPED, metavar="FILE", help="instead of the shipped one")
    asked = parser.parse_args()
    try:
        card = card_of(asked.predictor)
        hashes = sources(card)
        paths = found(asked.folder, hashes)
        changed = others(paths, hashes)
        if asked.check:
            if changed:
                raise Wrong("\n".join([*changed, "These are other data, so nothing can be compared."]))
            return check(paths, asked.predictor, card)
        print(*(f"note: {line}" for line in changed), sep="\n", end="\n" if changed else "", file=sys.stderr)
        trained(paths, asked.predictor, card["seed"])
    except (ArtefactError, Wrong) as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
