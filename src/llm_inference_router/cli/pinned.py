"""Starts the command anew with numerical libraries that compute the same bits on every x86-64 machine."""

import os
import platform
import sys
from collections.abc import Mapping

# Threads and the kernels for wider vectors add numbers up in another order, so the last bits would depend on the
# machine. Haswell's kernels run on every x86-64 since 2013. NumPy's own loops for AVX-512 round exp otherwise.
_THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_KERNELS = {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}


def wanted() -> dict[str, str]:
    """The variables; kernels are named on x86-64 alone."""
    return {**_THREADS, **(_KERNELS if platform.machine().lower() in {"x86_64", "amd64"} else {})}


def is_pinned(environment: Mapping[str, str]) -> bool:
    return all(environment.get(name) == value for name, value in wanted().items())


def pin() -> None:
    """Replaces this process by the same command, once. The libraries read the variables when they are loaded, and
    something has loaded them by now."""
    if not is_pinned(os.environ):
        # -P: -m alone would look for modules in the working directory first.
        arguments = [sys.executable, "-P", "-m", "llm_inference_router.cli.main", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, **wanted()})
