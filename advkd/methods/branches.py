"""The sum: walk one path per branch, then lower weighted losses along them (`branches`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import torch
from torch import Tensor, nn

from advkd.errors import error
from advkd.guards import check_walk
from advkd.methods.norms import OwnNorms
from advkd.methods.spec import Ascend, Branch
from advkd.methods.stream import Stream
from advkd.networks.engine import in_float32
from advkd.networks.modes import buffers_kept, evaluating
from advkd.protocols import Objective, Parts
from advkd.step import Step
from advkd.targets import parse
from advkd.types import Batch, Path, Real
from advkd.walk import Recorder, walked


@dataclass(frozen=True, kw_only=True)
class Branches:
    """Every published method that is a sum over points of adversarial paths; a preset fills it in.

    `total` rescales all terms so that their scales (branch times term) sum to it. `bn_update: step`
    divides BatchNorm momentum by the forwards of the step, so that they move the running statistics as
    one forward would; `each` leaves it, as published. `branch_bn: split` gives every branch but the one
    called `untargeted` (else the first) BatchNorm layers of its own, which are trained and never
    exported. `attack_mode: train` attacks the student in train mode and puts its buffers back;
    `attack_bn: published` lets them move, as the code of ARD and IAD does.

    Source: design of this project; the float64 tests reproduce TRADES, RSLAD, AdaAD, ARD and IAD.
    """

    branches: Mapping[str, Branch]
    total: Real | Literal["as-written"] = "as-written"
    bn_update: Literal["step", "each"] = "step"
    branch_bn: Literal["shared", "split"] = "shared"
    attack_mode: Literal["eval", "train"] = "eval"
    attack_bn: Literal["kept", "published"] = "kept"
    _own: nn.ModuleDict = field(default_factory=nn.ModuleDict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not any(branch.terms for branch in self.branches.values()):
            raise error("method.branches", "a method needs at least one branch with a term")
        if self.total != "as-written" and (self.total <= 0 or self.written == 0):
            raise error("method.total", "must be positive, and so must the sum it scales", given=self.total)
        if self.attack_bn == "published" and self.attack_mode == "eval":
            raise error("method.attack_bn", "published needs attack_mode: train", given=self.attack_bn)

    @property
    def nets(self) -> tuple[str, ...]:
        """The networks asked, besides the student."""
        found = [net for branch in self.branches.values() for net in branch.nets if net != "student"]
        return tuple(dict.fromkeys(found))

    @property
    def excepted(self) -> dict[str, str]:
        """What it declares to the conformance kit."""
        reason = "attack_bn: published lets BatchNorm statistics move during the walk"
        return {"walking_leaves_no_trace": reason} if self.attack_bn == "published" else {}

    @property
    def written(self) -> float:
        """The sum of all scales as the preset writes them."""
        return sum(b.scale * term.scale for b in self.branches.values() for term in b.terms.values())

    def build(self, nets: Mapping[str, nn.Module]) -> None:
        """Makes the BatchNorm layers of split branches; they start as copies of the student's."""
        self._own.clear()
        if self.branch_bn == "split":
            main = "untargeted" if "untargeted" in self.branches else next(iter(self.branches))
            for name in self.branches:
                if name != main:
                    self._own[name] = OwnNorms(nets["student"])

    def modules(self) -> Mapping[str, nn.Module]:
        """What is trained and saved beside the student."""
        return {f"norms.{name}": own for name, own in self._own.items()}

    def paths(self, batch: Batch, step: Step) -> dict[str, Path | None]:
        """One walked path per branch; nothing is forwarded in train mode (unless `attack_mode` says so)."""
        return {name: self._walk(name, batch, self._seen_by(name, step)) for name in self.branches}

    def losses(
        self,
        paths: Mapping[str, Path | None],
        batch: Batch,  # noqa: ARG002
        step: Step,
    ) -> Iterator[tuple[Tensor, Parts]]:
        """Scalars to backpropagate one by one; all weights are read before the first train-mode forward."""
        streams = {
            name: self._stream(name, path, self._seen_by(name, step))
            for name, path in paths.items()
            if path is not None
        }
        shared = sum(len(s.forwards) for name, s in streams.items() if name not in self._own)
        for name, stream in streams.items():
            forwards = len(stream.forwards) if name in self._own else shared
            yield from stream.scalars(forwards if self.bn_update == "step" else 1)

    def _seen_by(self, name: str, step: Step) -> Step:
        if name not in self._own:
            return step
        own: OwnNorms = self._own[name]  # type: ignore[assignment]
        return step.with_student(own.seen(step.nets["student"]))

    def _walk(self, name: str, batch: Batch, step: Step) -> Path | None:
        branch = self.branches[name]
        student = step.nets["student"]

        def walk(x: Tensor, y: Tensor, goal: Tensor | None = None) -> Path:
            if branch.attack is None or branch.ascend is None:
                return Path(x[None], y, goal)
            recorder = Recorder(student)
            with ExitStack() as modes:
                others = [net for key, net in step.nets.items() if key != "student"]
                modes.enter_context(evaluating(*others))
                if self.attack_mode == "eval":
                    modes.enter_context(evaluating(student))
                elif self.attack_bn == "kept":
                    modes.enter_context(buffers_kept(student))
                objective = _objective(branch.ascend, branch.walk, recorder, step, x, y, goal, modes)
                points = branch.attack(objective, x, step.threat, step.generator("attack", name))
                path = walked(points, recorder, y, goal, reuse=self.attack_mode == "eval")
            check_walk(path, x, f"{name}.attack ({type(branch.attack).__name__})")
            return path

        return branch.path(walk, batch, step.within(name))

    def _stream(self, name: str, path: Path, step: Step) -> Stream:
        branch = self.branches[name]
        factor = 1.0 if self.total == "as-written" else float(self.total) / self.written
        terms = {
            f"{name}.{key}": (term, factor * branch.scale * term.scale)
            for key, term in branch.terms.items()
            if step.progress >= term.since
        }
        return Stream(path, step, step.nets["student"], terms)


def _objective(
    ascend: Ascend,
    way: str,
    recorder: Recorder,
    step: Step,
    x: Tensor,
    y: Tensor,
    goal: Tensor | None,
    modes: ExitStack,
) -> Objective:
    target = parse(ascend.target)
    sign = 1 if way == "away" else -1
    if target.point == "here":
        teacher = step.nets[target.net]
        return lambda at: ascend.loss(recorder(at), teacher(at)) * sign
    if target.net == "student":
        return _from_itself(ascend, sign, recorder, step.nets["student"], x, modes)
    fixed = {"label": y, "goal": goal}.get(target.text)
    said = step.start_logits(target.net, x) if target.net else fixed
    if said is None:
        raise error("method.branches", "the walk was given no goal", remedy="use path=targeted")
    return lambda at: ascend.loss(recorder(at), said) * sign


def _from_itself(
    ascend: Ascend, sign: int, recorder: Recorder, student: nn.Module, x: Tensor, modes: ExitStack
) -> Objective:
    """Away from the student's own answer at the start, or toward it.

    The first step is taken in float32: next to the start two answers differ by less than bf16 can say.
    """
    precise = modes.enter_context(ExitStack())
    precise.enter_context(in_float32(student))
    # asked anew, in the mode it is attacked in: what the step knows of the start is said in eval mode, and
    # may be an answer in bf16
    with torch.no_grad(), buffers_kept(student) if student.training else nullcontext():
        said = student(x)
    calls = count()

    def objective(at: Tensor) -> Tensor:
        # by the second call the first one's gradient has been taken
        if next(calls):
            precise.close()
        return ascend.loss(recorder(at), said) * sign

    return objective
