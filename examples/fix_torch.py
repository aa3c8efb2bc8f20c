"""Binary hidden units on handwritten digits, in PyTorch: dead with the bare sign, alive with one line changed.

Run it: ``python examples/fix_torch.py``. It needs torch and scikit-learn, and takes a few seconds.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import straightthrough as ste

images, labels = load_digits(return_X_y=True)
data = train_test_split(images / 8 - 1, labels, test_size=0.25, random_state=0)
x, x_test = (torch.tensor(part, dtype=torch.float32) for part in data[:2])
y, y_test = (torch.tensor(part) for part in data[2:])


def train(activation, epochs=100):
    """Accuracy on the test images, and the norm of the first layer's gradient before the first step."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(64, 16), torch.nn.Linear(16, 16), torch.nn.Linear(16, 10)]
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)

    def logits(x):
        for layer in layers[:-1]:
            x = activation(layer(x))
        return layers[-1](x)

    first = None
    for _ in range(epochs):
        loss = torch.nn.functional.cross_entropy(logits(x), y)
        optimizer.zero_grad()
        loss.backward()
        first = layers[0].weight.grad.norm().item() if first is None else first
        optimizer.step()
    return (logits(x_test).argmax(1) == y_test).float().mean().item(), first


def main():
    broken = torch.sign
    fixed = ste.with_proxy(torch.sign, proxy="clipped_identity")  # the one line
    results = {"the bare sign": train(broken), "with a proxy": train(fixed)}
    for name, (accuracy, gradient) in results.items():
        print(f"{name}: gradient of the first layer {gradient:.3f}, accuracy {accuracy:.2f}")
    return results


if __name__ == "__main__":
    main()
