"""Replies that are held to a schema: each is a text of it, drawn from the steered distribution given that."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from app.decoding.grammar import Grammar, Grammars, Progress, ResponseFormat
from app.decoding.reply import Reply
from app.disclosure.guarded import Guarded, Placeholder
from app.disclosure.matcher import Guard
from app.errors import InvalidRequest, RemoteError
from app.steering.formula import FloatArray, log_softmax
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams, distribution
from app.steering.strength import AUTO, Strength
from app.tokenization.vocabulary import SpelledVocabulary
from decoding.test_speculative import (
    EOS,
    VOCABULARY,
    ToyLocal,
    ToyRemote,
    defined,
    ids,
    request,
    run,
    toy_logprobs,
)

SPELLING: list[bytes | None] = [None, b"{", b'"', b"a", b":", b"}", b"1", b",", b"true", b"[", b"]", b'{"a']
TOYS = SpelledVocabulary(SPELLING, {EOS: "<end>"}, frozenset({EOS}), None)
OBJECT = {
    "type": "object",
    "properties": {"a": {"type": ["integer", "boolean"]}, "aa": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
LISTED = 6


async def held_to(schema: dict[str, Any], vocabulary: SpelledVocabulary = TOYS) -> Grammar:
    return await Grammars(vocabulary).of(ResponseFormat(schema))


def after(grammar: Grammar, generated: list[int]) -> Progress:
    progress = grammar.begin()
    for one in generated:
        progress.push(one)
    return progress


def reference(grammar: Grammar, strength: Strength, length: int) -> list[int]:
    """A greedy reply from the definition."""
    generated: list[int] = []
    while len(generated) < length and (not generated or generated[-1] != EOS):
        progress = after(grammar, generated)
        everything = np.arange(VOCABULARY)
        allowed = progress.allowed(everything)
        assert everything[allowed].tolist() == sorted(progress.all_allowed())
        candidates, steered = defined(strength, LISTED, generated)
        if allowed[candidates].any():
            chosen = candidates[np.argmax(np.where(allowed[candidates], steered, -np.inf))]
        else:
            chosen = np.argmax(np.where(allowed, toy_logprobs("remote", generated), -np.inf))
        generated.append(int(chosen))
    return generated


def valid(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is of a schema, as far as the schemas here go."""
    if "enum" in schema:
        return any(value == one and type(value) is type(one) for one in schema["enum"])
    kind = schema["type"]
    if isinstance(kind, list):
        return any(valid(value, {**schema, "type": one}) for one in kind)
    if kind == "integer":
        return type(value) is int
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str) and len(value) <= schema.get("maxLength", 99)
    if kind == "array":
        return (
            isinstance(value, list)
            and schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99)
            and all(valid(one, schema["items"]) for one in value)
        )
    properties = schema.get("properties")
    if not isinstance(value, dict) or properties is None:
        return isinstance(value, dict)
    named = all(name in properties and valid(one, properties[name]) for name, one in value.items())
    return named and all(name in value for name in schema["required"])


LEAVES = st.sampled_from(
    [{"type": "integer"}, {"type": "string", "maxLength": 3}, {"type": "boolean"}, {"enum": ["a", 11, True]}]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda items, least: {"type": "array", "items": items, "minItems": least, "maxItems": 3},
            inner,
            st.integers(0, 2),
        ),
        st.builds(
            lambda one, other, needed: {
                "type": "object",
                "properties": {"a": one, "aa": other},
                "required": needed,
                "additionalProperties": False,
            },
            inner,
            inner,
            st.sampled_from([[], ["a"], ["aa"], ["a", "aa"]]),
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(
    SCHEMAS, st.sampled_from([0.4, 1.78, AUTO]), st.sampled_from([1, 3, 64]), st.none() | st.integers(0, 9)
)
async def test_every_reply_is_a_text_of_its_schema(
    schema: dict[str, Any], strength: Strength, draft_length: int, seed: int | None
) -> None:
    sampling = SamplingParams(temperature=0.0 if seed is None else 1.2, seed=seed)
    wanted = request(
        strength=strength,
        draft_length=draft_length,
        sampling=sampling,
        max_tokens=200,
        grammar=await held_to(schema),
    )
    tokens, stats = await run(wanted)
    assert stats.tokens == len(tokens)
    if tokens[-1].finish_reason == "stop":
        assert tokens[-1].token_id == EOS
        assert valid(json.loads(TOYS.decode(ids(tokens))), schema)
    else:
        assert len(tokens) == 200
        after(wanted.grammar or pytest.fail(), ids(tokens))  # raises where one is not allowed


@settings(max_examples=60, deadline=None)
@given(SCHEMAS, st.sampled_from([0.4, 1.78]), st.sampled_from([1, 3, 64]))
async def test_greedy_replies_are_those_of_the_definition(
    schema: dict[str, Any], strength: float, draft_length: int
) -> None:
    grammar = await held_to(schema)
    wanted = request(strength=strength, draft_length=draft_length, margin=0.0, grammar=grammar)
    tokens, _ = await run(wanted)
    assert ids(tokens) == reference(grammar, strength, 40)


async def test_without_steering_the_grammar_holds_as_well() -> None:
    for schema in ({"type": "object"}, OBJECT):
        grammar = await held_to(schema)
        for draft_length in (1, 16):
            local = ToyLocal()
            tokens, stats = await run(
                request(strength=0.0, draft_length=draft_length, margin=0.0, grammar=grammar), local=local
            )
            assert ids(tokens) == reference(grammar, 0.0, 40)
            assert (stats.unassisted, local.passes) == (0, [])


def law(strength: float, allowed: list[int], sampling: SamplingParams, margin: float) -> FloatArray:
    """The distribution of a reply's first token, from the definition."""
    candidates, steered = defined(strength, LISTED, [])
    kept = np.isin(candidates, allowed)
    own = log_softmax(toy_logprobs("remote", [])[candidates[kept]])
    expected = np.zeros(VOCABULARY)
    expected[candidates[kept]] = with_margin(own, log_softmax(steered[kept]), sampling, margin)
    return expected


@pytest.mark.parametrize("margin", [0.0, 0.4])
@pytest.mark.parametrize("draft_length", [1, 16])
@pytest.mark.parametrize(
    "sampling", [SamplingParams(temperature=0.9), SamplingParams(temperature=1.3, top_k=3, min_p=0.02)]
)
@pytest.mark.parametrize(
    "schema", [{"type": ["object", "string", "integer", "boolean"]}, {"type": ["array", "boolean"]}]
)
async def test_a_drawn_token_has_its_probability_given_the_grammar(
    schema: dict[str, Any], margin: float, draft_length: int, sampling: SamplingParams
) -> None:
    grammar, draws = await held_to(schema), 1500
    expected = law(0.8, grammar.begin().all_allowed(), sampling, margin)
    assert (expected > 0).sum() > 1
    wanted = request(max_tokens=1, draft_length=draft_length, margin=margin, grammar=grammar)
    counts = np.zeros(VOCABULARY)
    remote, local = ToyRemote(), ToyLocal()
    for seed in range(draws):
        (token,), _ = await run(replace(wanted, sampling=replace(sampling, seed=seed)), remote, local)
        counts[token.token_id] += 1
    there = expected > 0
    assert not counts[~there].any()
    assert chisquare(counts[there], expected[there] * draws).pvalue > 0.001


async def test_one_that_is_not_listed_is_asked_for_among_all_that_are_allowed() -> None:
    listed = np.argsort(-toy_logprobs("remote", []))[:LISTED].tolist()
    unlisted = [one for one in range(1, VOCABULARY) if one not in listed]
    values = {6: 1, 8: True, 9: [1], 1: {}, 2: "a"}
    schema = {"enum": [values[one] for one in unlisted if one in values]}
    grammar, sampling, draws = await held_to(schema), SamplingParams(temperature=0.9), 1500
    allowed = grammar.begin().all_allowed()
    assert len(allowed) > 1
    assert not set(allowed).intersection(listed)
    counts = np.zeros(VOCABULARY)
    for seed in range(draws):
        remote = ToyRemote()
        (token,), stats = await run(
            request(max_tokens=1, sampling=replace(sampling, seed=seed), grammar=grammar), remote
        )
        counts[token.token_id] += 1
        assert [asked.allowed_token_ids for _, asked, _ in remote.calls] == [(), tuple(allowed)]
        assert (remote.calls[-1][2], stats.remote_requests) == (1, 2)
    expected = distribution(toy_logprobs("remote", [])[allowed], sampling)
    assert chisquare(counts[allowed], expected * draws).pvalue > 0.001


class Deaf(ToyRemote):
    """Does not know allowed_token_ids."""

    def draft(self, prompt: Any, *, sampling: SamplingParams, **named: Any) -> Any:
        return super().draft(prompt, sampling=replace(sampling, allowed_token_ids=()), **named)


async def test_a_remote_that_takes_no_such_list_is_told_of() -> None:
    listed = np.argsort(-toy_logprobs("remote", []))[:1].tolist()
    values = {6: 1, 8: True, 9: [1], 1: {}, 2: "a"}
    grammar = await held_to({"enum": [value for one, value in values.items() if one not in listed]})
    with pytest.raises(RemoteError, match="allowed_token_ids"):
        await run(request(top_logprobs=1, grammar=grammar), Deaf())


async def test_the_only_token_that_is_left_is_not_asked_for() -> None:
    grammar = await held_to({"const": [1, 1, 1, 1]})
    tokens, stats = await run(request(top_logprobs=1, draft_length=1, grammar=grammar))
    assert TOYS.decode(ids(tokens)) == "[1,1,1,1]"
    assert stats.remote_requests <= len(tokens)


async def test_a_value_that_would_be_filled_in_is_held() -> None:
    place = Placeholder("[x]", "Gus Grey")
    words: dict[tuple[str, ...], frozenset[str]] = {(): frozenset({"a"})}
    spelled = {text: [3] for text in ("[x]", " [x]")}
    fills = Guard(Guarded(words, {"a": place}, (place,)), TOYS, spelled, escapes=True)
    holds = Guard(Guarded(words, {}, ()), TOYS, {}, escapes=True)
    changed = 0
    for least in range(1, 4):
        items = {"type": "string", "maxLength": 4}
        grammar = await held_to({"type": "array", "items": items, "minItems": least})
        for strength in (0.4, 0.8, 1.2, 1.78, 2.5, AUTO):
            wanted = request(strength=strength, margin=0.0, max_tokens=30, grammar=grammar)
            free, filled, held = [
                ids((await run(replace(wanted, guard=guard)))[0]) for guard in (None, fills, holds)
            ]
            assert filled == held
            changed += free != held
    assert changed  # else nothing was tested


async def test_no_value_is_written_into_json() -> None:
    """The remote itself may write a placeholder, as it reads them in earlier replies."""
    spelling = [*SPELLING[:3], b"[x]", *SPELLING[4:9], b"x", *SPELLING[10:]]
    vocabulary = SpelledVocabulary(spelling, {EOS: "<end>"}, frozenset({EOS}), None)
    place = Placeholder("[x]", 'Gus "Gus" Grey')
    guard = Guard(Guarded({(): frozenset({"gus"})}, {}, (place,)), vocabulary, {}, escapes=True)
    said = {"enum": ["[x]"]}
    wanted = request(guard=guard, grammar=await held_to(said, vocabulary))
    reply = Reply(wanted, (), ToyRemote(), ToyLocal(), vocabulary)
    assert "".join([piece.text async for piece in reply.pieces()]) == '"[x]"'


async def test_reasoning_is_free() -> None:
    grammar = await held_to(OBJECT)
    close = 7
    wanted = request(think_ids=(3, close), thinking=True, max_tokens=80, grammar=grammar)
    tokens, _ = await run(wanted)
    written = ids(tokens)
    free, _ = await run(replace(wanted, grammar=None))
    behind = written.index(close) + 1
    assert written[:behind] == ids(free)[:behind]
    assert behind > 1
    assert TOYS.decode(written[behind:]).startswith("{")


async def test_the_end_is_allowed_where_the_text_is_complete() -> None:
    progress = (await held_to({"type": "integer"})).begin()
    before = progress.complete
    assert progress.all_allowed() == [6]
    progress.push(6)
    assert (before, progress.complete) == (False, True)
    assert progress.all_allowed() == [6, EOS]
    assert progress.allowed(np.array([EOS, 6, 3, VOCABULARY + 5])).tolist() == [True, True, False, False]


async def test_what_is_told_counts_the_allowed_alone() -> None:
    """Where the grammar leaves one token, steering tells nothing."""
    _, stats = await run(request(strength=1.78, grammar=await held_to({"const": {"a": "a"}})))
    assert stats.nats == pytest.approx(0.0, abs=1e-9)


async def test_a_schema_that_is_not_taken_is_refused_with_the_reason() -> None:
    refused = ResponseFormat({"type": "object", "not": {}})
    assert "not" in (refused.refused() or "")
    with pytest.raises(InvalidRequest, match="not") as raised:
        await Grammars(TOYS).of(refused)
    assert raised.value.param == "response_format"
    assert ResponseFormat(OBJECT).refused() is None


@pytest.mark.parametrize("token", [rb"x\n", b"\\"])
async def test_an_escape_hides_no_guarded_word(token: bytes) -> None:
    spelling = [token, b"n", b"smith", b"smithy", b" ", b"es"]
    vocabulary = SpelledVocabulary(spelling, {}, frozenset(), None)
    for escapes in (True, False):
        matcher = Guard(
            Guarded({(): frozenset({"smith"})}, {}, ()), vocabulary, {}, escapes=escapes
        ).matcher()
        matcher.push(0)
        if token == b"\\":
            matcher.push(1)
        assert matcher.held(np.array([2, 4])).tolist() == [escapes, False]


@pytest.mark.parametrize("links", [2000, 100_000])
def test_a_schema_that_would_overflow_a_stack_is_refused(links: int) -> None:
    one = {
        f"d{n}": {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}}} for n in range(links)
    }
    schema = {"$ref": "#/$defs/d0", "$defs": {**one, f"d{links}": {"type": "string"}}}
    assert "objects" in (ResponseFormat(schema).refused() or "")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": '^[^"]{3}$'},
        {"type": "string", "pattern": "^[\\x00-\\x1f]{3}$"},
        {"type": "object", "patternProperties": {"^a\\\\b$": {"type": "string"}}},
        {"const": "a\x01b"},
        {"type": "object", "properties": {"a": {"enum": ["x", "a\nb"]}}},
    ],
)
def test_what_escapes_would_get_around_is_refused(schema: dict[str, Any]) -> None:
    assert (ResponseFormat(schema).refused() or "").startswith("has ")


async def test_an_escape_is_no_character_of_a_pattern() -> None:
    spelling = [b'"', b"a", rb"\"", b"\\", rb"\n", b"b"]
    vocabulary = SpelledVocabulary(spelling, {}, frozenset(), None)
    for schema, after in (
        ({"type": "string", "pattern": "^[^z]{2}$"}, [1, 5]),
        ({"type": "string"}, [0, 1, 2, 3, 4, 5]),
    ):
        progress = (await Grammars(vocabulary).of(ResponseFormat(schema))).begin()
        progress.push(0)
        assert [one for one in range(6) if progress.allowed(np.array([one]))[0]] == after


@pytest.mark.parametrize(
    "schema",
    [
        {"const": 2**53 + 1},
        {"type": "integer", "minimum": -(2**60)},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.01},
        {"properties": {"a": {"type": "string", "pattern": "^a$"}, "b": {"const": 'x"y'}}},
        {"enum": ["a\x7fb"]},
    ],
)
def test_what_would_not_be_held_to_exactly_is_refused(schema: dict[str, Any]) -> None:
    assert (ResponseFormat(schema).refused() or "").startswith("has ")


def test_ranges_that_are_held_to_are_taken() -> None:
    whole = {"type": "integer", "exclusiveMinimum": 0, "maximum": 10}
    closed = {"type": "number", "minimum": 0.5, "maximum": 1}
    assert [ResponseFormat(one).refused() for one in (whole, closed)] == [None, None]
