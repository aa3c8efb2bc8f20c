"""A PyTorch network saved with the hard operators only, run again without straightthrough, and compared bitwise.

Run it: ``python examples/ship_torch.py``. It needs torch.
"""

import tempfile

import torch

import straightthrough as ste
from straightthrough.torch import StraightThrough


def main():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), StraightThrough("sign"), torch.nn.Linear(16, 3))
    x, target = torch.randn(64, 8), torch.randint(3, (64,))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    shipped = ste.ship(model.eval(), x, tempfile.mkdtemp() + "/model.pt2")
    print(shipped)
    return shipped


if __name__ == "__main__":
    main()
