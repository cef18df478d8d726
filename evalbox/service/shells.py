"""Programs beside the job of an evaluation, in its sandbox."""

from __future__ import annotations

from contextlib import ExitStack

from evalbox.domain.clock import Clock
from evalbox.domain.sandbox import ExecSpec
from evalbox.errors import Busy
from evalbox.scheduler.attempt import AttemptRun, not_running
from evalbox.scheduler.scheduler import Scheduler
from evalbox.service.execution import LocalExec, audited_exec, program
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)


async def open_shell(
    store: Store, clock: Clock, scheduler: Scheduler | None, evaluation_id: str, spec: ExecSpec
) -> LocalExec:
    """Starts it. Raises ``InvalidTransition`` where the job does not run.

    It ends with the attempt, whose limits it shares; what it prints is nobody's output but its own.
    """
    if scheduler is None:
        raise Busy(
            "no shell can be opened: the queue is not run here",
            hint="ask the service, which evalbox --serve starts",
        )
    run = scheduler.run_of(evaluation_id)
    evaluation = await store.get(evaluation_id)

    async def start() -> LocalExec:
        if run is None:
            raise not_running(evaluation, evaluation.state)
        with ExitStack() as use:
            use.enter_context(run.beside.place())
            env = {**await store.environment(evaluation), **spec.env}
            return LocalExec(
                await run.exec(program(spec, env)),
                clock,
                spec.timeout,
                own=scheduler.residents.own,
                give_up=lambda: _given_up(run),
                on_close=use.pop_all().close,
            )

    return await audited_exec(store, "evaluation.shell", evaluation_id, spec, start)


async def _given_up(run: AttemptRun) -> None:
    """A job does not pay for what is run beside it; its end will end that too."""
    log.warning("a program beside a job could not be killed", evaluation=run.evaluation.id)
