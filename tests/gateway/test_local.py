"""The daemon's own socket: answers, refusals, hostile lines, and a daemon that is not there."""

import asyncio
import contextlib
import json
import socket
import stat

import pytest

from gateway.errors import LinkError, ServiceRefused
from gateway.uplink import local
from gateway.uplink.local import CLIENTS_MAX, LINE_MAX, LocalServer, ask


async def echo(request):
    return {"said": request["text"]}


async def count(request):
    return {"counted": int(request["number"])}


async def refuse(request):
    raise ServiceRefused("outside the nameplate")


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "run" / "control.sock"
    server = LocalServer(path, {"echo": echo, "refuse": refuse, "count": count})
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
    assert "this socket answers: echo, refuse, count" in json.loads(await raw(path, line))["error"]


async def test_a_missing_field_is_an_error_not_a_crash(path):
    assert "bad request" in json.loads(await raw(path, b'{"do": "echo"}\n'))["error"]
    assert await ask(path, {"do": "echo", "text": 1}) == {"said": 1}


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b'"x"', b"[]", b"null"])
async def test_a_field_of_the_wrong_kind_is_an_error_not_a_crash(path, number):
    line = b'{"do": "count", "number": %s}\n' % number
    assert "count: bad request" in json.loads(await raw(path, line))["error"]


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


async def test_a_client_that_reads_nothing_does_not_hold_up_the_end(tmp_path):
    path = tmp_path / "control.sock"
    server = LocalServer(path, {"echo": echo})
    line = json.dumps({"do": "echo", "text": "x" * (LINE_MAX - 100)}).encode() + b"\n"
    async with asyncio.timeout(10):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(server.run())
            while not path.exists():
                await asyncio.sleep(0.001)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.setblocking(False)
                for _ in range(50):  # until no side takes any more
                    with contextlib.suppress(BlockingIOError):
                        client.send(line)
                    await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.wait([task])
    assert not path.exists()


async def test_no_daemon_is_said_so(tmp_path):
    with pytest.raises(LinkError, match="no daemon runs here"):
        await ask(tmp_path / "none.sock", {"do": "status"})


async def test_a_socket_that_nobody_serves_is_no_daemon_and_no_obstacle(tmp_path):
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with pytest.raises(LinkError, match="no daemon runs here"):
        await ask(path, {"do": "status"})
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(LocalServer(path, {"echo": echo}).run())
        while True:
            with contextlib.suppress(LinkError):
                assert await ask(path, {"do": "echo", "text": 1}) == {"said": 1}
                break
            await asyncio.sleep(0.001)
        task.cancel()


async def test_another_daemons_socket_is_not_taken(path):
    for _ in range(2):
        with pytest.raises(LinkError, match="another program answers there"):
            await LocalServer(path, {}).run()
    assert await ask(path, {"do": "echo", "text": 1}) == {"said": 1}


async def test_a_file_in_the_sockets_place_stays(tmp_path):
    (tmp_path / "site.yaml").write_text("precious")
    with pytest.raises(LinkError, match="stays one: give `socket`"):
        await LocalServer(tmp_path / "site.yaml", {}).run()
    assert (tmp_path / "site.yaml").read_text() == "precious"


async def test_a_path_too_long_for_a_socket_is_a_link_error(tmp_path):
    with pytest.raises(LinkError, match="no local socket: AF_UNIX path too long"):
        await LocalServer(tmp_path / ("x" * 200), {}).run()
    with pytest.raises(LinkError, match="does not answer: AF_UNIX path too long"):
        await ask(tmp_path / ("x" * 200), {"do": "status"})


async def test_a_stranger_at_the_socket_is_said_so(tmp_path):
    async def stranger(reader, writer):
        await reader.readline()
        writer.write(b"[1]\n")
        writer.close()

    async with await asyncio.start_unix_server(stranger, tmp_path / "x.sock"):
        with pytest.raises(LinkError, match="what answers there is not gridseal"):
            await ask(tmp_path / "x.sock", {"do": "status"})


async def test_a_socket_that_cannot_be_made_is_a_link_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LinkError, match="no local socket"):
        await LocalServer(tmp_path / "file" / "x.sock", {}).run()


async def test_a_daemon_that_hangs_is_given_up_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "ANSWER_S", 0.05)

    async def hanging(reader, writer):
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(hanging, tmp_path / "x.sock"):
        with pytest.raises(LinkError, match="does not answer: too slow"):
            await ask(tmp_path / "x.sock", {"do": "status"})
