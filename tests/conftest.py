"""How many examples the laws are tried on, and which.

The ordinary tests try the same examples every time, so that a change is judged by what it changes. `make fuzz` draws
new ones, and many more of them: what it finds becomes a test of its own. Neither judges how long an example takes: that
depends on what else the machine does.
"""

import os

from hypothesis import HealthCheck, settings

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", _PATIENT, derandomize=True, database=None)
settings.register_profile("fuzz", _PATIENT, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("LAWS", "same"))
