"""What the stored audits of the students say of two doubts: ties that stop Square, losses that disagree.

    python benchmarks/numbers/doubts.py

Prints how many of the images that Square tried it broke, by the precision of the search; and, of all pairs of
white-box attacks in one audit, the largest share of what one left that a later one broke, of that and of all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

CELLS = Path(__file__).parent
CLIMBS = ("pgd-20", "pgd-40", "cw-linf", "apgd-ce", "apgd-t")


def audits() -> Iterator[tuple[dict[str, Any], dict[str, tuple[Any, Any]]]]:
    """The terms of every audit, and of every ended attack on its student which images it tried and broke."""
    for file in sorted(CELLS.glob("*/cells/*/eval/*/examples.npz")):
        with np.load(file, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            ended = [name for who, name, entry in about["entries"] if who == "student" and entry["done"]]
            tried = {name: arrays[f"student.{name}.tried"] for name in ended}
            yield about, {name: (tried[name], tried[name] & ~arrays[f"student.{name}"]) for name in ended}


def main() -> None:
    """Prints both."""
    tried, broken = Counter[str](), Counter[str]()
    pairs, of_left, of_all = 0, 0.0, 0.0
    for about, found in audits():
        if "square" in found:
            way = "bf16" if about["engine"]["bf16"] else "float32"
            tried[way] += int(found["square"][0].sum())
            broken[way] += int(found["square"][1].sum())
        for one, other in combinations([name for name in found if name in CLIMBS], 2):
            left = found[one][0] & ~found[one][1] & found[other][0]
            count = int((left & found[other][1]).sum())
            pairs += 1
            of_left = max(of_left, count / max(int(left.sum()), 1))
            of_all = max(of_all, count / len(left))
    for way in tried:
        print(f"Square searched in {way}: {broken[way]} of {tried[way]} images broken")
    print(f"{pairs} pairs of attacks: at most {of_left:.1%} of what one left, {of_all:.1%} of all images")


if __name__ == "__main__":
    main()
