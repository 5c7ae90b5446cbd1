"""The end of a server: in good order, whoever is still connected."""

from __future__ import annotations

import gc
import socket
import threading
import warnings
from contextlib import closing

from starlette.types import Receive, Scope, Send

from gandt.serving.service.run import bind, make_server


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer nobody, and go on after having been told to stop, as work in a thread does."""
    while (await receive())["type"] != "http.disconnect":
        pass


def test_a_connection_that_is_at_work_to_the_end_is_closed_with_the_server() -> None:
    bound, ready, got = bind("127.0.0.1", 0), threading.Event(), b"nothing"
    server = make_server(never, ready.set)
    server.config.timeout_graceful_shutdown = 0.2
    thread = threading.Thread(target=server.run, args=([bound],))
    with closing(bound), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        thread.start()
        assert ready.wait(20)
        with socket.create_connection(bound.getsockname(), timeout=20) as visitor:
            visitor.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not server.server_state.tasks:
                assert thread.is_alive()
            server.should_exit = True
            thread.join(20)
            try:
                got = visitor.recv(1)
            except ConnectionResetError:
                got = b""
        gc.collect()
    assert not thread.is_alive()
    assert got == b""
    assert not server.server_state.connections
    assert [str(one.message) for one in said if one.category is ResourceWarning] == []
