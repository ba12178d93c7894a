from typing import get_args

import pytest

from llm_inference_router.backends.registry import backend
from llm_inference_router.config.schema import BackendName


@pytest.mark.parametrize("name", get_args(BackendName))
def test_every_name_of_the_configuration_is_a_backend(name: str) -> None:
    assert backend(name) is backend(name)


def test_another_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        backend("nonesuch")
