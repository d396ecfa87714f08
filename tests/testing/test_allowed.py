"""What the kit does not refuse: members with layers, gradients and exceptions of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch

# the first tensor without values loads it; pytester forgets what is loaded inside it, and torch has it twice
import torch._dynamo

import advkd
from advkd.methods.branches import Branches
from advkd.testing import findings
from advkd.testing.parts import CLASSES
from advkd.weightings.margin import Boundary


@dataclass(frozen=True, kw_only=True)
class Published(Boundary):
    """Negative where the published code is."""

    negative: bool = True

    @property
    def excepted(self) -> dict[str, str]:
        return {"non_negative": "as published", "one_point": "as published", "extreme_logits": "as published"}

    def __call__(self, view, step):
        weights = super().__call__(view, step)
        return -1 - weights if self.negative else weights


def test_a_member_declares_its_own_exceptions():
    found = {f.check: f for f in findings("weightings", Published())}
    assert {f.state for f in found.values()} == {"passed", "excepted"}
    assert (found["non_negative"].state, found["non_negative"].why) == ("excepted", "as published")
    stale = {f.check for f in findings("weightings", Published(negative=False)) if f.state == "failed"}
    assert stale == {"non_negative", "one_point", "extreme_logits"}


def states(slot, member, **more):
    return {finding.check: finding.state for finding in findings(slot, member, **more)}


def test_a_method_may_make_layers_of_its_own():
    @dataclass(frozen=True, kw_only=True)
    class Headed(Branches):
        """The student's answer goes through a layer of the method's own."""

        def build(self, nets):
            object.__setattr__(self, "head", torch.nn.Linear(CLASSES, CLASSES))

        def modules(self):
            return {"head": self.head}

        def losses(self, paths, batch, step):
            answer = self.head(step.nets["student"](batch.x))
            loss = torch.nn.functional.cross_entropy(answer, batch.y)
            yield loss, {"head": loss.detach()}

    found = findings("methods", Headed(branches=advkd.resolve("preset=rslad").method.branches))
    assert not [str(one) for one in found if one.state == "failed"]


def test_a_weighting_may_ask_for_the_gradient_of_an_image():
    @dataclass(frozen=True, kw_only=True)
    class Steep:
        """Points where the student's answer is steep count more."""

        def __call__(self, view, step):
            points = []
            for x in view.path.x:
                x = x.detach().requires_grad_()
                with torch.enable_grad():
                    answer = step.nets["student"](x).logsumexp(1).sum()
                points.append(torch.autograd.grad(answer, x)[0].flatten(1).norm(dim=1))
            return torch.stack(points) + 1e-3

    assert states("weightings", Steep())["shape"] == "passed"
    assert states("weightings", Steep())["finite"] == "passed"


def test_an_attack_may_step_by_the_gradient_as_it_is():
    @dataclass(frozen=True, kw_only=True)
    class Plain:
        """Gradient ascent without normalisation."""

        def __call__(self, objective, x, threat, generator):
            start, x = x, x.clone()
            yield x
            for _ in range(3):
                leaf = x.detach().requires_grad_()
                (slope,) = torch.autograd.grad(objective(leaf).sum(), leaf)
                x = threat.project(x + 0.01 * slope, start)
                yield x

    assert states("attacks", Plain())["neighbours_do_not_matter"] == "passed"


def test_an_exception_holds_for_a_check_that_ends_in_an_error():
    @dataclass(frozen=True, kw_only=True)
    class Pairs:
        """Needs two points."""

        def __call__(self, view, step):
            if len(view.path) < 2:
                raise ValueError("needs two points")
            return torch.ones_like(view.path.x[..., 0, 0, 0])

    assert states("weightings", Pairs())["one_point"] == "failed"
    assert states("weightings", Pairs(), except_={"one_point": "pairs"})["one_point"] == "excepted"
