"""Gradient norms of ALONE's o, W_1, W_2, ..., in fairseq's log and in TensorBoard.

fairseq itself logs the norm of all gradients, before clipping, and the loss scale. The norms here are of what the
optimizer gets, after clipping. With --fp16 the number of updates is logged, too, that this process has left out
for an overflow.
"""

from collections.abc import Iterator

import torch
from fairseq.logging import metrics
from fairseq.optim.dynamic_loss_scaler import DynamicLossScaler
from torch import Tensor, nn

from alone_fairseq.embedding import AloneEmbedding

PRIORITY = 401  # in the log, behind that of fairseq's gnorm


def log_gradients(task, model: nn.Module) -> None:
    """Let ``task``, a fairseq task, log them at each step of the optimizer, if it takes any."""
    parts, step, steps = embedding_parts(model), getattr(task, "optimizer_step", None), 0
    if not parts or step is None:
        return

    def logged_step(optimizer, model, update_num):
        nonlocal steps
        # In half precision the gradients are still multiplied by this, when the step begins.
        factor = getattr(optimizer, "_multiply_factor", 1.0)
        scaler = getattr(optimizer, "scaler", None)
        half = isinstance(scaler, DynamicLossScaler)  # that of --fp16, which takes no step after an overflow
        for name, parameters in parts.items():
            value = factor * norm(parameters)
            if scaler is None or half or value.isfinite():  # else that of --amp, whose steps come to nothing then
                metrics.log_scalar(f"gnorm_{name}", value, priority=PRIORITY, round=4)
        if half:  # it counts attempts
            metrics.log_scalar("overflows", scaler._iter - steps, weight=0, priority=PRIORITY, round=0)
        steps += 1
        step(optimizer, model, update_num)

    task.optimizer_step = logged_step


def embedding_parts(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """o, w1, w2, ... of all its ALONE embeddings, as far as they are trained."""
    parts: dict[str, list[nn.Parameter]] = {}
    for module in model.modules():
        if isinstance(module, AloneEmbedding):
            for name, parameter in named_parts(module):
                if parameter.requires_grad:
                    parts.setdefault(name, []).append(parameter)
    return parts


def named_parts(embedding: AloneEmbedding) -> Iterator[tuple[str, nn.Parameter]]:
    yield "o", embedding.base
    for number, weight in enumerate(embedding.weights, 1):
        yield f"w{number}", weight


def norm(parameters: list[nn.Parameter]) -> Tensor:
    """Euclidean norm of all their gradients together, in float32."""
    norms = [torch.linalg.vector_norm(p.grad, dtype=torch.float32) for p in parameters if p.grad is not None]
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())
