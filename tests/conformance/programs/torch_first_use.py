"""The first use of the library in a process, inside torch.compile or torch.export."""

import sys

import torch

import straightthrough as ste

if sys.argv[1] == "compile":
    x = torch.tensor([0.0, 0.5], requires_grad=True)
    program = torch.compile(lambda x: ste.sign(x, proxy="atan(alpha=3)").sum(), backend="aot_eager", fullgraph=True)
    program(x).backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, ste.proxies.atan(alpha=3).slope(x.detach())), x.grad
else:

    class Module(torch.nn.Module):
        """One operation."""

        def forward(self, x):
            """The sign."""
            return ste.sign(x)

    program = torch.export.export(Module(), (torch.ones(2),)).module()
    assert program(torch.tensor([0.0, -2.0])).tolist() == [1.0, -1.0]
    assert ste.sign(torch.tensor([0.1, -2.0])).tolist() == [1.0, -1.0]
print("right")
