"""`gridseal watch`: by itself and from a daemon; what is stale, absent or offline is seen as that."""

import asyncio
import io

from rich.console import Console

from gateway import cli
from gateway.cli.watch import render
from gateway.uplink.local import LocalServer
from tests.gateway.cli_bench import write
from tests.processes import rig


def drawn(found):
    console = Console(width=100, file=io.StringIO(), force_terminal=True)
    console.print(render("here", "from the daemon", found, 100))
    return console.file.getvalue()


def test_each_quality_looks_its_own_way():
    said = drawn(
        {
            "bms": {
                "points": {
                    "battery_soc_bp": [5120, "GOOD", 300],
                    "battery_power_w": [-12_500, "STALE", 61_000],
                    "cell_mv": [0, "ABSENT", 0],
                    "x_w": [9, "INVALID", 7_200_000],
                }
            },
            "meter": {"points": {}, "trouble": "no answer\x1b[2J"},
        }
    )
    assert "51.20 %" in said and "0.3 s" in said and "-12.50 kW" in said and "61.0 s" in said
    assert "120 min" in said and "nothing yet" in said and "no answer" in said
    assert "\x1b[2J" not in said


def test_many_devices_stand_side_by_side_where_there_is_room():
    def lines(width):
        point = {"points": {"grid_power_w": [1, "GOOD", 0]}}
        console = Console(width=width, file=io.StringIO())
        console.print(render("here", "x", dict.fromkeys("abcd", point), width))
        return console.file.getvalue().count("\n")

    assert lines(54) > lines(110) > lines(220)


def test_by_itself(tmp_path, capsys):
    with rig(tmp_path, "--tcp", "0") as where:
        site = str(write(tmp_path, port=where["tcp"], poll="200 ms"))
        assert cli.main(["watch", site, "inverter", "--seconds", "3"]) == 0
        said = capsys.readouterr().out
        assert "read here" in said and "battery_soc_bp" in said and "GOOD" in said
        ages = [float(line.split()[-2]) for line in said.splitlines() if line.endswith(" s")]
        assert len(ages) > 30 and len(set(ages)) == 1, "each poll brings the seldom ones too"
        assert cli.main(["watch", site, "nobody"]) == 1
        assert "has no device 'nobody'" in capsys.readouterr().err


def test_a_device_that_is_not_there(tmp_path, capsys):
    assert cli.main(["watch", str(write(tmp_path)), "--seconds", "0.5"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing yet" in said and "cannot connect" in said


def test_from_the_daemon(tmp_path, capsys):
    site = write(tmp_path)

    async def points(request):
        return {"points": {"grid_power_w": [7, "GOOD", 1]}}

    async def main():
        server = LocalServer(tmp_path / "control.sock", {"points": points})
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.run())
            while not (tmp_path / "control.sock").exists():
                await asyncio.sleep(0.01)
            assert await asyncio.to_thread(cli.main, ["watch", str(site), "--seconds", "0.1"]) == 0
            serving.cancel()

    asyncio.run(main())
    said = capsys.readouterr().out
    assert "from the daemon" in said and "7 W" in said
