"""``tallystick ready``, the health check of containers."""

from pathlib import Path

import pytest

from support.commands import CommandLine
from support.fixed_answer import answering
from support.server import running_server
from tallystick.cli.support.data_directory import held_data_directory, tell_addresses


@pytest.mark.parametrize("over", ["port", "unix"])
def test_it_asks_the_server_where_it_listens(run: CommandLine, tmp_path: Path, over: str) -> None:
    data = tmp_path / "data"
    listen = f"unix:{tmp_path}/http.sock" if over == "unix" else "127.0.0.1:0"
    # Settings of proxies are for other hosts than this one.
    proxies = {"HTTP_PROXY": "http://192.0.2.1:1", "http_proxy": "http://192.0.2.1:1"}
    with running_server(data, listen=listen):
        ran = run("ready", "--data", data, variables=proxies)
        assert (ran.code, ran.out, ran.err) == (0, "ready\n", "")
    ran = run("ready", "--data", data)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"tallystick: not ready: no server uses the data directory {data}\n"


def test_no_data_is_not_ready_and_none_is_made(run: CommandLine, tmp_path: Path) -> None:
    assert run("ready").code == 1
    assert list(tmp_path.iterdir()) == []


ANSWERS = {
    "ready": ({"status": "ready"}, None),
    # Counts are stored: a restart of the container would not help.
    "a task fails": ({"status": "ready", "tasks": ["exports has not succeeded for 99 seconds"]}, None),
    "no commits": ({"status": "unavailable", "reason": "the last commit failed"}, "the last commit failed"),
    "another program": (["ready"], "the server does not answer at http://{address}/health/ready"),
}


@pytest.mark.parametrize(("body", "reason"), ANSWERS.values(), ids=ANSWERS)
def test_the_exit_code_is_what_the_server_says(run: CommandLine, body: object, reason: str | None) -> None:
    data = Path("data")
    with held_data_directory(data), answering(body) as address:
        assert run("ready", "--data", data).err == "tallystick: not ready: the server is starting\n"
        tell_addresses(data, [address])
        ran = run("ready", "--data", data)
    assert ran.code == int(reason is not None)
    assert ran.err == ("" if reason is None else f"tallystick: not ready: {reason.format(address=address)}\n")


def test_an_address_where_nothing_listens_is_not_ready(run: CommandLine) -> None:
    with held_data_directory(Path("data")):
        for address, place in (
            ("127.0.0.1:1", "http://127.0.0.1:1/health/ready"),
            ("unix:/nowhere/s", "unix:/nowhere/s"),
        ):
            tell_addresses(Path("data"), [address])
            assert (
                run("ready", "--data", "data").err == f"tallystick: not ready: the server does not answer at {place}\n"
            )
