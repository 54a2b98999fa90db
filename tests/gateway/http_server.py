"""A real HTTP server on loopback that does one wrong thing."""

from aiohttp import web


class Server:
    """Any method and path goes to `handler`; entered, it gives a URL with a key in it."""

    def __init__(self, handler) -> None:
        self._handler = handler

    async def __aenter__(self) -> str:
        application = web.Application()
        application.router.add_route("*", "/{key:.*}", self._handler)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v3/secretkey"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
