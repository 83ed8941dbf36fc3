"""`costeer chat` as people use it: at a terminal, in a pipe, with a server and without one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.chat.terminal import BREAK, END, ENTER, INTERRUPT, TAB, terminal
from cli.running import ROOT
from cli.test_serve import PACED, SERVE, pasted, serving

LOUD = ("chat", "-p", "loud", "--temperature", "0", "--max-tokens", "11")
ENDLESS = ("chat", "-p", "loud", "--temperature", "0")
# A reply that a terminal would obey.
EVIL = """
quiet = FakeRemote.__init__

def loud(self):
    quiet(self)
    self.text = "\\x1b[31mred\\x07"

FakeRemote.__init__ = loud
"""


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of the settings at which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("COSTEER_PORT", str(taken.getsockname()[1]))


def begun(
    *arguments: str, more: str = "", stdin: int = subprocess.PIPE, stdout: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """The command in a process of its own, over fake models."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVE.replace("{more}", more), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def ended(*arguments: str, stdin: str = "", more: str = "") -> tuple[int, str, str]:
    """Its status and both outputs; the fakes say at the end that they are closed."""
    process = begun(*arguments, more=more)
    out, err = process.communicate(stdin.encode(), timeout=120)
    return process.returncode, out.decode().removesuffix("closed\n"), err.decode()


def url_of(printed: str) -> str:
    return pasted(printed)[0].removesuffix("/chat/completions")


def running(printed: str) -> int:
    """How many replies a server writes now."""
    metrics = httpx.get(f"{url_of(printed).removesuffix('/v1')}/metrics", timeout=60).text
    found = re.search(r'costeer_requests_now\{kind="written",state="running"\} (\d+)', metrics)
    assert found is not None
    return int(found[1])


# One reply


def test_one_reply_is_all_that_goes_to_the_output() -> None:
    status, out, err = ended(*LOUD, "Say", "hello.")
    assert (status, out) == (0, "HELLO WORLD\n")
    assert re.fullmatch(r"No CoSteer server answers at \S+: the models are loaded here\.\n", err)


def test_json_has_the_reply_and_what_it_cost() -> None:
    status, out, _ = ended(*LOUD, "--json", "--seed", "7", stdin="Say hello.\n")
    told = json.loads(out)
    assert (status, told["content"], told["profile"], told["seed"]) == (0, "HELLO WORLD", "loud", 7)
    assert (told["finish_reason"], told["costeer"]["changed"]) == ("length", 10)


def test_what_a_terminal_would_obey_is_written_out() -> None:
    _, out, _ = ended("chat", "--temperature", "0", "--max-tokens", "9", "Say hello.", more=EVIL)
    assert out == "\\x1b[31mred\\x07\n"


def test_a_profile_that_there_is_not_is_named_with_advice() -> None:
    status, out, err = ended("chat", "-p", "nobody", "Say hello.")
    assert (status, out) == (1, "")
    assert "costeer profiles list" in err.splitlines()[-1]


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    ours, theirs = os.pipe()
    process = begun(*ENDLESS, "Say hello.", stdout=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    assert os.read(ours, 5)
    os.close(ours)
    _, err = process.communicate(timeout=120)
    assert b"Traceback" not in err
    assert len(err.splitlines()) == 1


def test_ctrl_c_ends_it_with_what_was_written() -> None:
    process = begun(*ENDLESS, "Say hello.", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.read(5) == b"HELLO"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out.endswith(b"\nclosed\n")  # the models too
    assert b"Traceback" not in err


# A server


def test_a_running_server_is_asked_and_hears_that_the_client_leaves() -> None:
    with serving(PACED) as (_, printed), terminal(*ENDLESS, "--url", url_of(printed), columns=60) as shown:
        shown.wait("loud>")
        assert f"Asking the CoSteer server at {url_of(printed).removesuffix('/v1')}." in shown.text
        shown.type(f"Say hello.{ENTER}")
        shown.wait("HELLO ")
        assert running(printed) == 1
        shown.type(INTERRUPT)
        shown.wait("stopped")
        while running(printed):  # it hears of it with the next piece that it sends
            pass
        # The one that was stopped is a part of the conversation, and can be written anew.
        shown.type(f"/save talk.json{ENTER}")
        shown.wait("Saved: talk.json")
        shown.type(END)
        assert shown.status() == 0
    _, stopped = json.loads(Path("talk.json").read_bytes())["messages"]
    assert stopped["stopped"] is True
    assert stopped["content"].startswith("HELLO")


def test_the_server_of_the_settings_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (_, printed):
        monkeypatch.setenv("COSTEER_PORT", str(url_of(printed).removesuffix("/v1").rpartition(":")[2]))
        status, out, err = ended(*LOUD, "Say hello.")
    assert (status, out) == (0, "HELLO WORLD\n")
    assert err.startswith("Asking the CoSteer server at http://127.0.0.1:")


def test_a_server_that_dies_in_mid_reply_is_told_and_the_conversation_goes_on() -> None:
    with serving(PACED) as (server, printed), terminal(*ENDLESS, "--url", url_of(printed)) as shown:
        shown.wait("loud>")
        shown.type(f"Say hello.{ENTER}")
        shown.wait("HELLO ")
        server.kill()
        shown.wait("error: The connection to the server broke")
        shown.type(f"Again{ENTER}")
        shown.wait("error: No CoSteer server answers")
        shown.type(END)
        assert shown.status() == 0


def test_a_server_that_is_not_there_or_another_s_is_told() -> None:
    address = f"http://127.0.0.1:{os.environ['COSTEER_PORT']}"
    status, out, err = ended("chat", "--url", address, "Hello.")
    assert (status, out) == (1, "")
    assert (
        err
        == f"error: {address}: No server answers there. Start one with `costeer serve`, or leave --url out.\n"
    )


# A conversation


def test_a_conversation_without_a_server() -> None:
    with terminal(*LOUD, columns=60) as shown:
        shown.wait("loud>")
        assert "the models are loaded here" in shown.text.replace("\n", "")
        shown.type(f"Say{BREAK}hello.{ENTER}")
        shown.wait("11 tokens, 10 changed")
        row = shown.lines.index("HELLO WORLD")
        letter, space = shown.cell(0, row), shown.cell(5, row)
        assert (letter.underscore, space.underscore) == (True, False)
        assert (letter.fg, space.fg) == ("875f87", "default") or letter.fg not in ("default", space.fg)
        shown.type(f"/compare{ENTER}")
        shown.wait("hello world")
        shown.type(f"/why 1{ENTER}")
        assert 'the remote wrote "d"' in shown.wait("final")
        shown.type(f"/preview{ENTER}")
        assert "LOUD, in capitals" in shown.wait("of private text")
        shown.type(f"/nonsense{ENTER}")
        shown.wait("There is no command /nonsense")
        shown.type(f"/save talk.md{ENTER}")
        shown.wait("Saved: talk.md")
        shown.type(f"/sa{TAB}")
        shown.wait(lambda text: text.endswith("loud> /save"))
        shown.type(f"talk.md{ENTER}")
        shown.wait("Overwrite it? [y/N]")
        shown.type(ENTER)
        shown.wait("Nothing was written")
        shown.type(f"/quit{ENTER}")
        assert shown.status() == 0
    assert "## You\n\nSay\nhello.\n\n## Reply (loud)\n\nHELLO WORLD\n" in Path("talk.md").read_text("utf-8")


def test_wishes_change_what_comes_next() -> None:
    with terminal(*LOUD, columns=120) as shown:
        shown.wait("loud>")
        for line, told in [
            ("/strength 0", "Strength: 0."),
            ("Hello.", "not steered: strength 0"),
            ("/strength -", "Strength: the profile's own."),
            ("/level off", "Least level of disclosure: off."),
            ("/level none", "error: /level takes"),
            ("/strength 9", "error: /strength"),
            ("/profile nobody", "error: There is no profile 'nobody'"),
            ("/retry", "not steered: nothing to steer by"),
            ("/profile -", "No profile is chosen"),
            ("/clear", "A new conversation begins."),
            ("/why", "error: Nothing has been asked yet."),
        ]:
            shown.type(f"{line}{ENTER}")
            shown.wait(told)
        shown.type(END)
        assert shown.status() == 0


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_a_reply_is_plain_text(environment: dict[str, Any]) -> None:
    with terminal(*LOUD, "Say hello.", **environment) as shown:
        assert shown.status() == 0
    assert b"\x1b" not in shown.sent
    assert b"HELLO WORLD\r\n" in shown.sent


def test_colours_are_there_for_a_terminal_that_has_them_but_not_if_it_is_to_be_plain() -> None:
    with terminal(*LOUD, "Say hello.") as shown:
        assert shown.status() == 0
        assert re.search(rb"\x1b\[4;38;5;\d+mHELLO", re.sub(rb"\x1b\[0m\x1b\[[\d;]+m", b"", shown.sent))
    with terminal(*LOUD, "--plain", "Say hello.") as shown:
        assert shown.status() == 0
        assert b"\x1b" not in shown.sent


def test_ctrl_c_at_the_prompt_drops_what_was_pasted_and_not_sent() -> None:
    with terminal(*LOUD) as shown:
        shown.wait("loud>")
        shown.type("\x1b[200~a half\nand another\x1b[201~")  # as a terminal says that it is pasted
        shown.wait("and another")
        shown.type(INTERRUPT)
        shown.wait(lambda text: text.count("loud>") == 2)
        shown.type(END)
        assert shown.status() == 0


def test_help_is_ready_before_models_are() -> None:
    """The command line imports neither models nor the line editor."""
    code = (
        "import sys, app.cli; print([n for n in ('torch', 'prompt_toolkit', 'fastapi') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    assert done.stdout == b"[]\n"
