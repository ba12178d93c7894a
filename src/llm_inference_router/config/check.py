"""All that must hold of a config beyond its form: values, then names, then what they leave to choose from."""

from collections.abc import Iterable

from llm_inference_router.config import names, reach, values
from llm_inference_router.config.report import Report
from llm_inference_router.config.schema import Config
from llm_inference_router.config.yaml import Path


def check(config: Config, replaced: Iterable[Path] = (), *, sound: bool = True) -> Report:
    """Every problem and warning. `replaced`: places whose values stand in for wrong or unknown ones.

    `sound` False: the file's form has problems, so what depends on the whole of it is not looked at.
    """
    report = Report(replaced)
    values.check(config, report)
    names.check(config, report)
    if sound and not report.problems:
        reach.check(config, report)
    return report
