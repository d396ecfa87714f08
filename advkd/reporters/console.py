"""Progress in a terminal, plain lines elsewhere (`console`)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console as Terminal
from rich.live import Live
from rich.text import Text

from advkd.types import Record

MODIFIER = "modifier."
"""How the names of modifiers begin among the sizes of a training."""


@dataclass
class _Seen:
    """What the lines are made of; it changes as records come."""

    epochs: int = 0
    steps: int = 1
    batch: int = 1
    first: int = 0
    begin: float = 0.0
    latest: dict[str, Record] = field(default_factory=dict)

    def left(self, epoch: float) -> str:
        done = epoch - self.first
        if done <= 0:
            return "?"
        seconds = int((time.monotonic() - self.begin) / done * (self.epochs - epoch))
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


@dataclass(frozen=True, kw_only=True)
class Console:
    """Epoch, step, images/s, loss parts, validation accuracies, time left.

    A live line in a terminal; elsewhere one line per epoch. `close` ends the live line. `advkd run` has one
    of its own; a script gets one by `+reporters.console={}`.
    """

    terminal: Terminal = field(default_factory=Terminal, init=False)
    _seen: _Seen = field(default_factory=_Seen, init=False)
    _live: list[Live] = field(default_factory=list, init=False)

    @classmethod
    def on(cls, terminal: Terminal) -> Console:
        """One that writes to `terminal` in place of standard output."""
        made = cls()
        object.__setattr__(made, "terminal", terminal)
        return made

    def __call__(self, record: Record) -> None:
        """Show one record."""
        seen = self._seen
        seen.latest[record.name] = record
        if record.name == "train.epochs":
            self.close()
            sizes = record.parts
            seen.latest.clear()
            seen.epochs, seen.steps, seen.batch = int(record.value), int(sizes["steps"]), int(sizes["batch"])
            seen.first, seen.begin = int(sizes["done"]), time.monotonic()
            names = [key.removeprefix(MODIFIER) for key in sizes if key.startswith(MODIFIER)]
            under = f", with {', '.join(names)}" if names else ""
            self.terminal.print(f"[bold]{record.stage}[/]: {seen.epochs} epochs of {seen.steps} steps{under}")
        elif record.name == "step.loss":
            self._stepped(record)
        elif record.name == "epoch.seconds" and "train.loss" in seen.latest:
            self._epoch(record)

    def close(self) -> None:
        """End the live line, if there is one."""
        while self._live:
            self._live.pop().stop()

    def _stepped(self, record: Record) -> None:
        if not self.terminal.is_terminal:
            return
        if not self._live:
            self._live.append(Live(console=self.terminal, transient=True, refresh_per_second=8))
            self._live[0].start()
        epoch, step = record.epoch or 0, (record.step or 0) + 1
        done = epoch + step / self._seen.steps
        rate = (done - self._seen.first) * self._seen.steps * self._seen.batch
        rate /= max(time.monotonic() - self._seen.begin, 1e-9)
        line = (
            f"  epoch {epoch + 1}/{self._seen.epochs}  step {step}/{self._seen.steps}  {rate:.0f} images/s"
            f"  {_loss(record)}  left {self._seen.left(done)}"
        )
        self._live[0].update(Text(line, no_wrap=True, overflow="ellipsis"))

    def _epoch(self, record: Record) -> None:
        epoch = (record.epoch or 0) + 1
        seen = self._seen
        validation = "  ".join(
            f"{name} {100 * seen.latest[f'validation.{name}'].value:.1f}"
            for name in ("clean", "robust")
            if f"validation.{name}" in seen.latest
        )
        self.terminal.print(
            f"  epoch {epoch:>3}/{seen.epochs}  {_loss(seen.latest['train.loss'])}"
            f"  validation {validation}"
            f"  {seen.latest['train.images_per_second'].value:.0f} images/s  left {seen.left(epoch)}",
            highlight=False,
            soft_wrap=True,
        )
        if epoch == seen.epochs:
            self.close()


def _loss(record: Record) -> str:
    parts = "  ".join(f"{name} {value:.3f}" for name, value in record.parts.items())
    return f"loss {record.value:.3f} ({parts})"
