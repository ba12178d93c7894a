"""The whole configurations that the guides show are good ones; fragments, without `routes`, are not looked at."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.serving.router import COMMAND

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted(GUIDES.glob("*.md"))
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
    if re.search("^routes:", block, re.MULTILINE)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_shown_configuration_passes_check(block: str, tmp_path: Path) -> None:
    (tmp_path / "router.yaml").write_text(block)
    done = subprocess.run([*COMMAND, "check", "router.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
