"""Runs one row: load, the fault, every endpoint at once, recovery, recount."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torture.endpoints import ENDPOINTS
from torture.faults import Expected, Fault, seen
from torture.stage import Stage, a_stage

ACKNOWLEDGED_BETWEEN = 5


def run(fault: Fault, folder: Path, seed: int, rounds: int = 1) -> None:
    """Let a fault happen so many times.

    Raises:
        AssertionError: an answer was wrong, the server did not recover, or something was lost or counted twice.
    """
    with (
        a_stage(
            fault.place,
            folder,
            seed,
            failing_over=fault.failing_over,
            disk_mb=fault.disk_mb,
            disk_of=fault.disk_of,
            own_clock=fault.own_clock,
        ) as stage,
        ThreadPoolExecutor(len(ENDPOINTS)) as clients,
    ):
        for _ in range(1 if fault.failing_over else rounds):
            with stage.load():
                stage.until_acknowledged(ACKNOWLEDGED_BETWEEN)
                with fault.happens(stage):
                    wrong = _asked(stage, fault, clients)
                    if fault.goes_on:
                        stage.until_acknowledged(ACKNOWLEDGED_BETWEEN)
                stage.until_ready()
                stage.until_acknowledged(ACKNOWLEDGED_BETWEEN)
            stage.recount()
            assert not wrong, "\n".join(["", fault.name, *wrong])
        assert stage.server.stop() == 0


def _asked(stage: Stage, fault: Fault, clients: ThreadPoolExecutor) -> list[str]:
    """What was wrong with the answers of all endpoints, which are asked at once, in any order."""
    order = stage.chance.sample(ENDPOINTS, len(ENDPOINTS))
    answers = clients.map(lambda endpoint: stage.ask(endpoint, fault.patience_s), order)
    return [
        f"  {endpoint.name}: {_text(answered)}; right is {' or '.join(map(_text, fault.right(endpoint)))}"
        for endpoint, answer in zip(order, answers, strict=True)
        if (answered := seen(endpoint, answer)) not in fault.right(endpoint)
    ]


def _text(answer: Expected | str) -> str:
    return answer if isinstance(answer, str) else answer.value
