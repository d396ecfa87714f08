"""A robustness verdict for a network that has nothing to do with advkd: `python audit_any_network.py`."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import TensorDataset

import advkd

digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
y = torch.tensor(digits.target)

torch.manual_seed(0)
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(200):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x[:1400]), y[:1400]).backward()
    optimizer.step()

verdict = advkd.audit(net, TensorDataset(x[1400:], y[1400:]), advkd.Threat(eps=0.1), suite="quick")
print(
    f"clean {verdict.clean:.1%}  robust {verdict.robust:.1%}  flags {[flag.name for flag in verdict.flags]}"
)
