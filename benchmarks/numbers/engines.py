"""Do two engines train students alike? Of kept comparisons FAST and PLAIN every method both have, over seeds.

    python benchmarks/numbers/engines.py digits-bf16 digits-float32

Prints the table for `docs/performance.md`, which a test holds to the bits in `docs/numbers`, and of every
student whether it is told apart, image by image, from the one of its seed that the other engine trained.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from keep import bits

from advkd.config.entries import CLEAN
from advkd.reporting.markdown import table as table_of
from advkd.reporting.words import spread
from advkd.statistics.family import Bits, holm
from advkd.statistics.methods import methods
from advkd.statistics.students import StudentVerdict, students

WHAT = (CLEAN, "robust")


def table(fast: str, plain: str) -> list[str]:
    """The lines of the Markdown table; a difference is fast less plain, in points, with its 95 % interval."""
    heads = [f"{what}, {side}" for what in WHAT for side in ("fast", "plain", "difference")]
    both = [(bits(fast, what), bits(plain, what)) for what in WHAT]
    names = [name for name in both[0][0] if name in both[0][1]]
    rows = [[name, *(cell for one, two in both for cell in _cells(one[name], two[name]))] for name in names]
    return table_of(["method", *heads], rows).splitlines()


def _cells(fast: Bits, plain: Bits) -> Iterator[str]:
    for of in (fast, plain):
        yield spread([float(row.mean()) for row in of.values()])
    (verdict,) = methods({"fast": fast, "plain": plain}, family="engines")
    assert verdict.difference is not None
    assert verdict.interval is not None
    low, high = (100 * end for end in verdict.interval)
    yield f"{100 * verdict.difference:+.1f} ({low:+.1f} to {high:+.1f})"


def pairs(fast: str, plain: str) -> list[StudentVerdict]:
    """Every student beside the one of its seed that the other engine trained; all of them are one family."""
    one, two = bits(fast, "robust"), bits(plain, "robust")
    both = ({f"{name} fast": one[name], f"{name} plain": two[name]} for name in one if name in two)
    return holm([verdict for pair in both for verdict in students(pair, family="engines")])


if __name__ == "__main__":
    print("\n".join(table(*sys.argv[1:])))
    print(*(verdict.says for verdict in pairs(*sys.argv[1:])), sep="\n")
