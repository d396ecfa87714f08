"""The official standard AutoAttack suite (`autoattack`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import ClassVar

import torch
from torch import Tensor, nn

from advkd.errors import at_least_one
from advkd.evaluators.official import TARGETS, common, startable, untied, without_link
from advkd.networks.isolation import isolated
from advkd.networks.modes import classes_of
from advkd.outcome import Outcome
from advkd.protocols import Kind, Knowledge, Memo, Passes
from advkd.types import Batch, Threat


def computed(key: str, compute: Callable[[], Tensor]) -> Tensor:  # noqa: ARG001
    """The memo that remembers nothing."""
    return compute()


@dataclass(frozen=True, kw_only=True)
class AutoAttack:
    """AutoAttack, version `standard`, as its authors' code runs it (package `pyautoattack`).

    On all given examples, in float32, in its own order (apgd-ce, apgd-t, fab-t, square), with the given
    `seed` and `batch_size`: example by example what calling the package yields. It aims at 9 wrong
    classes and cannot run with fewer than 10 classes as it is; there it aims at all wrong classes,
    without apgd-t below 4, and its number is called `autoattack-adapted`.

    Source: Croce, Hein, ICML 2020 (arXiv 2003.01690).
    """

    batch_size: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        at_least_one(batch_size=self.batch_size)

    kind: ClassVar[Kind] = "fixed-budget"
    knowledge: ClassVar[Knowledge] = "white-box"
    whole: ClassVar[bool] = True
    mixed: ClassVar[bool] = True
    exact: ClassVar[bool] = True

    def passes(self, classes: int) -> Passes:
        """Forward and backward passes an image costs at most."""
        targets = min(TARGETS, classes - 1)
        dlr = targets if classes >= 4 else 0
        return 102 + 103 * dlr + 204 * targets + 5003, 101 + 101 * dlr + 100 * targets

    def named(self, classes: int) -> str:
        """What its number may be called with so many classes."""
        return "autoattack" if classes > TARGETS else "autoattack-adapted"

    def __call__(
        self,
        net: nn.Module,
        batch: Batch,
        threat: Threat,
        generator: torch.Generator,  # noqa: ARG002
        *,
        memo: Memo = computed,
    ) -> Outcome:
        """The attacked images; `memo` answers for batches an interrupted run has already attacked."""
        import pyautoattack

        classes, notes = classes_of(net, batch.x), [f"pyautoattack {metadata.version('pyautoattack')}"]
        # what it counted on another network would accuse this one
        pyautoattack.checks.funcs.update(dict.fromkeys(pyautoattack.checks.funcs, 0))
        with isolated(net, self.seed), _said(notes):
            suite = pyautoattack.AutoAttack(net, **common(threat, self.seed, batch.x.device))
            if not self.exact:
                untied(suite.square)
            notes += startable(suite.square, batch.x)
            if classes <= TARGETS:
                suite.apgd_targeted.n_target_classes = suite.fab.n_target_classes = classes - 1
                if classes < 4:
                    suite.attacks_to_run = [name for name in suite.attacks_to_run if name != "apgd-t"]
                notes.append(
                    f"not the standard suite: {classes} classes; {', '.join(suite.attacks_to_run)} "
                    f"toward {classes - 1} wrong classes"
                )
            _remembering((suite.apgd, suite.apgd_targeted, suite.fab, suite.square), memo, notes)
            x, _ = suite.run_standard_evaluation(batch.x, batch.y, batch_size=self.batch_size)
        return Outcome(x.detach(), tuple(notes))


class AutoAttackFast(AutoAttack):
    """The same official code on the fast twin of the network, each success confirmed in float32.

    An example that fools the twin alone is attacked again, in float32, by the whole suite. Examples that
    have fallen are left out between attacks and targets, as in the official code. Not bit for bit
    `autoattack`, so never called by that name; on a network that is not run faster it is the same, but that
    Square goes on where two logits are equal.

    Source: Croce, Hein, ICML 2020 (arXiv 2003.01690); the search in low precision is this project's.
    """

    exact: ClassVar[bool] = False

    def named(self, classes: int) -> str:
        """What its number may be called with so many classes."""
        return super().named(classes).replace("autoattack", "autoattack-fast")


def _remembering(attacks: tuple[object, ...], memo: Memo, notes: list[str]) -> None:
    """Puts `memo` before each attack: every call seeds itself, so an answer of before is the same answer.

    What a call adds to `notes` is remembered before its answer, so that no answer is found without them.
    """
    count = 0

    def through(perturb: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        def called(x: Tensor, y: Tensor) -> Tensor:
            nonlocal count
            count += 1
            key, known, fresh = f"batch-{count}", len(notes), False

            def said() -> Tensor:
                text = "\n".join(notes[known:])
                return memo(f"{key}-notes", lambda: torch.tensor(list(text.encode()), dtype=torch.uint8))

            def compute() -> Tensor:
                nonlocal fresh
                fresh, found = True, perturb(x, y)
                said()
                return found

            answer = memo(key, compute).to(x)
            if not fresh:
                before = bytes(said().tolist()).decode().splitlines()
                notes.extend(note for note in before if note not in notes)
            return answer

        return called

    for attack in attacks:
        attack.perturb = through(attack.perturb)  # type: ignore[attr-defined]


@contextmanager
def _said(notes: list[str]) -> Iterator[None]:
    """Collects what the official code warns of, each sentence once."""

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = without_link(record.getMessage())
            if text not in notes:
                notes.append(text)

    logger, handler = logging.getLogger("auto-attack"), Collect(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
