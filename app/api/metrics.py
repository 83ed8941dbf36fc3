"""Prometheus metrics: counts, seconds and tokens, with no label that a client or a profile can choose."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric

from app.api.activity import Activity
from app.api.limiter import ConcurrencyLimiter
from app.decoding.stats import PARTS, Stats
from app.remote.interface import HasReplicas

CONTENT_TYPE = CONTENT_TYPE_LATEST
# The route whose 503 is an answer and no failure.
PROBED = "/ready"
# Values of the label `steered`.
STEERED = {True: "true", False: "false"}
FIRST_TOKEN_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 25, 50, 100)


class Metrics:
    """Counts since the start. Every label has few values, and none comes from a request. `activity` has the
    last hour's, by the minute."""

    def __init__(self, activity: Activity | None = None) -> None:
        self.activity = activity or Activity()
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "costeer_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._replies = Counter(
            "costeer_replies", "Replies that this proxy wrote.", ["steered"], registry=registry
        )
        self._first_token = Histogram(
            "costeer_first_token_seconds",
            "From a request to its first token, waiting for its turn included.",
            ["steered"],
            buckets=FIRST_TOKEN_SECONDS,
            registry=registry,
        )
        self._tokens = Counter("costeer_tokens", "Tokens of replies.", ["steered"], registry=registry)
        self._changed = Counter(
            "costeer_changed_tokens", "Tokens that are not the remote's draft.", registry=registry
        )
        self._drafted = Counter(
            "costeer_drafted_tokens", "Tokens that the remote drafted.", registry=registry
        )
        self._remote_requests = Counter(
            "costeer_remote_requests", "Requests for drafts, several a reply.", registry=registry
        )
        self._resumed = Counter(
            "costeer_resumed_requests",
            "Requests for drafts that went on after the remote had failed.",
            registry=registry,
        )
        self._unassisted = Counter(
            "costeer_unassisted_tokens",
            "Tokens that were not steered, since the local model had failed or lagged behind.",
            registry=registry,
        )
        self._nats = Counter(
            "costeer_disclosed_nats",
            "What steering told the remote, KL(steered || remote).",
            registry=registry,
        )
        self._held = Counter(
            "costeer_held_tokens", "Positions where a guarded phrase was kept back.", registry=registry
        )
        self._filled = Counter(
            "costeer_filled_values", "Values that were written into replies on the device.", registry=registry
        )
        self._said = Counter(
            "costeer_said_words", "Private words that replies were the first to say.", registry=registry
        )
        self._seconds = Counter(
            "costeer_reply_seconds",
            "Seconds that replies waited for each stage.",
            ["stage"],
            registry=registry,
        )
        self._local_passes = Counter(
            "costeer_local_passes", "Forward passes of the local model.", registry=registry
        )
        self._local_seconds = Counter(
            "costeer_local_pass_seconds", "Seconds that those took.", registry=registry
        )
        self._prompt_tokens = Counter(
            "costeer_local_prompt_tokens",
            "Tokens of local prompts: found in the KV cache, or prefilled.",
            ["source"],
            registry=registry,
        )
        self._remotes = Gauge(
            "costeer_remote_ready",
            "Whether a remote works, where there are several of one model.",
            ["remote"],
            registry=registry,
        )
        self._places = Gauge(
            "costeer_requests_now",
            "Requests that run or wait for their turn.",
            ["kind", "state"],
            registry=registry,
        )

    def watch_remotes(self, remotes: HasReplicas) -> None:
        """Exports which of several remotes work, by number."""
        for index in range(len(remotes.states())):
            self._remotes.labels(str(index + 1)).set_function(partial(_ready, remotes, index))

    def watch(self, kind: str, places: ConcurrencyLimiter) -> None:
        """Exports how many requests run and wait in a limiter."""
        self._places.labels(kind, "running").set_function(lambda: places.running)
        self._places.labels(kind, "waiting").set_function(lambda: places.waiting)

    def answered(self, route: str, method: str, status: int) -> None:
        """Counts a request. `route` is the route's pattern, never the path of the request."""
        self._requests.labels(route, method, str(status)).inc()
        if status >= 500 and route != PROBED:
            self.activity.failed()

    def replied(
        self,
        stats: Stats,
        first_token: float | None,
        seconds: float,
        *,
        steered: bool,
        broke: bool = False,
    ) -> None:
        """Counts a reply's cost, complete or not; `first_token` is in seconds, None if there was none, and
        `seconds` are all that it took. `broke`: it failed after its response had begun."""
        self.activity.replied(stats, first_token, seconds, steered=steered)
        if broke:
            self.activity.failed()
        label = STEERED[steered]
        self._replies.labels(label).inc()
        self._tokens.labels(label).inc(stats.tokens)
        self._changed.inc(stats.changed)
        self._drafted.inc(stats.drafted)
        self._remote_requests.inc(stats.remote_requests)
        self._resumed.inc(stats.resumed)
        self._unassisted.inc(stats.unassisted)
        self._nats.inc(stats.nats)
        self._held.inc(stats.held)
        self._filled.inc(stats.filled)
        self._said.inc(stats.said)
        self._local_passes.inc(stats.local_passes)
        self._local_seconds.inc(stats.local_seconds)
        for part in PARTS:
            self._seconds.labels(part).inc(stats.seconds[part])
        self._prompt_tokens.labels("found").inc(stats.found)
        self._prompt_tokens.labels("prefilled").inc(stats.prefilled)
        if first_token is not None:
            self._first_token.labels(label).observe(first_token)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> list[Metric]:
        """All metrics as they are now."""
        return [*self._registry.collect()]


def _ready(remotes: HasReplicas, index: int) -> float:
    return float(remotes.states()[index] == "ready")
