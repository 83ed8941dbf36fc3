"""Several processes on one port: who is started when, replaced and ended, and what they share."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

import httpx
import pytest

from app.cli.announcing import Met
from app.cli.serve import MISCONFIGURED
from app.cli.workers import (
    FIRST_PAUSE,
    LASTING_SECONDS,
    LONGEST_PAUSE,
    Refused,
    Started,
    Workers,
    work,
)
from app.errors import CoSteerError, SettingsError
from app.settings.settings import Settings
from cli import running
from cli.running import ROOT, refused
from cli.test_serve import pasted

if sys.platform == "win32":
    pytest.skip("there several processes cannot share a port", allow_module_level=True)


class Process:
    """A process that ends when it is told to; a stubborn one only when it is killed."""

    def __init__(self, pid: int, *, stubborn: bool = False) -> None:
        self.pid, self.exitcode, self.stubborn = pid, None, stubborn
        self._end, self._alive = multiprocessing.Pipe(duplex=False)
        self.sentinel = self._end.fileno()
        self.signals: list[str] = []

    exitcode: int | None

    def ends(self, exitcode: int) -> None:
        self.exitcode = exitcode
        self._alive.close()

    def terminate(self) -> None:
        self.signals.append("TERM")
        if not self.stubborn:
            self.ends(0)

    def kill(self) -> None:
        self.signals.append("KILL")
        self.ends(-9)

    def join(self, timeout: float | None = None) -> None:
        pass


class House:
    """Workers over such processes, by a clock that is set."""

    def __init__(self, count: int, *, stubborn: bool = False) -> None:
        self.now = 1000.0
        self.processes: list[Process] = []
        self.numbers: list[int] = []
        self.pipes: list[Connection] = []
        self.met: list[Met] = []
        self._stubborn = stubborn
        self.workers = Workers(count, self._start, self.met.append, lambda: self.now)

    def _start(self, number: int) -> Started:
        process = Process(len(self.processes), stubborn=self._stubborn)
        here, there = multiprocessing.Pipe(duplex=False)
        self.processes.append(process)
        self.numbers.append(number)
        self.pipes.append(there)
        return Started(process, here)

    def says(self, index: int, news: Met | Refused) -> None:
        self.pipes[index].send(news)
        self.workers.step()

    def ends(self, index: int, exitcode: int = -9) -> None:
        self.processes[index].ends(exitcode)
        self.workers.step()


def test_all_are_started_and_the_first_that_serves_is_announced() -> None:
    house = House(3)
    with house.workers.running():
        house.workers.start_due()
        assert house.numbers == [1, 2, 3]
        house.says(1, Met("qwen"))
        house.says(0, Met("other"))
        assert house.met == [Met("qwen")]
    assert [process.signals for process in house.processes] == [["TERM"]] * 3


@pytest.mark.parametrize(("misconfigured", "kind"), [(True, SettingsError), (False, CoSteerError)])
def test_one_that_cannot_start_ends_the_start(misconfigured: bool, kind: type[CoSteerError]) -> None:
    house = House(2)
    with pytest.raises(kind, match="no tokenizer"), house.workers.running():
        house.workers.start_due()
        house.says(1, Refused("no tokenizer", misconfigured))
    assert [process.exitcode for process in house.processes] == [0, 0]


def test_once_one_has_served_no_other_ends_the_server(caplog: pytest.LogCaptureFixture) -> None:
    house = House(2)
    with house.workers.running():
        house.workers.start_due()
        house.says(0, Met("qwen"))
        house.says(1, Refused("the database is locked", False))
        house.ends(1, 1)
    assert "could not start: the database is locked" in caplog.text
    assert "worker 2 (process 1) ended: status 1" in caplog.text


def test_a_lasting_worker_is_replaced_at_once_and_others_after_longer_and_longer() -> None:
    house = House(1)
    with house.workers.running():
        house.workers.start_due()
        house.now += LASTING_SECONDS
        house.ends(0)
        house.workers.start_due()
        assert house.numbers == [1, 1]
        pauses = []
        for index in range(1, 9):
            house.ends(index)
            (worker,) = house.workers._workers
            pauses.append(worker.due - house.now)
            house.now = worker.due - 0.01
            house.workers.start_due()
            assert len(house.processes) == index + 1
            house.now += 0.02
            house.workers.start_due()
            assert len(house.processes) == index + 2
        assert pauses == pytest.approx([FIRST_PAUSE * 2**n for n in range(5)] + [LONGEST_PAUSE] * 3, abs=1e-6)
        house.now += LASTING_SECONDS
        house.ends(9)
        house.workers.start_due()
        assert len(house.processes) == 11


def test_one_for_which_nothing_is_left_is_tried_again_and_ends_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(2)
    house.workers.start_due()
    house.says(0, Met("qwen"))
    house.ends(1)
    start = house._start
    house.workers._start = refuses
    house.now += FIRST_PAUSE
    house.workers.start_due()
    assert "worker 2 cannot be started" in caplog.text
    house.workers._start = start
    house.workers.start_due()
    assert house.numbers == [1, 2], "it waits twice as long"
    house.now += 2 * FIRST_PAUSE
    house.workers.start_due()
    assert house.numbers == [1, 2, 2]


def test_where_nothing_is_left_at_the_start_that_is_the_error() -> None:
    house = House(1)
    house.workers._start = refuses
    with pytest.raises(OSError, match="Cannot allocate"):
        house.workers.start_due()


def refuses(_number: int) -> Started:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def test_what_does_not_end_in_time_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    house = House(2, stubborn=True)
    with pytest.raises(SystemExit), house.workers.running():
        house.workers.start_due()
        sys.exit(143)
    assert [process.signals for process in house.processes] == [["TERM", "KILL"]] * 2
    assert "process 1 did not end in time" in caplog.text


def test_a_worker_that_is_alone_in_the_world_has_nobody_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever started it was killed before it served."""
    told: list[Met] = []

    def serves(_number: int, _settings: Settings, _listener: object, tell: Callable[[Met], None]) -> None:
        tell(Met("qwen"))
        told.append(Met("qwen"))

    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("app.cli.workers.write_log", lambda *_: None)
    monkeypatch.setattr("app.cli.serving.run_worker", serves)
    here, there = multiprocessing.Pipe(duplex=False)
    here.close()
    with socket.socket() as listener:
        work(1, Settings(), listener, there)
    assert told


def test_with_a_model_in_the_process_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refused("serve", "--workers", "2", "--port", "0", status=MISCONFIGURED)
    assert "COSTEER_WORKERS=2" in message
    assert "COSTEER_LOCAL_BASE_URL" in message
    monkeypatch.setenv("COSTEER_WORKERS", "65")
    assert "COSTEER_WORKERS" in refused("serve", status=MISCONFIGURED)


def serving(workers: int) -> AbstractContextManager[tuple[subprocess.Popen[str], str]]:
    """`costeer serve` over fake models with several workers, and what it printed when it was ready."""
    over_fakes = str(ROOT / "tests" / "workers_over_fakes.py")
    return running.serving(over_fakes, COSTEER_WORKERS=str(workers), COSTEER_LOG_FORMAT="json")


def pid_of(answer: httpx.Response) -> int:
    """The worker that has answered."""
    return int(answer.headers["x-worker"])


def test_of_two_real_ones_one_is_killed_in_a_reply_and_nothing_is_lost() -> None:
    # Each request has a connection of its own, which either worker accepts.
    apart = httpx.Limits(max_keepalive_connections=0)
    with serving(2) as (process, printed), httpx.Client(limits=apart, timeout=60) as client:
        url, body = pasted(printed)
        root = url.removesuffix("/chat/completions")
        body |= {"max_tokens": 40}

        def of_all(path: str) -> dict[int, httpx.Response]:
            """An answer of each worker."""
            with ThreadPoolExecutor(8) as pool:
                for _ in range(200):
                    several = pool.map(client.get, [f"{root}{path}"] * 8)
                    answers = {pid_of(one): one for one in several}
                    if len(answers) == 2:
                        return answers
                    time.sleep(0.2)
            raise AssertionError("one worker answers all")

        def written(_: int = 0) -> httpx.Response:
            return client.post(url, json=body | {"stream": False})

        before = of_all("/models")
        asked = {"model": body["model"], "input": "Hi", "profile": "loud", "max_output_tokens": 5}
        kept = client.post(f"{root}/responses", json=asked)
        assert kept.status_code == 200
        path = f"/responses/{kept.json()['id']}"
        assert {one.json()["id"] for one in of_all(path).values()} == {kept.json()["id"]}

        with client.stream("POST", url, json=body) as dying, ThreadPoolExecutor(4) as pool:
            victim = pid_of(dying)
            chunks = dying.iter_text()
            next(chunks)
            os.kill(victim, signal.SIGKILL)
            with pytest.raises(httpx.RemoteProtocolError):
                "".join(chunks)
            told = [*pool.map(written, range(4))]
        assert {one.status_code for one in told} == {200}
        assert {pid_of(one) for one in told} == before.keys() - {victim}

        after = of_all(path)
        assert len(after.keys() - before.keys()) == 1
        assert {one.json()["id"] for one in after.values()} == {kept.json()["id"]}
        client.delete(f"{root}/profiles/loud")
        assert {one.status_code for one in of_all(path).values()} == {404}

        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM
        messages = [json.loads(line)["message"] for line in err.splitlines()]
        assert [one for one in messages if f"(process {victim}) ended: SIGKILL" in one]
        with pytest.raises(httpx.ConnectError):
            client.get(f"{root}/models")
