"""Training in one process or in several, one for each GPU, as `torchrun` starts them."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process trains: its number among `count` and its device."""

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process prints and saves."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            dist.barrier()

    def leave(self) -> None:
        """Part from the other processes."""
        if self.count > 1:
            dist.destroy_process_group()

    def agree(self, value: float) -> float:
        """The leader's value, in every process."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, device=self.device)
        dist.broadcast(shared, 0)
        return shared.item()

    def average_gradients(self, params: list[nn.Parameter]) -> None:
        """Give every process the mean of all gradients; what is no number counts as zero."""
        grads = [p.grad for p in params if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads]).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        if self.count > 1:
            dist.all_reduce(flat, dist.ReduceOp.AVG)
        pieces = torch.split(flat, [g.numel() for g in grads])
        torch._foreach_copy_(grads, [f.view_as(g) for f, g in zip(pieces, grads, strict=True)])


def join() -> Place:
    """This process's place, by the environment that `torchrun` sets."""
    rank, count = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    torch.set_float32_matmul_precision("high")
    if not torch.cuda.is_available():
        return Place(0, 1, torch.device("cpu"))
    torch.cuda.set_device(rank)
    device = torch.device("cuda", rank)
    if count > 1:
        dist.init_process_group("nccl", device_id=device)
    return Place(rank, count, device)
