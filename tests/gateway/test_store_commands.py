"""Commands are known for ever by their id and only go forward; budgets survive and are bounded."""

from dataclasses import replace

import pytest

from gateway.errors import StoreError
from gateway.model import ClockTrust, Command, CommandState, ServiceKind, Source, Stamp, Verdict
from gateway.store import commands
from tests.gateway.stores import memory

YES = Verdict(True)
AT = Stamp(50, 5000, ClockTrust.TRUSTED)


def command(number: int, start_ms: int = 1000) -> Command:
    return Command(
        f"{number:064x}",
        Source.CHAIN,
        ServiceKind.FIXED_POWER,
        start_ms,
        start_ms + 60_000,
        {"power_w": -3000},
        "contract 0x12/service 4",
    )


def test_a_command_is_stored_whole_and_once() -> None:
    conn = memory()
    assert commands.insert(conn, command(1), YES, received_ms=900)
    assert not commands.insert(conn, command(1), Verdict(False, "replayed"), received_ms=950)
    found = commands.get(conn, command(1).id)
    assert found is not None
    assert found.command == command(1)
    assert commands.insert(conn, replace(command(2), shared=True), YES)
    assert [o.command.shared for o in commands.open_commands(conn)] == [False, True]
    assert (found.state, found.reason, found.received_ms) == (CommandState.ADMITTED, "", 900)
    assert commands.get(conn, "unknown") is None


def test_states_go_forward_and_carry_their_moments() -> None:
    conn = memory()
    for number, start in ((1, 3000), (2, 2000), (3, 1000)):
        commands.insert(conn, command(number, start), YES)
    commands.insert(conn, command(4), Verdict(False, "above nameplate"))
    assert [o.command.not_before_ms for o in commands.open_commands(conn)] == [1000, 2000, 3000]
    commands.set_state(conn, command(1).id, CommandState.RUNNING, AT)
    commands.set_state(
        conn, command(1).id, CommandState.DONE, Stamp(60, 6000, ClockTrust.TRUSTED), "", {"wh": 5}
    )
    commands.set_state(conn, command(2).id, CommandState.CUT_SHORT, AT, "stopped before it began")
    done, cut = commands.get(conn, command(1).id), commands.get(conn, command(2).id)
    assert done is not None and cut is not None
    assert (done.began_ms, done.began_mono_ms, done.ended_ms, done.outcome) == (5000, 50, 6000, '{"wh":5}')
    assert (cut.began_ms, cut.ended_ms, cut.reason) == (0, 5000, "stopped before it began")
    assert [o.command.id for o in commands.open_commands(conn)] == [command(3).id]
    assert [o.command.id for o in commands.recent(conn, 2)] == [command(4).id, command(3).id]
    assert [o.state for o in commands.recent(conn, 1)] == [CommandState.REFUSED]


def test_a_begin_on_a_clock_that_is_not_trusted_has_no_date() -> None:
    conn = memory()
    commands.insert(conn, command(1), YES)
    commands.set_state(conn, command(1).id, CommandState.RUNNING, Stamp(50, 5000, ClockTrust.UNTRUSTED))
    found = commands.get(conn, command(1).id)
    assert found is not None
    assert (found.began_ms, found.began_mono_ms) == (0, 50)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ((), CommandState.DONE),
        ((), CommandState.REFUSED),
        ((CommandState.RUNNING,), CommandState.RUNNING),
        ((CommandState.RUNNING, CommandState.DONE), CommandState.RUNNING),
        ((CommandState.CUT_SHORT,), CommandState.RUNNING),
    ],
)
def test_no_state_is_entered_twice_or_backwards(path: tuple[CommandState, ...], wrong: CommandState) -> None:
    conn = memory()
    commands.insert(conn, command(1), YES)
    for state in path:
        commands.set_state(conn, command(1).id, state, AT)
    with pytest.raises(StoreError, match=f"cannot become {wrong}"):
        commands.set_state(conn, command(1).id, wrong, AT)
    with pytest.raises(StoreError, match="is not stored"):
        commands.set_state(conn, "unknown", CommandState.RUNNING, AT)


def test_refused_commands_are_bounded_and_never_push_out_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "REFUSED_KEPT", 5)
    conn = memory()
    commands.insert(conn, command(0), YES, received_ms=0)
    for number in range(1, 21):
        commands.insert(conn, command(number), Verdict(False, "no"), received_ms=number)
    kept = [int(o.command.id, 16) for o in commands.recent(conn, 100)]
    assert kept == [20, 19, 18, 17, 16, 0]


def test_budget_adds_up_by_device_and_day_and_forgets_old_days() -> None:
    conn = memory()
    assert commands.spent(conn, "inverter", 20_000) == 0
    assert commands.spend(conn, "inverter", 20_000) == 1
    assert commands.spend(conn, "inverter", 20_000, 3) == 4
    assert commands.spend(conn, "other", 20_000) == 1
    assert commands.spend(conn, "inverter", 20_001) == 1
    assert commands.spent(conn, "inverter", 20_000) == 4
    commands.spend(conn, "inverter", 20_000 + commands.BUDGET_DAYS_KEPT + 1)
    assert commands.spent(conn, "inverter", 20_000) == 0
    assert commands.spent(conn, "other", 20_000) == 1
