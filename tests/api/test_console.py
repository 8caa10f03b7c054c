"""The pages for people: which state machines there are, and each as a picture."""

from __future__ import annotations

from tests.api.served import Served, passing


def test_the_list_names_every_state_machine_with_what_became_of_its_executions(server: Served) -> None:
    assert "none yet" in server.request(method="GET", path="/console")[2]
    arn = server.create("a.b-c", passing(1), publish=True)
    server.client.start_sync_execution(stateMachineArn=arn)
    status, headers, page = server.request(method="GET", path="/console")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["x-amzn-RequestId"]
    assert '<a href="/console/a.b-c">a.b-c</a>' in page
    assert "1 succeeded" in page


def test_a_state_machine_is_drawn(server: Served) -> None:
    server.create("drawn", {"Comment": "<b>bold</b>", "StartAt": "A & B", "States": {"A & B": {"Type": "Succeed"}}})
    status, _, page = server.request(method="GET", path="/console/drawn")
    assert status == 200
    assert "<svg" in page
    assert "A &amp; B" in page
    assert "&lt;b&gt;bold" in page


def test_there_is_nothing_else(server: Served) -> None:
    for path in ("/console/nobody", "/console/drawn/x", "/consoles", "/favicon.ico"):
        assert server.request(method="GET", path=path)[0] == 404
    assert server.request(method="POST", path="/console")[0] == 404
    assert server.request(method="GET", path="/console", Host="example.com")[0] == 403
