"""The modifiers of a training as one: their hooks in their order, and what holds for all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from advkd.guards import scalars
from advkd.networks.modes import buffers_kept
from advkd.protocols import Method, Modifier
from advkd.step import Step
from advkd.streams import forked
from advkd.types import Batch, Path


class Modified:
    """The student of `modules` under modifiers; the other modules are the method's own."""

    def __init__(self, modifiers: Mapping[str, Modifier], modules: Mapping[str, nn.Module]) -> None:
        self._modules = modules
        self._student = modules["student"]
        self._modifiers = copy.deepcopy(dict(modifiers))
        for _, build in self._hooks("build"):
            build(self._student)

    def modules(self) -> dict[str, nn.Module]:
        """What is saved with a checkpoint."""
        return {
            f"modifier.{name}.{key}": module
            for name, modules in self._hooks("modules")
            for key, module in modules().items()
        }

    def backward(
        self, method: Method, paths: Mapping[str, Path | None], batch: Batch, step: Step
    ) -> dict[str, float]:
        """Backpropagates the losses of a step, inside what the modifiers put around it: the loss by part."""

        def backward() -> dict[str, float]:
            found: dict[str, Tensor | float] = {}
            for scalar, parts in scalars(method.losses(paths, batch, step), method):
                scalar.backward()  # type: ignore[no-untyped-call]
                for name, value in parts.items():
                    found[name] = found.get(name, 0.0) + value.detach()
            # read once, at the end: a GPU is waited for at each reading
            return {name: float(value) for name, value in found.items()}

        with self.around_step(step, backward):
            return backward()

    def around_step(self, step: Step, backward: Callable[[], Any]) -> AbstractContextManager[Any]:
        """What the modifiers put around the losses of a step, which `backward` backpropagates."""
        stack = ExitStack()
        with stack:
            for _, hook in self._hooks("around_step"):
                stack.enter_context(hook(self._student, lambda: self._gradient(backward), step))
            return stack.pop_all()

    def after_step(self, step: Step) -> None:
        """The optimiser has moved the student."""
        for _, hook in self._hooks("after_step"):
            hook(self._student, step)

    def epoch_end(self, images: Callable[[], Iterable[Tensor]], progress: float) -> None:
        """An epoch is over; `images` are its training images."""
        for _, hook in self._hooks("epoch_end"):
            hook(self._student, images, progress)

    def weights(self) -> Mapping[str, Tensor] | None:
        """The state that is validated instead of the student's own, where a modifier offers one."""
        offers = [weights() for _, weights in self._hooks("weights")]
        return next((state for state in offers if state is not None), None)

    @contextmanager
    def worn(self) -> Iterator[None]:
        """The student has the weights that a modifier offers; it gets its own back after the block."""
        offer = self.weights()
        if offer is None:
            yield
            return
        own = {name: value.clone() for name, value in self._student.state_dict().items()}
        try:
            self._student.load_state_dict(offer)
            yield
        finally:
            self._student.load_state_dict(own)

    def _hooks(self, name: str) -> list[tuple[str, Any]]:
        return [(k, getattr(m, name)) for k, m in self._modifiers.items() if hasattr(m, name)]

    def _gradient(self, backward: Callable[[], Any]) -> dict[str, Tensor]:
        with forked(), ExitStack() as kept:
            for module in self._modules.values():
                kept.enter_context(buffers_kept(module))
            backward()
        found = {name: p.grad for name, p in self._student.named_parameters() if p.grad is not None}
        for module in self._modules.values():
            module.zero_grad(set_to_none=True)
        return found
