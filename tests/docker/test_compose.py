"""compose.yaml keeps the proxy on this machine, starts it after its vLLM, and names only what there is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.cli.serving import GRACE_SECONDS
from app.settings.settings import PREFIX, Settings
from docker.files import DOCKER, arguments_of, compose, image_environment, variables

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
PROXIES = [name for name in SERVICES if name.startswith("costeer")]
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}

VLLMS = [name for name in SERVICES if name.startswith("vllm")]

REMOTES = [name for name in VLLMS if name != "vllm-trusted"]

each_vllm = pytest.mark.parametrize("name", VLLMS)
each_remote = pytest.mark.parametrize("name", REMOTES)
each_proxy = pytest.mark.parametrize("name", PROXIES)


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def of_profile(profile: str) -> set[str]:
    """The services that the profile starts."""
    return {name for name, service in SERVICES.items() if profile in service["profiles"]}


@each_proxy
def test_the_settings_of_a_proxy_exist_and_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES[name]["environment"]
    assert environment.keys() <= SETTINGS
    for variable, value in environment.items():
        monkeypatch.setenv(variable, str(value or ""))
    Settings(_env_file=None)


@each_proxy
def test_a_proxy_is_published_on_this_machine_only(name: str) -> None:
    (port,) = SERVICES[name]["ports"]
    host, _, inside = port.rsplit(":", 2)
    environment = SERVICES[name]["environment"]
    assert host == "127.0.0.1"
    assert int(inside) == environment["COSTEER_PORT"]
    # Only that allows these two.
    assert environment["COSTEER_HOST"] == "0.0.0.0"  # noqa: S104
    assert environment["COSTEER_TRUST_NETWORK"] == "true"


@each_proxy
def test_a_proxy_can_write_to_its_volumes_and_tmp_only(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert [entry.partition(":")[0] for entry in service["tmpfs"]] == ["/tmp"]  # noqa: S108
    environment = image_environment() | service["environment"]
    mounted = dict(reversed(volume.split(":")) for volume in service["volumes"])
    assert mounted.keys() == {environment["COSTEER_DATA_DIR"], environment["COSTEER_CACHE_DIR"]}
    assert set(mounted.values()) <= compose()["volumes"].keys()
    assert environment["HF_HOME"].startswith(environment["COSTEER_CACHE_DIR"] + "/")


@each_proxy
def test_a_proxy_has_no_rights_to_give_away(name: str) -> None:
    service = SERVICES[name]
    assert [service["user"]] == arguments_of("USER")
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@each_proxy
def test_a_proxy_is_given_time_to_finish_its_streams(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) > GRACE_SECONDS


def test_the_proxy_waits_until_its_vllm_answers() -> None:
    proxy, vllm = SERVICES["costeer"], SERVICES["vllm"]
    assert proxy["depends_on"] == {"vllm": {"condition": "service_healthy"}}
    assert proxy["environment"]["COSTEER_REMOTE_BASE_URL"] == "http://vllm:8000/v1"
    test = " ".join(vllm["healthcheck"]["test"])
    assert "8000" in test
    assert "/health" in test
    assert seconds(vllm["healthcheck"]["start_period"]) >= 1800


@each_vllm
def test_vllm_is_pinned_and_reached_inside_the_network_only(name: str) -> None:
    vllm = SERVICES[name]
    assert re.fullmatch(r"vllm/vllm-openai:v0\.32\.\d+", vllm["image"])
    assert "ports" not in vllm
    assert "network_mode" not in vllm
    (device,) = vllm["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


@each_remote
def test_vllm_gives_as_many_candidates_as_it_is_asked_for(name: str) -> None:
    options = SERVICES[name]["command"]
    wanted = SERVICES["costeer"]["environment"]["COSTEER_TOP_LOGPROBS"]
    assert f"--max-logprobs={wanted}" in options
    assert "--enable-prefix-caching" in options
    assert variables()["COSTEER_TOP_LOGPROBS"] == str(Settings.model_fields["top_logprobs"].default)


def test_each_profile_starts_one_proxy_and_cpu_needs_no_gpu() -> None:
    assert of_profile("gpu") == {"costeer", "vllm"}
    assert of_profile("replicas") == {"costeer-replicas", "router", "vllm", "vllm-2"}
    assert of_profile("trusted") == {"costeer-trusted", "vllm", "vllm-trusted"}
    assert of_profile("cpu") == {"costeer-cpu"}
    embedded = SERVICES["costeer-cpu"]
    assert embedded["environment"]["COSTEER_REMOTE_BASE_URL"] == "embedded"
    assert not {"deploy", "depends_on", "gpus"} & embedded.keys()


def test_the_names_of_all_proxies_are_let_in() -> None:
    assert variables()["COSTEER_ALLOWED_HOSTS"].split(",") == PROXIES


def test_replicas_are_alike_but_for_their_gpu() -> None:
    first, second = (SERVICES[name] for name in ("vllm", "vllm-2"))
    devices = [vllm["deploy"]["resources"]["reservations"]["devices"][0] for vllm in (first, second)]
    assert devices[0]["count"] == 1
    assert devices[1]["device_ids"] == ["1"]
    assert {name: first[name] for name in first if name not in {"profiles", "deploy"}} == {
        name: second[name] for name in second if name not in {"profiles", "deploy"}
    }


def test_the_trusted_vllm_is_another_one_than_the_remote_and_reached_by_the_proxy_alone() -> None:
    proxy, trusted = SERVICES["costeer-trusted"], SERVICES["vllm-trusted"]
    assert proxy["environment"]["COSTEER_LOCAL_BASE_URL"] == "http://vllm-trusted:8000/v1"
    assert proxy["environment"]["COSTEER_REMOTE_BASE_URL"] == "http://vllm:8000/v1"
    assert [name for name in SERVICES if "trusted" in SERVICES[name].get("networks", [])] == [
        "costeer-trusted",
        "vllm-trusted",
    ]
    assert trusted["networks"] == ["trusted"]
    assert proxy["networks"] == ["default", "trusted"]
    assert proxy["depends_on"].keys() == {"vllm", "vllm-trusted"}


def test_the_trusted_vllm_has_a_key_of_its_own_and_logs_no_requests() -> None:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    trusted = text[text.index("\n  vllm-trusted:\n") : text.index("\n  router:\n")]
    assert "VLLM_API_KEY: ${COSTEER_LOCAL_API_KEY:-}" in trusted
    assert "REMOTE" not in trusted
    assert "--enable-log-requests" not in trusted


def test_the_proxy_between_two_servers_has_an_image_without_torch() -> None:
    images = {name: SERVICES[name]["image"] for name in PROXIES}
    assert [name for name in PROXIES if images[name] == images["costeer-trusted"]] == ["costeer-trusted"]
    build = dict(SERVICES["costeer-trusted"]["build"])
    assert build.pop("args") == {"EXTRAS": ""}
    assert build == SERVICES["costeer"]["build"]


def test_cuda_wheels_change_what_the_image_is_built_from_and_the_devices() -> None:
    over = compose("compose.cuda.yaml")["services"]
    assert over.keys() == {"costeer"}
    assert over["costeer"].keys() == {"image", "build", "deploy"}
    declared = {argument.partition("=")[0] for argument in arguments_of("ARG")}
    assert over["costeer"]["build"]["args"].keys() <= declared
    assert over["costeer"]["image"] != SERVICES["costeer"]["image"]


def test_the_example_explains_each_variable_of_compose_that_is_no_setting() -> None:
    lines = (DOCKER / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given.pop("COMPOSE_PROFILES") == "gpu"
    assert given == {name: value for name, value in variables().items() if name not in SETTINGS}
    assert all(
        lines[number - 1].startswith("# ")
        for number, line in enumerate(lines)
        if "=" in line and line[0] != "#"
    )
