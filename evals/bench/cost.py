"""What a training step of ours costs: how near it comes to the machine's best matrix product, and what it spends time and memory on."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import torch

from engrain.consolidation.train.recipe import Recipe
from engrain.consolidation.train.trainer import Epoch, train
from engrain.evals.bench.cases import Case
from engrain.memory.bank.base import BaseModel
from engrain.memory.halved import Halved

_TOLD = 12
"""Operations that are named one by one."""


def _halved_flops(x: Sequence[int], _: object, *, out_shape: Sequence[int], **__: object) -> int:
    """Of a product with a weight that is rounded to float16, which the counter does not know."""
    return 2 * math.prod(out_shape) * x[-1]


COUNTED = {torch.ops.quantized.linear_dynamic_fp16: _halved_flops}
"""What PyTorch's counter must be told of."""


def cost_of_a_step(case: Case, base: BaseModel, recipe: dict[str, Any]) -> dict[str, Any]:
    """Floating-point operations a second of our training epochs, as a share of the best that matrix products reach here; where the time goes
    and where the memory went, see `_operations`; the memory is the largest until then, in MB.

    What products with the zeros of joined factors cost (a percent or so), or of sequences that are filled up, is counted too.
    """
    from torch.utils.flop_counter import FlopCounterMode

    memory = [peak_rss()]
    train(base, case.trained, Recipe(**recipe), on_epoch=lambda _: memory.append(peak_rss()))
    short = Recipe(**{**recipe, "epochs": 3, "least_steps": 0, "recalled": 1.1, "settle": 0, "rest": False})
    plain: list[Epoch] = []
    train(base, case.trained, short, on_epoch=plain.append)
    counted: list[int] = []
    with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
        train(base, case.trained, short, on_epoch=lambda _: counted.append(counter.get_total_flops()))
    peaks = {str(dtype).removeprefix("torch."): matmul_peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    with suppress(RuntimeError):  # a processor without them
        peaks["float16 weights"] = halved_peak()
    rate = (counted[-1] - counted[-2]) / plain[-1].seconds
    return {
        "flops_share_of_peak": round(rate / max(peaks.values()), 3), "gflops": round(rate / 1e9, 1),
        "matmul_peak_gflops": {name: round(peak / 1e9, 1) for name, peak in peaks.items()}, "threads": torch.get_num_threads(),
        "time_by_operation": _operations(case, base, short),
        "peak_rss_mb_by_stage": {"model loaded": memory[0], "prepared, one epoch": memory[1], "settled": memory[-1]},
    }  # fmt: skip


def _operations(case: Case, base: BaseModel, recipe: Recipe) -> dict[str, float]:
    """Share of the time that an epoch spends in torch's operations of each kind, by torch's profiler: small ones look larger than they are."""
    profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    turns = iter((lambda: None, profiler.start, profiler.stop))
    train(base, case.trained, recipe, on_epoch=lambda _: next(turns)())
    spent = {event.key: float(event.self_cpu_time_total) for event in profiler.key_averages()}
    first = sorted(spent, key=lambda name: -spent[name])[:_TOLD]
    return {name: round(spent[name] / sum(spent.values()), 3) for name in first}


def peak_rss() -> int:
    """Most memory that this process had until now, in MB; files that are mapped into it count as far as they were read."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def matmul_peak(dtype: torch.dtype, seconds: float = 2.0) -> float:
    """Floating-point operations a second of square matrix products, the best of several sizes and tries; a size that takes longer
    than `seconds` is the last: some processors multiply bfloat16 without any help."""
    return _peak(lambda a, b: partial(torch.mm, a.to(dtype), b.to(dtype)), seconds)


def halved_peak(seconds: float = 2.0) -> float:
    """The same with one of the two rounded to float16, see `Halved`."""
    return _peak(lambda a, b: partial(Halved(b, None), a), seconds)


def _peak(product: Callable[[torch.Tensor, torch.Tensor], Callable[[], object]], seconds: float) -> float:
    best = 0.0
    for size in (512, 1024, 2048):
        multiply = product(torch.randn(size, size), torch.randn(size, size))
        began = time.perf_counter()
        for _ in range(8):
            started = time.perf_counter()
            multiply()
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
            if time.perf_counter() - began > seconds:
                return best
    return best
