"""A service on a port: taken before anything is promised, served until somebody stops it.

The port is bound first, so that a link that was printed works, and a port that is taken is an error
with a remedy. uvicorn serves; Ctrl-C or SIGTERM ends it in good order.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from gandt.errors import UsageError
from gandt.serving.service.patience import IDLE_SECONDS, PatientProtocol

__all__ = ["PORT", "bind", "is_loopback", "make_server", "own_names", "public_host", "serve"]

PORT = 8484
_TRIES = 20  # ports after the usual one
_CONNECTIONS = 1000  # at the same time; `patience` says what becomes of more
_NEW = 128  # of them that may be taken in at once
_GOODBYE = 3  # seconds for requests that are under way when it ends


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of this name."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int | None, *, usual: int = PORT) -> socket.socket:
    """Take a port.

    Parameters
    ----------
    port
        0 for any; None for the usual one or the next that is free.

    Raises
    ------
    UsageError
        Where it is taken or not allowed, or the host is none of this machine.
    """
    wanted = [port] if port is not None else [*range(usual, usual + _TRIES), 0]
    for number in wanted:
        try:
            return _bind(host, number)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and number != wanted[-1]:
                continue
            raise UsageError(_refused(host, number, error)) from error
        except OverflowError as error:
            raise UsageError(f"--port {number}: a port is a number up to 65535.") from error
    raise AssertionError("the last port raises or is taken")


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_NEW)
    except BaseException:
        found.close()
        raise
    return found


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken: name another (--port), or 0 for any that is free."
    if error.errno == errno.EACCES:
        return f"Port {port} needs the rights of root: name one above 1023 (--port)."
    return f"--host {host} is no address of this machine: name 127.0.0.1, or 0.0.0.0 for all."


def own_names() -> frozenset[str]:
    """The names by which others know this machine."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({name, short, f"{short}.local", socket.getfqdn().lower()} - {""})


def public_host(host: str) -> str:
    """A host for links: of a wildcard the address by which the network knows this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return f"[{host}]" if address.version == 6 else host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; only asks which way it would go
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def make_server(app: ASGIApp, on_ready: Callable[[], object] = lambda: None) -> uvicorn.Server:
    """Make the server for an application.

    Parameters
    ----------
    on_ready
        Called once, from another thread, when requests are answered.
    """
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        ws="none",
        backlog=_NEW,
        limit_concurrency=min(_CONNECTIONS, _open_files() // 2),
        timeout_keep_alive=int(IDLE_SECONDS),
        timeout_graceful_shutdown=_GOODBYE,
        h11_max_incomplete_event_size=32_768,
    )
    return _Server(config, on_ready)


def _open_files() -> int:
    """How many files and connections this process may have open, as far as it matters."""
    if sys.platform == "win32":
        return 2 * _CONNECTIONS
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2 * _CONNECTIONS if most == resource.RLIM_INFINITY else most


def serve(
    app: ASGIApp, bound: socket.socket, *, on_ready: Callable[[], object] = lambda: None
) -> None:
    """Serve until SIGINT or SIGTERM; to be called in the main thread.

    Parameters
    ----------
    bound
        The port, from `bind`; it is closed in the end.
    on_ready
        As in `make_server`.
    """
    # uvicorn repeats the signal that ended it once everything is closed: SIGTERM as well as Ctrl-C
    # is then an exception, and the caller closes what it has open.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        make_server(app, on_ready).run(sockets=[bound])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        bound.close()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            threading.Thread(target=self._on_ready, daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets=sockets)
        # What came in while the others were closed, or is still at work, has had its time.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
