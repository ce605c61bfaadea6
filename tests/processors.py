"""Each process of a parallel run, and what it starts, has processors of its own: torch's threads do not share one well."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    _all = sorted(os.sched_getaffinity(0))
    _mine = _all[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])] or _all
    os.sched_setaffinity(0, _mine)
    os.environ["OMP_NUM_THREADS"] = str(len(_mine))
