"""How far `draw: M` is from the full sum under train-mode BatchNorm.

    python benchmarks/draw_bias.py RUN_FOLDER [draws]

Takes the student and the teacher of a run of `path-dual` on digits, one batch of 64 training images and its
untargeted path, and compares the mean gradient of many draws of the path term with the gradient of the
term over all points, in train mode (BatchNorm couples the samples of a forward) and in eval mode (it does
not). Printed: |mean - full| / |full|, and the standard error of that mean from the draws themselves.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

import advkd
from advkd.config.build import member
from advkd.config.layers import named, over
from advkd.reporters.jsonl import Jsonl
from advkd.splits import split
from advkd.step import Step
from advkd.streams import streams
from advkd.training.folder import written
from advkd.training.teachers import provided
from advkd.types import Path as Walked


def gradient(method: object, path: Walked, step: Step, student: nn.Module, seed: int) -> Tensor:
    """The gradient of the path term, all parameters in one vector."""
    student.zero_grad()
    step = replace(step, streams=streams(seed))
    for scalar, _ in method.losses({"untargeted": path}, None, step):  # type: ignore[attr-defined]
        scalar.backward()
    return torch.cat([p.grad.flatten().double() for p in student.parameters() if p.grad is not None])


def with_draw(draw: int | str) -> object:
    """`path-dual` reduced to the path term of its untargeted branch."""
    terms = {"path": {"draw": draw}, **{name: {"scale": 0} for name in ("robust", "hard", "clean")}}
    change = {"branches": {"untargeted": {"terms": terms}, "targeted": None}}
    raw = over(named("presets", "path-dual"), {"method": change})
    return member("methods", raw["method"], "method")[0]


def main(folder: Path, draws: int) -> None:
    """Prints one line per mode and M."""
    run, _ = written(folder, "run")
    splits = split(run.data, run.split)
    student = advkd.load(folder)
    teacher = provided(run, splits, torch.device("cpu"), Jsonl(path="/dev/null"))
    batch = splits.train.batch(torch.arange(64))
    step = Step(nets={"student": student, "teacher": teacher}, threat=run.threat, streams=streams(0))
    full = with_draw("all")
    path = full.paths(batch, step)["untargeted"]  # type: ignore[attr-defined]
    for mode in ("train", "eval"):
        student.train(mode == "train")
        wanted = gradient(full, path, step, student, 0)
        for m in (1, 2, 4):
            found = torch.stack([gradient(with_draw(m), path, step, student, s) for s in range(draws)])
            bias = ((found.mean(0) - wanted).norm() / wanted.norm()).item()
            error = (found.var(0).sum().sqrt() / draws**0.5 / wanted.norm()).item()
            cosine = torch.cosine_similarity(found.mean(0), wanted, 0).item()
            print(f"{mode} mode  M {m}  bias {bias:.3f}  standard error {error:.3f}  cosine {cosine:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 400)
