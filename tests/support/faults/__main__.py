"""An upstream that breaks on purpose, for whoever wants to see what a gateway makes of it.

usage: python -m tests.support.faults [--port 9000] [--list]

It speaks OpenAI's chat completions, completions and responses, and Anthropic's messages. The `model` of a request
chooses what happens; `fb-ok` answers well.

examples:
  python -m tests.support.faults --list
  python -m tests.support.faults --port 9000
  curl localhost:9000/v1/chat/completions -d '{"model": "cut", "stream": true, "messages": []}'
"""

import argparse
import sys
import time

from tests.support.faults.scenarios import SCENARIOS
from tests.support.faults.server import running


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9000, help="on loopback; 0 takes a free one")
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    asked = parser.parse_args()
    if asked.list:
        width = max(map(len, SCENARIOS))
        for one in SCENARIOS.values():
            sys.stdout.write(f"{one.name:{width}}  {one.about}\n")
        return
    with running(asked.port) as server:
        sys.stdout.write(f"breaking on purpose at {server.url}; --list says how; ctrl-c ends\n")
        sys.stdout.flush()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            sys.stdout.write(f"\n{sum(server.requests.values())} requests: {dict(server.requests)}\n")


if __name__ == "__main__":
    main()
