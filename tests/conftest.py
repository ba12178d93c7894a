"""How many examples the laws are tried on, and which.

The ordinary tests try the same examples every time, so that a change is judged by what it changes. `make fuzz` draws
new ones, and many more of them: what it finds becomes a test of its own.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.register_profile(
    "fuzz", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("LAWS", "same"))
