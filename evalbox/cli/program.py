"""What ``run`` and ``submit`` take: a script or a command, and the options of an evaluation."""

from __future__ import annotations

import click

from evalbox.cli.command import Command
from evalbox.cli.options import apply, json_option

#: Where ``ProgramCommand`` leaves what stood behind ``--`` in the context.
BEHIND = "evalbox.command"

WHAT = """
\b
  evalbox {0} PATH [ARGS...]          a script: .py, .js, .mjs, .sh, or with a #! line
  evalbox {0} PATH -- --flag ARGS...  arguments that begin with - stand behind --
  evalbox {0} - --lang py             the script from standard input
  evalbox {0} [--image IMG] -- CMD    a command, here in another image
  evalbox {0} FAMILY[/TASK] --agent A a task of the METR Task Standard; or --submission TEXT

Every sandbox is fresh, without network, and bounded by limits. Sizes are written as 512m or 1.5g,
times as 90s or 1h30m.
"""


class ProgramCommand(Command):
    """Keeps what stands behind ``--`` apart from what stands before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            cut = args.index("--")
            ctx.meta[BEHIND] = tuple(args[cut + 1 :])
            args = args[:cut]
        return super().parse_args(ctx, args)


evaluation_options = apply(
    click.argument("path", required=False, metavar="[PATH|-]", type=click.Path()),
    click.argument("arguments", nargs=-1, metavar="[ARGS]..."),
    click.option("--lang", help="The script's language, whatever its name: py, js or sh."),
    click.option("--image", help="The image to run in (default: the setting)."),
    click.option("--engine", help="gvisor (default), runc, process (unconfined!) or fake."),
    click.option("--user", help="UID:GID, or a user of the image.  [default: 1000:1000]"),
    click.option(
        "--network", type=click.Choice(["none", "internet"]), default="none", show_default=True,
        help="What the sandbox can reach.",
    ),
    click.option("--cpus", metavar="N", help="Cores; fractions are fine.  [default: 1]"),
    click.option("--memory", metavar="SIZE", help="[default: 512m]"),
    click.option("--timeout", metavar="TIME", help="Wall time.  [default: 10m]"),
    click.option("--disk", metavar="SIZE", help="What it may write.  [default: 1g]"),
    click.option("--pids", metavar="N", help="Processes and threads at once.  [default: 256]"),
    click.option("--output-limit", metavar="SIZE", help="[default: 16m]"),
    click.option(
        "--env", "-e", multiple=True, metavar="K[=V]",
        help="A variable; without a value, your own is passed on.",
    ),
    click.option("--env-file", multiple=True, metavar="FILE", help="Lines of K=V."),
    click.option(
        "--file", "-f", multiple=True, metavar="SRC[:DEST]",
        help="A file or directory to put in, at DEST or beneath /home/agent.",
    ),
    click.option("--stdin", metavar="FILE|-", help="Its standard input.  [default: empty]"),
    click.option(
        "--artifact", "-a", multiple=True, metavar="PATH",
        help="A file or directory to keep when it ends.",
    ),
    click.option(
        "--score", metavar="PATH", help="The file with its score in it when it ends, in JSON."
    ),
    click.option(
        "--priority", type=click.Choice(["high", "normal", "low"]), default="normal",
        show_default=True,
    ),
    click.option("--retries", metavar="N", help="More attempts when it fails.  [default: 0]"),
    click.option("--at", metavar="TIME", help="Not before 18:30, or 2030-01-31T18:30."),
    click.option("--in", "after", metavar="TIME", help="Not before so long from now."),
    click.option("--repeat", metavar="N", help="So many evaluations.  [default: 1]"),
    click.option("--batch", metavar="NAME", help="The group it belongs to."),
    click.option("--label", "-l", multiple=True, metavar="K=V", help="For finding it again."),
    click.option("--name", help="What to call it.  [default: the file's name]"),
    click.option(
        "--idempotency-key", metavar="KEY", help="Submitting again with this key changes nothing."
    ),
    click.option(
        "--agent", metavar="WHO",
        help="Who attempts a family's task: a command, a directory or script, a replay in YAML, or "
        "human.",
    ),
    click.option("--agent-name", metavar="NAME", help="What to call the agent."),
    click.option(
        "--submission", metavar="TEXT|@FILE", help="Score this, in place of an agent's work."
    ),
    click.option(
        "--task", multiple=True, metavar="GLOB", help="Only these tasks of the family."
    ),
    click.option(
        "--secrets", metavar="FILE",
        help="NAME=VALUE lines, for the variables that a family requires.",
    ),
    click.option(
        "--deadline", multiple=True, metavar="PHASE=TIME",
        help="How long install, setup, start, intermediate, score or teardown may take.",
    ),
    json_option,
)  # fmt: skip
