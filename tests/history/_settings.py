"""How many histories to play."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

#: ``make history EXAMPLES=…`` sets it; the tests proper play few.
EXAMPLES = int(os.environ.get("HISTORY_EXAMPLES", "150"))


def histories(share: float, steps: int) -> settings:
    """Settings for a part of all histories, of so many steps each."""
    return settings(
        max_examples=max(1, round(EXAMPLES * share)), stateful_step_count=steps, deadline=None,
        print_blob=True, suppress_health_check=[HealthCheck.too_slow])
