"""A sandbox environment as frameworks for agents want one: exec, read_file, write_file.

python examples/environment.py
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evalbox import AsyncBox
from evalbox.sdk import AsyncSandbox


@dataclass(frozen=True)
class ExecResult:
    success: bool
    returncode: int
    stdout: str
    stderr: str


class Environment:
    """One sample's sandbox."""

    def __init__(self, sandbox: AsyncSandbox) -> None:
        self._sandbox = sandbox

    async def exec(
        self,
        command: Sequence[str],
        input: str = "",
        timeout: float = 60,
    ) -> ExecResult:
        report = await self._sandbox.exec(command, stdin=input, timeout=timeout)
        if report.end.timed_out:
            raise TimeoutError
        return ExecResult(
            report.end.exit_code == 0,
            report.end.exit_code,
            report.stdout.decode(errors="replace"),
            report.stderr.decode(errors="replace"),
        )

    async def write_file(self, path: str, contents: str | bytes) -> None:
        await self._sandbox.write(path, contents)

    async def read_file(self, path: str) -> bytes:
        return await self._sandbox.read(path)


@asynccontextmanager
async def environment(box: AsyncBox) -> AsyncIterator[Environment]:
    async with box.sandbox(memory="256m", lifetime="1h", labels={"for": "a sample"}) as sandbox:
        yield Environment(sandbox)


async def sample(box: AsyncBox, number: int) -> str:
    async with environment(box) as env:
        await env.write_file("task.py", f"print({number} ** 2)")
        done = await env.exec(["python3", "task.py"])
        await env.write_file("answer.txt", done.stdout)
        return (await env.read_file("answer.txt")).decode().strip()


async def main() -> None:
    async with AsyncBox() as box:
        print(*await asyncio.gather(*(sample(box, number) for number in range(3))))


asyncio.run(main())
