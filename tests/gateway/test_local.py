"""The daemon's own socket: answers, refusals, hostile lines, and a daemon that is not there."""

import asyncio
import contextlib
import json
import stat

import pytest

from gateway.errors import LinkError, ServiceRefused
from gateway.uplink.local import CLIENTS_MAX, LINE_MAX, LocalServer, ask


async def echo(request):
    return {"said": request["text"]}


async def refuse(request):
    raise ServiceRefused("outside the nameplate")


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "run" / "control.sock"
    server = LocalServer(path, {"echo": echo, "refuse": refuse})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        while not path.exists():
            await asyncio.sleep(0.001)
        yield path
        task.cancel()
    assert not path.exists()


async def close(writer):
    writer.close()
    with contextlib.suppress(ConnectionError):  # the server may have hung up first
        await writer.wait_closed()


async def raw(path, line):
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    answer = await asyncio.wait_for(reader.readline(), 5)
    await close(writer)
    return answer


async def test_an_answer_comes_back(path):
    assert await ask(path, {"do": "echo", "text": "hé"}) == {"said": "hé"}


async def test_a_refusal_is_its_reason(path):
    with pytest.raises(ServiceRefused, match="outside the nameplate"):
        await ask(path, {"do": "refuse"})


async def test_only_owner_and_group_may_open_it(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b"nonsense\n", b'{"do": []}\n', b'{"do": "shutdown"}\n', b"[" * 5000 + b"\n"]
)
async def test_nonsense_is_told_what_is_possible(path, line):
    assert "this socket answers: echo, refuse" in json.loads(await raw(path, line))["error"]


async def test_a_missing_field_is_an_error_not_a_crash(path):
    assert "bad request" in json.loads(await raw(path, b'{"do": "echo"}\n'))["error"]
    assert await ask(path, {"do": "echo", "text": 1}) == {"said": 1}


async def test_a_line_without_end_is_cut(path):
    assert await raw(path, b"x" * (LINE_MAX * 3)) == b""


async def test_clients_are_bounded(path):
    held = [await asyncio.open_unix_connection(path) for _ in range(CLIENTS_MAX)]
    for reader, writer in held:  # all of them are served
        writer.write(b'{"do": "echo", "text": 1}\n')
        assert await reader.readline()
    with contextlib.suppress(ConnectionError):
        assert await raw(path, b'{"do": "echo", "text": 1}\n') == b""
    for _, writer in held:
        await close(writer)


async def test_no_daemon_is_said_so(tmp_path):
    with pytest.raises(LinkError, match="no daemon runs here"):
        await ask(tmp_path / "none.sock", {"do": "status"})


async def test_a_socket_that_cannot_be_made_is_a_link_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LinkError, match="no local socket"):
        await LocalServer(tmp_path / "file" / "x.sock", {}).run()
