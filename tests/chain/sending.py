"""What tests of the transaction manager do on any chain: `w` is a world of it, with a store and blocks."""

from gateway.store import intents


async def state(w, number: int = 0) -> str:
    """What has become of `call/<number>`."""
    return (await w.store.call(intents.get, f"call/{number}")).state


async def settle(w, manager, rounds: int = 12) -> None:
    for _ in range(rounds):
        await manager.tick()
        w.block()
