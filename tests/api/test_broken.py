"""An API that can never take an event again: the process ends with the reason, so that whoever watches over it starts another."""

from __future__ import annotations

from pathlib import Path

import pytest

from express.errors import ConnectionFailed
from tests.api.served import served


def test_a_process_whose_events_have_no_place_any_more_ends_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailed, match=r"^the queue is damaged$"), served(tmp_path) as server:
        serving = server.worker._serving
        assert serving is not None
        assert serving._inbox is not None
        server._loop.call_soon_threadsafe(serving._inbox._sink_failed, ConnectionFailed("the queue is damaged"))
        server._thread.join(30)
        assert not server._thread.is_alive()
