"""What every test runs under: two event loops, brokers that must not be skipped where they can run, and no process left behind."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import signal
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

PLUGINS = ("tests.brokers.plugin", "tests.compiler.plugin")


def _present(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# What shared tests assert is explained as in a test's own file
pytest.register_assert_rewrite("tests.consumers.contract", "tests.consumers.lease_contract", "tests.consumers.survival")
pytest_plugins = [module for module in PLUGINS if _present(module)]

PROJECT = Path(__file__).parent.parent
# Every process that a test starts inherits this mark: that is how the ones left behind are found. Parallel workers share their parent's.
SESSION = os.environ["EXPRESS_TEST_SESSION"] if "PYTEST_XDIST_WORKER" in os.environ else uuid.uuid4().hex
os.environ["EXPRESS_TEST_SESSION"] = SESSION


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


# --- Event loops ------------------------------------------------------------------------------------------------------------------


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every async test runs twice: on uvloop, as `express run` does, and on asyncio's own loop. A marker keeps it to one of them."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}
    if item.get_closest_marker("asyncio_loop_only"):
        del factories["uvloop"]
    elif item.get_closest_marker("uvloop_only"):
        del factories["asyncio"]
    return factories


# --- Who runs what ----------------------------------------------------------------------------------------------------------------

# Parallel workers take whole files; what shares a server that takes long to start goes to one worker, which starts it once.
TOGETHER = {
    "tests/brokers/": "kafka that is killed",
    "tests/chaos/": "kafka that is killed",
    "tests/test_bench.py": "kafka that is killed",
    "tests/api/test_pipelines.py": "kafka",
    "tests/consumers/test_kafka": "kafka",
    "tests/dlq/test_boxes.py": "kafka",
    "tests/sinks/test_kafka.py": "kafka",
    "tests/tasks/test_own.py": "kafka",
    "tests/test_launching.py": "kafka",
    "tests/test_readme.py": "kafka",
    "tests/consumers/test_kinesis": "aws",
    "tests/consumers/test_sqs": "aws",
    "tests/dlq/test_sqs.py": "aws",
    "tests/sinks/test_redrive.py": "aws",
    "tests/sinks/test_sqs.py": "aws",
    "tests/tasks/test_aws.py": "aws",
}
# Many files that only compute, none of them for long
SMALL = ("tests/compiler/", "tests/language/", "tests/runtime/", "tests/teststate/")


def _group(path: str) -> str | None:
    return next((group for place, group in TOGETHER.items() if path.startswith(place)), None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByServer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return _group(path) or path

    return ByServer(config, log)


# --- Which tests run --------------------------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long fault runs are for `make chaos`. What takes minutes comes first, so that no parallel worker is left alone with it; then files
    that wait among files that compute. Many small pieces that only compute come last: they fill what is left."""
    brokers = {item.nodeid.partition("::")[0] for item in items if "kafka_session" in getattr(item, "fixturenames", ())}
    if alone := sorted(path for path in brokers if _group(path) is None):
        raise pytest.UsageError(f"{', '.join(alone)}: expected in TOGETHER (tests/conftest.py), or its worker starts a broker of its own")
    for item in items:
        if item.get_closest_marker("chaos") and not os.environ.get("EXPRESS_CHAOS"):
            item.add_marker(pytest.mark.skip(reason="a long fault run: make chaos"))
    long = {item.path for item in items if _group(item.nodeid) or item.get_closest_marker("installs")}

    def place(item: pytest.Item) -> tuple[bool, bool, int]:
        first, last = item.path in long, item.nodeid.startswith(SMALL)
        return not first, last, 0 if first or last else zlib.crc32(item.nodeid.partition("::")[0].encode())

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Seven thousand tests are a third of a second of every full collection; they live to the end, so the collector passes them over. It
    comes less often, too: a twelfth of the processor's time was its."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where a real broker can run (EXPRESS_REQUIRE_KAFKA, set by .ci/run) a skipped broker test is a failed one."""
    report = yield
    broker = item.get_closest_marker("kafka") or item.get_closest_marker("kafka_group")
    wanted = broker and not item.get_closest_marker("chaos") and os.environ.get("EXPRESS_REQUIRE_KAFKA")
    if wanted and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"a broker test was skipped although EXPRESS_REQUIRE_KAFKA is set: {reason}"
    return report


# --- Nothing is left behind -------------------------------------------------------------------------------------------------------


def _left_behind() -> dict[int, str]:
    """Living processes that inherited this session's mark, with their command lines; Linux only. What ends with its parent does not count:
    Python's own two helper processes, and that in which expressions without bound are evaluated."""
    found: dict[int, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            if f"EXPRESS_TEST_SESSION={SESSION}".encode() not in (process / "environ").read_bytes().split(b"\0"):
                continue
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        helpers = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "jsonata_process.py")
        if state != "Z" and not any(helper in command for helper in helpers):
            found[int(process.name)] = command
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that outlives the tests fails them, and is ended."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return  # others still work; the parent looks when all have ended
    patience = time.monotonic() + 5
    while (left := _left_behind()) and time.monotonic() < patience:
        time.sleep(0.1)
    for number, command in left.items():
        print(f"\nleft behind by the tests: process {number}: {command[:200]}", file=sys.stderr)
        os.kill(number, signal.SIGKILL)
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
