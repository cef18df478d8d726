"""An agent with a tool that runs shell commands in a sandbox.

    python examples/agent_loop.py

The model here is a script of its own; put a call of yours in place of ``model``.
"""

from collections.abc import Generator

from evalbox import Box

TASK = "Find out how many lines of big.txt have the word 'needle' in them."


def model() -> Generator[str, str, None]:
    """What to run next; is sent what came of it, and ends with an answer."""
    listing = yield "ls"
    assert "big.txt" in listing, listing
    counted = yield "grep -c needle big.txt"
    yield f"ANSWER {counted.strip()}"


def main() -> str:
    text = "".join(f"line {n}{' needle' if n % 7 == 0 else ''}\n" for n in range(1000))
    # However this program ends, the sandbox is gone ten minutes after it was last used.
    with Box() as box, box.sandbox(memory="256m", idle_timeout="10m") as sandbox:
        sandbox.write("big.txt", text)
        print("task:", TASK)
        agent = model()
        action = next(agent)
        while not action.startswith("ANSWER"):
            report = sandbox.exec(action, timeout="30s", limit=16 << 10)
            shown = report.stdout.decode(errors="replace")
            print(f"$ {action}\n{shown}(exit {report.end.exit_code})")
            action = agent.send(shown)
        return action


print(main())
