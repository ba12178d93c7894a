"""llama.cpp's own HTTP server, from its Python wheel: `python -m tests.real.llama_cpp MODEL_FOLDER GGUF PORT`.

It runs in an environment of its own (requirements/real-llama-cpp.txt). The model becomes a GGUF file first.
"""

import signal
import sys
from pathlib import Path

import xllamacpp

from tests.real.gguf_file import write

WINDOW = 2048


def main(folder: str, gguf: str, port: str) -> None:
    write(Path(folder), Path(gguf))
    wanted = xllamacpp.CommonParams()
    wanted.model.path = gguf
    wanted.model_alias = {"tiny"}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = int(port)
    wanted.n_ctx = WINDOW
    wanted.n_parallel = 1
    wanted.use_jinja = True
    wanted.cpuparams.n_threads = 1  # two layers: further threads only wait for each other
    wanted.cpuparams_batch.n_threads = 1
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before its threads start: they inherit this
    server = xllamacpp.Server(wanted)
    signal.sigwait(stops)
    del server  # which ends it


if __name__ == "__main__":
    main(*sys.argv[1:])
