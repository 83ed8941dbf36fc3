"""Which checks a setup needs, by its settings: before a start, and in a server that runs."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.decoding.vocabulary_match import Match
from app.doctor import access, alike, database, embedded, machine, port, remotes, trusted, weights
from app.doctor import remote as far
from app.doctor import settings as written
from app.doctor.check import Check
from app.errors import CoSteerError, WeightsError
from app.local.trusted.reading import read_tokenizer
from app.local.trusted.server import TrustedServer
from app.local.weights import is_file, presence
from app.profiles.store.inspection import inspect
from app.remote import vllm
from app.remote.interface import RemoteModel
from app.remote.replicas import Replicas
from app.remote.several import SeveralRemotes
from app.settings.settings import EMBEDDED, Settings
from app.tokenization.tokenizer import Tokenizer

SERVED = "the small model on its server"


@dataclass(frozen=True)
class Far:
    """The servers behind the remote, each with its URL, and all as one."""

    servers: tuple[tuple[str, vllm.VLLMRemote], ...]
    one: RemoteModel
    replicas: Replicas | None = None


# The remote, the error if a URL or a proxy cannot be used, or None for the embedded one.
Remote = Far | CoSteerError | None


@dataclass(frozen=True)
class Running:
    """What a running server knows by itself, so that nothing is loaded or compared twice: whether each
    request needs a key (which may block), and how the vocabularies match. `dated`: the local model's chat
    template writes the date."""

    guarded: Callable[[], bool]
    match: Callable[[], Awaitable[Match]]
    dated: bool


def before_a_start(settings: Settings, stack: AsyncExitStack) -> list[Check]:
    """The checks of `costeer doctor`. The remote that they ask is closed with the stack."""
    remote = _remote(settings, stack)
    local = partial(_local_folder, settings)
    small = _small(settings, stack)
    return [
        *_weights(settings),
        *_machine(settings, remote, local),
        *database.checks(settings.data_dir),
        *port.checks(settings.host, settings.port),
        *access.checks(
            settings.host, lambda: inspect(settings.data_dir).guarded, trust_network=settings.trust_network
        ),
        *_of_remote(remote, settings),
        *_of_small(small, settings),
        *_alike(remote, settings, local, small),
    ]


def while_serving(settings: Settings, running: Running, stack: AsyncExitStack) -> list[Check]:
    """The checks of a server that runs with these settings. None takes the processor from replies for long:
    no weights are read, and a remote on this machine need not read long prompts."""
    remote = _remote(settings, stack)
    return [
        written.started(),
        machine.python(),
        *_weights(settings, loaded=True),
        *_machine(settings, remote, partial(_loaded_folder, settings), loaded=True),
        *database.checks(settings.data_dir),
        port.taken(settings.host, settings.port),
        *access.checks(settings.host, running.guarded, trust_network=settings.trust_network, serving=True),
        *_of_remote(remote, settings, serving=True),
        *_of_small(_small(settings, stack), settings, serving=True),
        *alike.compared(running.match, _model(settings), dated=running.dated, needs=_reached(remote)),
    ]


def _remote(settings: Settings, stack: AsyncExitStack) -> Remote:
    """The remote of the settings, which is closed with the stack."""
    if settings.remote_base_url == EMBEDDED:
        return None
    try:
        servers = tuple((url, _server(settings, stack, url)) for url in settings.remote_urls)
    except CoSteerError as error:
        return error
    if len(servers) == 1:
        return Far(servers, servers[0][1])
    replicas = Replicas([server for _, server in servers], tell=lambda _: None)
    stack.push_async_callback(replicas.aclose)
    return Far(servers, SeveralRemotes(replicas), replicas)


def _server(settings: Settings, stack: AsyncExitStack, url: str) -> vllm.VLLMRemote:
    server = vllm.VLLMRemote(
        url,
        model=settings.remote_model,
        api_key=settings.remote_api_key.get_secret_value(),
        connect_timeout=settings.remote_connect_timeout,
        read_timeout=settings.remote_read_timeout,
        proxy=settings.proxy(url=url),
        spare=False,
        headers=settings.headers,
    )
    stack.push_async_callback(server.aclose)
    return server


def _weights(settings: Settings, *, loaded: bool = False) -> list[Check]:
    names = {} if settings.local_base_url else {"local weights": settings.local_model}
    if settings.remote_base_url == EMBEDDED and settings.embedded_model not in names.values():
        names["embedded weights"] = settings.embedded_model
    return weights.checks(
        names,
        cache_dir=settings.cache_dir,
        weights_dir=settings.weights_dir,
        data_dir=settings.data_dir,
        loaded=loaded,
    )


def _machine(
    settings: Settings, remote: Remote, folder: Callable[[], Path | None], *, loaded: bool = False
) -> list[Check]:
    if not settings.model_names():
        return []
    return machine.checks(
        device=settings.device,
        dtype=settings.dtype,
        config_folder=folder,
        engine_cache=settings.cache_dir / "engine",
        leave_a_core=_here(remote),
        loaded=loaded,
    )


@dataclass(frozen=True)
class Small:
    """The server of the small model, and what loads its tokenizer."""

    server: TrustedServer
    tokenizer: Callable[[], Awaitable[Tokenizer]]


def _model(settings: Settings) -> str:
    """The small model's name."""
    return settings.served_local_model or SERVED if settings.local_base_url else settings.local_model


def _small(settings: Settings, stack: AsyncExitStack) -> Small | None:
    """The server of the small model, closed with the stack; None where that is in this process."""
    if not settings.local_base_url:
        return None
    server = TrustedServer(
        settings.local_base_url,
        model=settings.served_local_model,
        api_key=settings.local_api_key.get_secret_value(),
        connect_timeout=settings.remote_connect_timeout,
        read_timeout=settings.local_patience,
        remote_model=settings.remote_model,
    )
    stack.push_async_callback(server.aclose)
    loaded: list[Tokenizer] = []

    async def tokenizer() -> Tokenizer:
        if not loaded:
            read = await read_tokenizer(
                server,
                settings.local_tokenizer,
                cache_dir=settings.cache_dir,
                weights_dir=settings.weights_dir,
            )
            loaded.append(read)
        return loaded[0]

    return Small(server, tokenizer)


def _of_small(small: Small | None, settings: Settings, *, serving: bool = False) -> list[Check]:
    if small is None:
        return []
    return trusted.checks(
        small.server,
        small.tokenizer,
        url=settings.local_base_url,
        plaintext=settings.local_plaintext,
        has_key=bool(settings.local_api_key.get_secret_value()),
        top_logprobs=settings.top_logprobs,
        spared=serving and small.server.on_this_machine,
    )


def _here(remote: Remote) -> bool:
    """Whether a server behind the remote is on this machine."""
    return isinstance(remote, Far) and any(server.on_this_machine for _, server in remote.servers)


def _of_remote(remote: Remote, settings: Settings, *, serving: bool = False) -> list[Check]:
    if remote is None:
        return embedded.checks(far.NAMES)
    if isinstance(remote, CoSteerError):
        return far.refused(remote, far.NAMES)
    if remote.replicas is None:
        ((url, server),) = remote.servers
        return _of_server(server, url, settings, serving=serving)
    each = [
        remotes.numbered(_of_server(server, url, settings, serving=serving), number)
        for number, (url, server) in enumerate(remote.servers, 1)
    ]
    return [*itertools.chain(*each), remotes.compared(remote.replicas)]


def _of_server(server: vllm.VLLMRemote, url: str, settings: Settings, *, serving: bool) -> list[Check]:
    proxy = settings.proxy(url=url)
    return far.checks(
        server,
        url=url,
        has_key=bool(settings.remote_api_key.get_secret_value()),
        top_logprobs=settings.top_logprobs,
        proxy=proxy,
        unused=proxy is None and bool(settings.remote_proxy.get_secret_value()),
        spared=serving and server.on_this_machine,
    )


def _alike(
    remote: Remote, settings: Settings, local: Callable[[], Path | None], small: Small | None
) -> list[Check]:
    if remote is None:
        return embedded.checks(alike.NAMES)
    if isinstance(remote, CoSteerError):
        return far.refused(remote, (far.NAMES[0], *alike.NAMES))[1:]
    return alike.Alike(
        remote.one,
        _model(settings),
        local,
        named=settings.remote_tokenizer,
        named_folder=partial(_folder, settings, settings.remote_tokenizer, weights=False),
        needs="model" if remote.replicas is None else remotes.NAME,
        of_server=small.tokenizer if small is not None else None,
    ).checks()


def _reached(remote: Remote) -> tuple[str, ...]:
    """The checks that say whether the remote can be compared with."""
    if remote is None:
        return ()
    return (remotes.NAME,) if isinstance(remote, Far) and remote.replicas is not None else (far.NAMES[0],)


def _local_folder(settings: Settings) -> Path | None:
    """The local model's folder; None if it is not downloaded."""
    with suppress(WeightsError):  # reported by the check of the weights
        return _folder(settings, settings.local_model)
    return None


def _loaded_folder(settings: Settings) -> Path | None:
    """Likewise, but None for a file, which is only found after all of it is read."""
    return None if is_file(settings.local_model) else _local_folder(settings)


def _folder(settings: Settings, name: str, *, weights: bool = True) -> Path | None:
    """A model's folder, or that of its tokenizer alone; None if it is not downloaded. Raises WeightsError for
    an unknown name."""
    found = presence(name, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir, weights=weights)
    return found.folder
