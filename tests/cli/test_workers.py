"""Several processes on one port: who is started when, replaced and ended, and what they share."""

from __future__ import annotations

import asyncio
import errno
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

import httpx
import pytest

from app.cli.announcing import Met
from app.cli.parent import Alive, News, Parent, Refused
from app.cli.serve import MISCONFIGURED
from app.cli.workers import (
    FIRST_PAUSE,
    LASTING_SECONDS,
    LONGEST_PAUSE,
    LOOK_SECONDS,
    PATIENT_LOOKS,
    TRIES,
    Started,
    Workers,
    work,
)
from app.errors import CoSteerError, SettingsError
from app.logs import Lines
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
        here, there = multiprocessing.Pipe()
        self.processes.append(process)
        self.numbers.append(number)
        self.pipes.append(there)
        return Started(process, here)

    def says(self, index: int, news: News) -> None:
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
        house.says(0, Met("qwen"))
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
        house.says(9, Met("qwen"))
        house.now += LASTING_SECONDS
        house.ends(9)
        house.workers.start_due()
        assert len(house.processes) == 11


@pytest.mark.parametrize("seconds", [0.0, LASTING_SECONDS], ids=["at once", "after long"])
def test_where_all_end_before_any_serves_so_does_the_start(seconds: float) -> None:
    house = House(2)
    with pytest.raises(CoSteerError, match=r"3 times .* SIGSEGV"), house.workers.running():
        for index in range(2 * TRIES):
            house.workers.start_due()
            house.now += seconds
            house.ends(index, -signal.SIGSEGV)
            house.now += LONGEST_PAUSE
    ended = [process for process in house.processes if process.exitcode == -signal.SIGSEGV]
    assert len(ended) == 2 * TRIES, "it ends no sooner"


def test_those_that_end_are_tried_again_as_long_as_another_one_may_serve() -> None:
    house = House(2)
    with house.workers.running():
        house.workers.start_due()
        for index in (1, 2, 3, 4, 5):
            house.ends(index)
            house.now += LONGEST_PAUSE
            house.workers.start_due()
        house.says(0, Met("qwen"))
        house.ends(6)
    assert house.met


def test_one_that_answers_no_more_is_killed_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    house = House(3)
    with house.workers.running():
        house.workers.start_due()
        house.says(0, Met("qwen"))
        house.says(1, Met("qwen"))
        for _ in range(PATIENT_LOOKS + 1):
            assert house.processes[1].signals == []
            house.now += LOOK_SECONDS
            house.workers.step()
            assert house.pipes[0].recv_bytes() == b""
            house.says(0, Alive())
        assert [process.signals for process in house.processes] == [[], ["KILL"], []]
        assert not house.pipes[2].poll(), "one that starts takes as long as it takes"
        house.workers.start_due()
        assert house.numbers == [1, 2, 3, 2]
        assert house.pipes[1].recv_bytes() == b""
        with pytest.raises(EOFError):  # one question at a time
            house.pipes[1].recv_bytes()
    assert "worker 2 (process 1) answers nothing" in caplog.text


def test_whatever_stops_all_for_long_ends_no_worker() -> None:
    """A laptop that sleeps, a container that is paused: none has answered meanwhile."""
    house = House(1)
    with house.workers.running():
        house.workers.start_due()
        house.says(0, Met("qwen"))
        for _ in range(PATIENT_LOOKS + 1):
            house.now += 1000 * LOOK_SECONDS
            house.workers.step()
            house.says(0, Alive())
        assert house.processes[0].signals == []


async def test_a_worker_s_loop_answers_its_parent() -> None:
    here, there = multiprocessing.Pipe()
    with Parent(there).attended(lambda: None):
        for _ in range(2):
            here.send_bytes(b"")
            assert await asyncio.to_thread(here.poll, 60)
            assert here.recv() == Alive()
        here.close()
        there.close()


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

    def serves(_number: int, _settings: Settings, _listener: object, parent: Parent) -> None:
        parent.tell(Met("qwen"))
        told.append(Met("qwen"))

    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("app.cli.workers.write_log", lambda *_: None)
    monkeypatch.setattr("app.cli.serving.run_worker", serves)
    here, there = multiprocessing.Pipe()
    here.close()
    with socket.socket() as listener:
        work(1, Settings(), listener, there)
    assert told


def test_one_that_ends_by_a_mistake_says_where_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it had at hand may be private."""
    quoted = "a " + "secret"

    def serves(*_: object) -> None:
        raise RuntimeError(quoted)

    monkeypatch.setattr(os, "setsid", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("app.cli.workers.write_log", lambda *_: None)
    monkeypatch.setattr("app.cli.serving.run_worker", serves)
    with socket.socket() as listener, pytest.raises(SystemExit) as ending:
        work(1, Settings(), listener, multiprocessing.Pipe()[1])
    assert ending.value.code == 1
    (record,) = caplog.records
    record.exc_text = None  # as pytest has formatted it
    logged = Lines().format(record)
    assert "in serves" in logged and "RuntimeError" in logged
    assert quoted not in logged


def test_with_a_model_in_the_process_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refused("serve", "--workers", "2", "--port", "0", status=MISCONFIGURED)
    assert "COSTEER_WORKERS=2" in message
    assert "COSTEER_LOCAL_BASE_URL" in message
    monkeypatch.setenv("COSTEER_WORKERS", "65")
    assert "COSTEER_WORKERS" in refused("serve", status=MISCONFIGURED)


def serving(workers: int, **environment: str) -> AbstractContextManager[tuple[subprocess.Popen[str], str]]:
    """`costeer serve` over fake models with several workers, and what it printed when it was ready."""
    over_fakes = str(ROOT / "tests" / "workers_over_fakes.py")
    return running.serving(over_fakes, COSTEER_WORKERS=str(workers), COSTEER_LOG_FORMAT="json", **environment)


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


def test_of_two_real_ones_one_that_stands_still_is_replaced() -> None:
    with serving(2, SECONDS_A_LOOK="2") as (process, printed), httpx.Client(timeout=60) as client:
        url, body = pasted(printed)
        with client.stream("POST", url, json=body | {"max_tokens": 4000}) as dying:
            victim = pid_of(dying)
            os.kill(victim, signal.SIGSTOP)
            with pytest.raises(httpx.RemoteProtocolError):
                dying.read()
        assert client.post(url, json=body).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    messages = [json.loads(line)["message"] for line in err.splitlines()]
    (killed,) = [one for one in messages if "answers nothing" in one]
    assert f"(process {victim})" in killed
    assert [one for one in messages if f"(process {victim}) ended: SIGKILL" in one]
