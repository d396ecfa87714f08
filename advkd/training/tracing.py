"""Adversarial paths of a trained student on validation images, kept to be looked at: `paths.npz`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from advkd.data.images import Images
from advkd.data.split import limited
from advkd.files import write_arrays
from advkd.networks.modes import device_of, evaluating, full_float32
from advkd.protocols import Attack
from advkd.registry import load
from advkd.step import Step
from advkd.streams import Streams, streams
from advkd.types import Batch, Threat
from advkd.types import Path as Walked
from advkd.view import View
from advkd.walk import Recorder, walked
from advkd.weightings.common import margins

PATHS = "paths.npz"
SHOWN, MEASURED, CHUNK = 4, 256, 64
STEPS, STEP = 10, "1/4 eps"
AWAY, TOWARD = "untargeted", "targeted"
NETS = ("student", "teacher")


@dataclass(frozen=True)
class Traced:
    """The path of a few images on one branch, and what each network says at its T points."""

    path: Walked
    logits: Mapping[str, Tensor]

    def right(self, net: str) -> Tensor:
        """(T,B) bool: where the network names the true class."""
        return self.said(net) == self.path.y

    def said(self, net: str) -> Tensor:
        """(T,B): the class the network names."""
        return self.logits[net].argmax(2)

    def margin(self, net: str) -> Tensor:
        """(T,B): probability of the true class minus that of its likeliest rival, whatever the goal."""
        return margins(self.logits[net], Walked(self.path.x, self.path.y))


def leave(folder: Path, nets: Mapping[str, nn.Module], images: Images, threat: Threat, seed: int) -> None:
    """Writes `paths.npz`: strips of a few `images`, shares still right of up to 256, per branch and point.

    The paths are those of `pgd`, ten steps of 1/4 eps on cross-entropy against the student in eval mode,
    from a start noise of 0.001: away from the label, and toward the teacher's runner-up (the student's,
    without a teacher). The same seed gives the same bits.
    """
    rows = limited(images.y, max(MEASURED, len(set(images.y.tolist()))), seed)
    arrays: dict[str, Any] = {}
    with evaluating(*nets.values()), full_float32():
        chunks = [
            traced(nets, images.batch(part), threat, streams(seed), index)
            for index, part in enumerate(torch.split(rows, CHUNK))
        ]
    shown = telling(chunks[0])
    for branch in (AWAY, TOWARD):
        arrays |= dict(_strips(branch, chunks[0][branch], shown))
        arrays |= dict(_shares(branch, [chunk[branch] for chunk in chunks]))
    arrays["y"] = chunks[0][AWAY].path.y[shown].cpu().numpy()
    about = {"n": len(rows), "seed": seed, "threat": str(threat), "steps": STEPS, "step_size": STEP}
    arrays["about"] = np.array(json.dumps(about))
    write_arrays(folder / PATHS, arrays)


def traced(
    nets: Mapping[str, nn.Module], batch: Batch, threat: Threat, random: Streams, chunk: int
) -> dict[str, Traced]:
    """Both paths of the images of one chunk, by branch, with what student and teacher say along them."""
    device = device_of(nets["student"])
    batch = batch.to(device)
    step = Step(nets=nets, threat=threat, streams=random)
    judge = "teacher" if "teacher" in nets else "student"
    samplers = {AWAY: load("paths", AWAY)(), TOWARD: load("paths", TOWARD)(goal="runner-up", judge=judge)}
    attack: Attack = load("attacks", "pgd")(steps=STEPS, step_size=STEP, init="gaussian")
    loss, recorder = load("losses", "ce")(), Recorder(nets["student"])
    found = {}
    for branch, sampler in samplers.items():

        def walk(x: Tensor, y: Tensor, goal: Tensor | None = None, branch: str = branch) -> Walked:
            def objective(at: Tensor) -> Tensor:
                value: Tensor = loss(recorder(at), y if goal is None else goal)
                return value if goal is None else -value

            points = attack(objective, x, threat, random("trace", branch, chunk))
            return walked(points, recorder, y, goal)

        path = sampler(walk, batch, step)
        view = View(path, step)
        found[branch] = Traced(path, {net: view.logits(net) for net in NETS if net in nets})
    return found


def telling(found: Mapping[str, Traced]) -> Tensor:
    """Indices of the few images to show: first those on whose path the student changes its mind.

    Among these, and among the rest that fill up, one of each class comes before a second of any.
    """
    away = found[AWAY]
    right = away.right("student")
    changes = (right[0] & ~right[-1]).tolist()
    y = away.path.y.tolist()
    seen: dict[tuple[bool, int], int] = {}
    order = []
    for i, (change, label) in enumerate(zip(changes, y, strict=True)):
        seen[change, label] = seen.get((change, label), -1) + 1
        order.append((not change, seen[change, label], i))
    return torch.tensor([i for *_, i in sorted(order)[:SHOWN]])


def _strips(branch: str, found: Traced, shown: Tensor) -> Iterator[tuple[str, Any]]:
    path = found.path
    yield f"{branch}.x", (path.x[:, shown] * 255).round().clamp(0, 255).byte().cpu().numpy()
    if path.goal is not None:
        yield f"{branch}.goal", path.goal[shown].cpu().numpy()
    for net in found.logits:
        yield f"{branch}.margin.{net}", found.margin(net)[:, shown].float().cpu().numpy()
        yield f"{branch}.said.{net}", found.said(net)[:, shown].cpu().numpy()


def _shares(branch: str, chunks: list[Traced]) -> Iterator[tuple[str, Any]]:
    for net in chunks[0].logits:
        right = torch.cat([chunk.right(net) for chunk in chunks], 1)
        yield f"{branch}.right.{net}", right.cpu().double().mean(1).numpy()
