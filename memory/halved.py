"""Products with weights rounded to float16, inputs and sums in float32: where few rows meet a matrix, time goes into fetching it.

FBGEMM's packed matrices (Khudia et al., arXiv 2101.05615), as PyTorch brings them along.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Halved:
    """A linear map; raises RuntimeError where the processor or the weights do not allow it."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Of a weight of shape (out, in) and a bias of shape (out,); both are copied."""
        weight, bias = weight.detach(), None if bias is None else bias.detach()
        if float(weight.abs().max()) > torch.finfo(torch.float16).max:
            raise RuntimeError("a weight is larger than float16 holds")
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)

    def __call__(self, x: Tensor) -> Tensor:
        """Of rows of shape (rows, in): shape (rows, out)."""
        return torch.ops.quantized.linear_dynamic_fp16(x, self._packed)  # type: ignore[no-any-return]
