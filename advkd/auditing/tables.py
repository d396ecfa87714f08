"""An audit in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from advkd.auditing.ledger import LedgerEntry
from advkd.auditing.verdict import Verdict
from advkd.config.entries import CLEAN
from advkd.result import percent


def progress(out: Console, who: str, name: str, entry: LedgerEntry) -> None:
    """One line for an attack that has ended."""
    n, stand = int(entry.tried.sum()), int((entry.tried & entry.right).sum())
    out.print(
        f"  {who}  {name:<12} {n:>6} tried {stand:>6} stand  {entry.seconds:7.1f} s",
        highlight=False,
        soft_wrap=True,
    )


def verdict_table(out: Console, verdict: Verdict) -> None:
    """The table of a verdict, then what a reader has to know beside it."""
    main = verdict.main
    part = verdict.options.get("part", "test")
    table = Table(title=f"accuracy in %, {main.n} {part} images, {verdict.threat}, suite {verdict.suite}")
    table.add_column("")
    for who in verdict.rows:
        table.add_column(who, justify="right")
    for name in names(verdict):
        cells = [percent(row.alone(name)) if name in row.entries else "-" for row in verdict.rows.values()]
        table.add_row(name, *cells, end_section=name == names(verdict)[-1])
    bounds = [("" if row.complete else "<= ") + percent(row.robust) for row in verdict.rows.values()]
    table.add_row("worst case", *bounds, style="bold")
    table.add_row("95 % interval", *[percent(row.interval["robust"]) for row in verdict.rows.values()])
    for what in ("worst", "spread"):
        cells = [percent(row.about["classes"][what]) for row in verdict.rows.values()]
        table.add_row(f"{what} class" if what == "worst" else "spread of classes", *cells)
    out.print(table)
    _beside(out, verdict)


def _beside(out: Console, verdict: Verdict) -> None:
    def say(text: str, style: str = "") -> None:
        out.print(Text(text, style=style), soft_wrap=True)

    bounds = [who for who, row in verdict.rows.items() if not row.complete]
    if bounds:
        say(f"the attacks have not finished ({', '.join(bounds)}): <= is an upper bound", "yellow")
    if any(len(set(map(str, row.alone(name)))) > 1 for row in verdict.rows.values() for name in row.entries):
        say("a range: not run on examples that an earlier attack had broken", "dim")
    for name, notes in verdict.notes.items():
        for note in notes:
            say(f"{name}: {note}")
    if verdict.agreement:
        fate = verdict.agreement.get("robust")
        same = "" if fate is None else f", same fate on {percent(fate)} %"
        say(f"teacher and student: same answer on {percent(verdict.agreement[CLEAN])} % when clean{same}")
    for flag in verdict.flags:
        say(f"flag {flag.name}: {flag.says}", "bold red")
        say(f"  {flag.evidence}")
        say(f"  {flag.remedy}")
    if not verdict.flags:
        say("no check raised a flag" + " so far" * bool(bounds), "green")
    say("not tried: " + "; ".join(verdict.not_tried), "dim")
    cost = verdict.cost
    say(
        f"{cost['seconds']:.0f} s, images passed: {cost['forwards']:,} forward {cost['backwards']:,} "
        f"backward, batch {cost['batch_size']}, {cost['peak_memory_mb']:.0f} MB at most"
    )
    fast = " ".join(name for name, on in cost["engine"].items() if on)
    if fast:
        say(f"attacks searched on a twin of the network ({fast}); every success was confirmed in float32")
    for who, row in verdict.rows.items():
        for reason in dict.fromkeys(entry.refused for entry in row.entries.values() if entry.refused):
            say(f"attacks of the {who} searched in plain float32: {reason}")
    if verdict.folder is not None:
        say(f"audit folder: {verdict.folder}")


def names(verdict: Verdict) -> list[str]:
    """Every attack of any row, in the order of the suite."""
    return list(dict.fromkeys(name for row in verdict.rows.values() for name in row.entries))
