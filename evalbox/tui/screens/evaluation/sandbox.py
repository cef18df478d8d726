"""What an attempt ran in, and how that ended."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.domain.attempt import Attempt, Verdict
from evalbox.domain.evaluation import Evaluation, InputFile
from evalbox.domain.quantity import format_duration, format_size
from evalbox.tui import wording
from evalbox.tui.screens.evaluation.pane import PicturePane, fact, told, wrap
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line

_FILES = 20
WARMTH = {True: "warm: started beforehand", False: "cold: made for it", None: "not started"}


class Sandbox(PicturePane):
    NAME = "sandbox"

    def aside(self) -> str:
        return self.about_attempt()

    def draw(self, width: int) -> Sequence[Line]:
        item = self.subject.item
        if item is None:
            return told("looking")
        attempt = self.subject.shown
        lines = [[], *_made_of(item, attempt, width), [], *_ended(attempt, width), []]
        return [*lines, *_limits(item, attempt), [], *_inside(item, width)]


def _made_of(item: Evaluation, attempt: Attempt | None, width: int) -> list[Line]:
    spec = item.spec
    digest = (attempt.image_digest if attempt else None) or "not known yet"
    lines = [
        *wrap("image", steady(spec.image), width),
        *wrap("digest", steady(digest), width),
        fact("engine", (steady(attempt.engine if attempt else spec.engine), Tone.TEXT)),
        fact("network", (str(spec.network), Tone.TEXT)),
        fact("user", (steady(spec.user), Tone.TEXT)),
        *wrap("directory", steady(spec.workdir), width),
    ]
    if attempt is not None:
        lines += wrap("sandbox", steady(attempt.sandbox_id or "none"), width)
        lines.append(fact("start", (WARMTH[attempt.warm], Tone.TEXT)))
    return lines


def _ended(attempt: Attempt | None, width: int) -> list[Line]:
    verdict = attempt.verdict if attempt else None
    if verdict is None:
        words = "not started" if attempt is None else "under way"
        return [fact("end", (words, Tone.MUTED if attempt is None else Tone.BUSY))]
    lines = [
        fact("end", (str(verdict.outcome), wording.outcome_tone(verdict.outcome))),
        fact("exit", (_or_none(verdict.exit_code), Tone.TEXT)),
        fact("signal", (_or_none(verdict.signal), Tone.TEXT)),
        fact("memory", *_out_of_memory(verdict)),
    ]
    return lines + (wrap("why", steady(verdict.reason), width) if verdict.reason else [])


def _or_none(number: int | None) -> str:
    return "none" if number is None else str(number)


def _out_of_memory(verdict: Verdict) -> list[tuple[str, Tone]]:
    if verdict.oom_killed:
        return [("killed for it: the engine's own word", Tone.BAD)]
    return [("not killed for it", Tone.TEXT)]


def _limits(item: Evaluation, attempt: Attempt | None) -> list[Line]:
    """Each with what was used of it, where that is known."""
    limits = item.spec.limits
    used = attempt.usage if attempt is not None and attempt.verdict is not None else None
    took = ""
    if attempt is not None and attempt.started_at is not None and attempt.finished_at is not None:
        took = format_duration(max(0.0, attempt.finished_at - attempt.started_at))
    kept = format_size(attempt.output_bytes) if attempt is not None and used is not None else ""
    cut = ", the rest was cut" if attempt is not None and attempt.truncated else ""
    rows = [
        ("cpus", f"{limits.cpus:g} cores", f"{used.cpu_seconds:.2f} s" if used else ""),
        ("memory", format_size(limits.memory), format_size(used.memory_peak) if used else ""),
        ("time", format_duration(limits.timeout), took),
        ("disk", format_size(limits.disk), format_size(used.disk) if used else ""),
        ("processes", str(limits.pids), str(used.pids) if used else ""),
        ("output", format_size(limits.output), kept + cut),
        ("artifacts", format_size(limits.artifacts), ""),
    ]
    lines: list[Line] = [[(" limits", Tone.STRONG)]]
    for label, limit, spent in rows:
        told_spent = f"  used {spent}" if spent else ""
        lines.append(fact(label, (f"{limit:>12}", Tone.TEXT), (told_spent, Tone.MUTED)))
    return lines


def _inside(item: Evaluation, width: int) -> list[Line]:
    """What it was given. Of the environment only the names: values may be secrets."""
    spec = item.spec
    names = steady("  ".join(sorted(spec.env))) or "none"
    kept = steady("  ".join(spec.artifacts)) or "none"
    lines = [*wrap("environment", names, width), *wrap("artifacts", kept, width)]
    files = list(spec.inputs) + ([spec.stdin] if spec.stdin else [])
    if not files:
        return [*lines, fact("files in", ("none", Tone.TEXT))]
    lines += [_file(file, first=place == 0) for place, file in enumerate(files[:_FILES])]
    if len(files) > _FILES:
        lines.append(fact("", (f"and {len(files) - _FILES:,} more", Tone.MUTED)))
    return lines


def _file(file: InputFile, *, first: bool) -> Line:
    return fact(
        "files in" if first else "",
        (steady(file.path), Tone.TEXT),
        (f"  {format_size(file.size)}  {file.mode:o}", Tone.MUTED),
    )
