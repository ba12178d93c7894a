"""The same questions in seventeen languages, own translations."""

import json
from pathlib import Path

QUESTIONS: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "translations.json").read_text("utf-8"))
