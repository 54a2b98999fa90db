"""Who orders, stops and releases in a seeded run, each by the road of its source.

A person asks over the daemon's local socket; chain, broker and schedule end in `Control.submit` and begin
there. What was asked and answered is told to the judge. It refuses to give up a release: a person comes back
until somebody answers.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from gateway import services
from gateway.errors import GridsealError, ServiceRefused
from gateway.model import Command, ServiceKind, Source
from tests.sim.court import Court
from tests.sim.judge import order as as_asked
from tests.sim.life import Life, Seed
from tests.sim.script import Script

ANSWER_S = 10.0
RELEASE_TRIES, RELEASE_AGAIN_S = 8, 20.0


class People:
    """`look` shows the judge what was written before now, `say` adds a line to the trace."""

    def __init__(
        self,
        rig: Seed,
        script: Script,
        judge: Court,
        life: Callable[[], Life | None],
        group: asyncio.TaskGroup,
        *,
        look: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._rig, self._clock, self._script, self._judge, self._life = rig, rig.clock, script, judge, life
        self._group, self._look, self._say = group, look, say
        self._given: dict[int, tuple[Source, dict[str, Any]]] = {}
        self.counts: Counter[str] = Counter()

    async def do_order(self, number: int, source: str, kind: str, **how: Any) -> None:
        delay_s, seconds, shared = how.pop("delay_s"), how.pop("seconds"), how.pop("shared")
        wall_ms = self._clock.now().wall_ms
        name = hashlib.sha256(f"{self._script.seed} {number}".encode()).hexdigest()
        begin_ms = wall_ms + int(delay_s * 1000)
        self._given[number] = (
            Source[source],
            {
                "id": name,
                "kind": kind,
                "begin_ms": begin_ms,
                "end_ms": begin_ms + int(seconds * 1000),
                "parameters": dict(how),
                "shared": shared,
            },
        )
        await self._give(number)

    async def do_again(self, number: int) -> None:
        if number in self._given:
            self.counts["repeated"] += 1
            await self._give(number)

    async def _give(self, number: int) -> None:
        source, given = self._given[number]
        kind = ServiceKind(given["kind"])
        parameters = services.complete(kind, given["parameters"])
        now_ms, wall_ms = self._clock.mono_ms(), self._clock.now().wall_ms
        command = Command(
            given["id"],
            source,
            kind,
            given["begin_ms"],
            given["end_ms"],
            parameters,
            f"{source.name.lower()} of the script",
            given["shared"],
        )
        answer = await self._submit(command, wall_ms)
        self.counts["orders"] += 1
        if answer is not None and "a minute from" in answer[1]:
            return  # not looked at
        admitted = None if answer is None else answer[0]
        self.counts[{True: "admitted", False: "refused", None: "unanswered"}[admitted]] += 1
        window = (given["begin_ms"], given["end_ms"])
        self._judge.asked(
            as_asked(command.id, kind, parameters, window, self._script.limit_w, command.shared),
            now_ms,
            wall_ms,
            admitted,
        )

    async def _submit(self, command: Command, wall_ms: int) -> tuple[bool, str] | None:
        """By the road of its source; None when nobody answered."""
        life = self._life()
        if life is None or not hasattr(life.daemon, "control"):
            return None
        try:
            async with asyncio.timeout(ANSWER_S):
                if command.source is Source.OPERATOR:
                    said = await self._rig.ask(
                        "submit",
                        id=command.id,
                        kind=command.kind.value,
                        delay_ms=command.not_before_ms - wall_ms,
                        duration_ms=command.not_after_ms - command.not_before_ms,
                        parameters=dict(command.parameters),
                        shared=command.shared,
                        who="script",
                    )
                    answer = (said["admitted"], said["reason"])
                else:
                    verdict = await life.daemon.control.submit(command)
                    answer = (verdict.admitted, verdict.reason)
        except (GridsealError, TimeoutError) as error:
            self._say(f"   no answer: {error}")
            return None
        self._say(f"   {command.id[:8]} {'admitted' if answer[0] else 'refused: ' + answer[1]}")
        return answer

    async def do_stop(self, source: str, name: str) -> None:
        wall_ms, now_ms = self._clock.now().wall_ms, self._clock.mono_ms()
        stop = Command(
            hashlib.sha256(name.encode()).hexdigest(),
            Source[source],
            ServiceKind.STOP,
            wall_ms,
            wall_ms + 1000,
        )
        answer = await self._submit(stop, wall_ms)
        if answer is not None and answer[0]:
            self.counts["stop_orders"] += 1
            self._judge.stopped(now_ms)

    async def do_release(self) -> None:
        self._group.create_task(self._release())

    async def _release(self) -> None:
        """A person who comes back until somebody answers."""
        for _ in range(RELEASE_TRIES):
            if self._life() is not None and await self._released():
                return
            await asyncio.sleep(RELEASE_AGAIN_S)

    async def _released(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                said = await self._rig.ask("release")
        except ServiceRefused as error:
            self._say(f"   no release: {error}")
            return True
        except (GridsealError, TimeoutError):
            return False
        self._look()
        self._say(f"   released: {said['message']}")
        self._judge.released()
        return True
