"""A layer with a hard activation on two gloo processes: DDP or FSDP2 against one process with the whole batch."""

import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import straightthrough as ste


class Model(torch.nn.Module):
    """Two layers with a sign between."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = torch.nn.Linear(4, 6), torch.nn.Linear(6, 2)

    def forward(self, x):
        """The output of the second layer."""
        return self.last(ste.sign(self.first(x)))


def wanted(x):
    """Gradients of one process."""
    model = Model()
    model(x).square().mean().backward()
    return [p.grad for p in model.parameters()]


def worker(rank, kind, store):
    """One of the two processes; each sees half of the batch."""
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    torch.manual_seed(1)
    x = torch.randn(8, 4)
    if kind == "ddp":
        model = DistributedDataParallel(Model())
    else:
        mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
        model = fully_shard(Model(), mesh=mesh)
    model(x[4 * rank : 4 * rank + 4]).square().mean().backward()
    for parameter, right in zip(model.parameters(), wanted(x), strict=True):
        got = parameter.grad.full_tensor() if kind == "fsdp2" else parameter.grad
        torch.testing.assert_close(got, right)
    assert float(wanted(x)[0].abs().sum()) > 0
    if rank == 0:
        print("gradients agree", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(worker, args=(sys.argv[1], sys.argv[2]), nprocs=2)
