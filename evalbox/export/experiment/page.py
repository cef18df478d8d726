"""What a batch found as one page of HTML that needs nothing else: no network and no script.

What tasks and users wrote is shown, never obeyed: all of it is escaped, and the page forbids itself
to load or to run anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.experiment import EPOCH, Cell, Experiment, Line, agent_of, verdict
from evalbox.domain.moments import local
from evalbox.domain.quantity import format_duration
from evalbox.domain.reducers import Reducer
from evalbox.export.experiment import plots
from evalbox.export.experiment.plots import text

#: Rows of what did not pass, and of tasks, beyond which a browser is slow.
_MOST_ROWS, _MOST_TASKS = 500, 5000

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #6a737d; --ground: #fff; --rule: #d8dee4;
  --pass: #1a7f37; --fail: #cf222e; --none: #9a6700; --mark: #0969da; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #8b949e; --ground: #0d1117;
  --rule: #30363d; --pass: #3fb950; --fail: #f85149; --none: #d29922; --mark: #58a6ff; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
p.faint, .faint { color: var(--faint); fill: var(--faint) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block;
  overflow-x: auto; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--rule) }
th { white-space: nowrap }
td.heat { text-align: center; min-width: 4rem }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif }
svg text { fill: var(--ink) } svg .label { text-anchor: end }
svg .tick { fill: var(--faint); text-anchor: middle }
svg .left { text-anchor: start } svg .right { text-anchor: end }
svg .grid { stroke: var(--rule) } svg .whisker { stroke: var(--mark); stroke-width: 3 }
svg .point, svg .bar { fill: var(--mark) }
svg .passed { fill: var(--pass) } svg .failed { fill: var(--fail) }
svg .unsettled { fill: var(--none) }
.passed { color: var(--pass) } .failed { color: var(--fail) } .unsettled { color: var(--none) }
@media print { body { max-width: none } }
"""
_LEGEND = (
    "<p><span class=passed>■ passed</span> <span class=failed>■ failed</span>"
    " <span class=unsettled>■ neither</span></p>"
)
#: The page may style itself, and nothing else.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(found: Experiment) -> bytes:
    return "".join(_page(found)).encode()


def _page(found: Experiment) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{text(found.name, 200)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    yield f"<h1>{text(found.name, 200)}</h1>\n<p class=faint>{_summary(found)}</p>\n"
    yield f"<h2>Agents</h2>\n{_agents(found)}\n"
    if found.lines:
        yield "<h2>Pass rate</h2>\n<p class=faint>With its 95 % Wilson interval.</p>\n"
        yield f"{plots.rates(found.lines)}\n"
    yield "<h2>Tasks</h2>\n<p class=faint>How many passed of those with a verdict"
    yield " · the score.</p>\n"
    yield f"{_tasks(found)}\n"
    if found.all.scores:
        yield f"<h2>Scores</h2>\n{plots.histogram(found.all.scores)}\n"
    if drawn := plots.timeline(found.items, found.all.least):
        yield f"<h2>Timeline</h2>\n{_LEGEND}\n{drawn}\n"
    yield from _others(found)
    yield "</body>\n</html>\n"


def _summary(found: Experiment) -> str:
    whole = found.all
    parts = [
        f"{len(whole.items):,} evaluations of {len(found.tasks):,} tasks",
        f"{whole.passed:,} of {whole.judged:,} passed",
    ]
    if whole.unsettled:
        parts.append(f"{whole.unsettled:,} with a score that is invalid or left to a person")
    if whole.lost:
        parts.append(f"{whole.lost:,} cancelled, or lost to the box or the task")
    if left := len(whole.items) - whole.ended:
        parts.append(f"{left:,} have not ended")
    if found.older:
        parts.append(f"{found.older:,} older ones of the same task, agent and epoch left out")
    starts = [item.started_at for item in whole.items if item.started_at is not None]
    if starts:
        parts.append(f"begun {local(min(starts))}")
    return text(" · ".join(parts), 1000)


def _agents(found: Experiment) -> str:
    head = ["Agent", "Passed", "Pass rate", "± by task", "Score", "± by task"]
    if found.k > 1:
        head += [f"pass@{found.k}", f"pass^{found.k}"]
    head += ["Time", "Retries", "Outcomes"]
    lines = [*found.lines, found.all] if len(found.lines) > 1 else found.lines
    body = "".join(_agent(found, line) for line in lines)
    return f"<table>{_row(head, cell='th')}{body}</table>"


def _agent(found: Experiment, line: Line) -> str:
    name = "all" if line is found.all else line.agent or "(none)"
    values = [text(name), f"{line.passed:,} of {line.judged:,}", share(line.pass_rate)]
    values += [error(line.rate_error, 100, " %"), number(line.score), error(line.error)]
    if found.k > 1:
        values += [share(line.any_of), share(line.all_of)]
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(line.outcomes.items()))
    values += [format_duration(line.seconds), f"{line.retries:,}", text(outcomes, 300)]
    return _row(values)


def _tasks(found: Experiment) -> str:
    rows = [_row(["Task", *(text(agent or "(none)") for agent in found.agents)], cell="th")]
    for task in found.tasks[:_MOST_TASKS]:
        cells = (_heat(found.cells.get((task, agent)), found.reducer) for agent in found.agents)
        rows.append(f"<tr><td>{text(task, 120)}</td>{''.join(cells)}</tr>\n")
    more = len(found.tasks) - _MOST_TASKS
    note = f"<p class=faint>and {more:,} more</p>" if more > 0 else ""
    return f"<table>{''.join(rows)}</table>{note}"


def _heat(cell: Cell | None, reducer: Reducer) -> str:
    """Greener for what passes, redder for what fails; the score stands beside."""
    if cell is None:
        return "<td class=heat></td>"
    reduced = reducer.reduce(cell.scores)
    score = "" if reduced is None else f" · {reduced:.3g}"
    if cell.pass_rate is None:
        return f'<td class="heat faint">-{score}</td>'
    rate = f"{100 * cell.pass_rate:.0f}%"
    ground = f"color-mix(in srgb, var(--pass) {rate}, var(--fail))"
    return (
        f'<td class=heat style="background: color-mix(in srgb, {ground} 35%, transparent)">'
        f"{cell.passed}/{cell.judged}{score}</td>"
    )


def _others(found: Experiment) -> Iterator[str]:
    """What did not pass."""
    least = found.all.least
    items = [item for item in found.items if verdict(item, least) is not True]
    if not items:
        return
    head = ["Evaluation", "Task", "Agent", "Epoch", "Outcome", "Why"]
    yield f"<h2>Not passed</h2>\n<table>{_row(head, cell='th')}"
    for item in items[:_MOST_ROWS]:
        yield _row(_other(item, least))
    yield "</table>\n"
    if len(items) > _MOST_ROWS:
        yield f"<p class=faint>and {len(items) - _MOST_ROWS:,} more</p>\n"


def _other(item: Evaluation, least: float | None) -> list[str]:
    why = item.error or item.reason
    if item.score is not None and item.score.reason:
        why = item.score.reason
    shown = text(str(item.outcome or item.state))
    if item.score is not None and item.score.value is not None:
        shown += f", {number(item.score.value)}"
    outcome = f'<span class="{plots.verdict_class(item, least)}">{shown}</span>'
    epoch = item.spec.labels.get(EPOCH, "")
    return [item.short_id, text(item.spec.name), text(agent_of(item)), text(epoch), outcome,
            text(why, 200)]  # fmt: skip


def share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def error(value: float | None, scale: float = 1, unit: str = "") -> str:
    return "-" if value is None else f"{value * scale:.2g}{unit}"


def _row(cells: Sequence[str], cell: str = "td") -> str:
    """Of HTML."""
    return "<tr>" + "".join(f"<{cell}>{one}</{cell}>" for one in cells) + "</tr>\n"
