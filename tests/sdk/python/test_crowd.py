"""Many callers at once: cases 6, 11, 12, 28, 47 to 49, 52 and 54 of providers.md section 13.

The larder of these tests collects inputs for a while (`crowd`), so that calls really are merged;
each test that is about merging checks that there was a merged call.
"""

import asyncio

import answers
import faults
import pytest
from harness import MODEL, items_header, pure
from outcome import outcome

POISON = f"bad {answers.POISON}"


def texts(count):
    return [f"text {i}" for i in range(count)]


def merged(bench):
    """Requests to the provider with more than one input."""
    return [call for call in bench.provider.embeddings if len(call.inputs) > 1]


def test_a_hundred_identical_calls_are_one_provider_call(crowd):
    direct = crowd.direct(input="same")
    with crowd.provider_calls(1):
        many = crowd.together(*[{"input": "same"}] * 100)
    assert all(got.what == direct.what for got in many)
    counted = [items_header(got) for got in many]
    assert sum(count["miss"] for count in counted) == 1
    assert sum(count["hit"] + count["collapsed"] for count in counted) == 99


def test_fifty_mixed_callers_each_get_their_own_vectors(crowd):
    def asked(i):
        array = [i, i + 1, 7]
        return [
            {"input": [f"text {i}", f"other {i % 5}"]},
            {"input": f"text {i}", "encoding_format": "float"},
            {"input": [array, [i]]},
            {"input": array, "encoding_format": "float", "dimensions": 4},
            {"input": f"text {i % 3}", "encoding_format": "base64", "user": f"user {i % 2}"},
        ][i % 5]

    many = [asked(i) for i in range(50)]
    for given, got in zip(many, crowd.together(*many)):
        assert got.what == crowd.direct(**given).what
    assert merged(crowd)


def test_float_and_base64_callers_of_one_text_share_one_call(crowd):
    # Base64 is believed once a vector of the model came both ways.
    with crowd.provider_calls(2):
        for encoding in ("base64", "float"):
            crowd.through(input="both ways", encoding_format=encoding)
    with crowd.provider_calls(1):
        floats, base64, default = crowd.together(
            {"input": "x", "encoding_format": "float"}, {"input": "x", "encoding_format": "base64"}, {"input": "x"})
    assert floats.vectors == pure("x", encoding="float")
    assert default.vectors == pure("x")
    assert isinstance(base64.vectors[0], str)


@pytest.mark.parametrize("model", [MODEL, *faults.POISONED])
def test_a_bad_input_fails_its_owner_alone(crowd, model):
    # Who comes first is sent alone; if that is the bad input, nothing was shown, and others are asked.
    for attempt in range(5):
        poison = f"{POISON} {attempt}"
        many = [{"model": model, "input": f"{text}, {attempt}"} for text in texts(12)]
        many[4:4] = [{"model": model, "input": [poison, "beside it"]}]
        many[9:9] = [{"model": model, "input": poison}]
        for given, got in zip(many, crowd.together(*many)):
            assert got.what == crowd.direct(**given).what
        if any(poison in call.body.decode() and len(call.inputs) > 2 for call in crowd.provider.embeddings):
            return
    pytest.fail("the bad input never travelled with others")


def test_an_over_long_input_fails_its_owner_alone(crowd):
    many = [{"input": text} for text in [*texts(8), "x" * (answers.MAX_INPUT_TOKENS + 1)]]
    for given, got in zip(many, crowd.together(*many)):
        assert got.what == crowd.direct(**given).what
    assert merged(crowd)


def test_a_limit_error_that_only_merging_made_never_reaches_a_client(large_crowd):
    # Far more than the limit, since not all of them arrive in time for one call.
    long = [f"{i} " + "x" * 8000 for i in range(110)]
    many = large_crowd.together(*({"input": text} for text in long))
    assert [got.vectors for got in many] == [pure(text) for text in long]
    largest = max(sum(map(answers.tokens, call.inputs)) for call in large_crowd.provider.embeddings)
    assert largest > answers.MAX_TOKENS, "nothing was refused, so nothing was shown"


def test_a_limit_on_inputs_is_learned_and_never_reaches_a_client(crowd):
    model = "fault-max-inputs-1"
    for wave in ("first", "second"):
        asked = [f"{wave} {i}" for i in range(10)]
        before = len(crowd.provider.embeddings)
        many = crowd.together(*({"model": model, "input": text} for text in asked))
        assert [got.vectors for got in many] == [pure(text, model=model) for text in asked]
    sizes = [len(call.inputs) for call in crowd.provider.embeddings[before:]]
    assert sizes == [1] * 10


@pytest.mark.parametrize("model", ["fault-401", "fault-403", "fault-404"])
def test_a_refused_credential_or_model_is_told_to_each_caller(crowd, model):
    many = crowd.together(*({"model": model, "input": text} for text in texts(10)))
    direct = crowd.direct(model=model, input="text")
    assert all(got.what == direct.what for got in many)
    assert merged(crowd)


@pytest.mark.parametrize("model", ["fault-429-seconds", "fault-429-ms", "fault-503", "fault-529", "fault-502-html"])
def test_a_busy_provider_is_told_to_each_caller_without_more_calls(crowd, model):
    many = crowd.together(*({"model": model, "input": text} for text in texts(20)))
    calls = crowd.provider.embeddings
    direct = crowd.direct(model=model, input="text")
    for got in many:
        assert got.what == direct.what
        assert got.headers.get("retry-after") == direct.headers.get("retry-after")
        assert got.headers.get("retry-after-ms") == direct.headers.get("retry-after-ms")
    assert merged(crowd)
    assert len(calls) < 20


@pytest.mark.parametrize("model", ["fault-fewer", "fault-other-length", "fault-reordered"])
def test_a_merged_reply_that_cannot_be_trusted_gives_nobody_a_wrong_vector(crowd, model):
    many = [{"model": model, "input": text, "encoding_format": "float"} for text in texts(10)]
    for given, got in zip(many, crowd.together(*many)):
        assert got.what == crowd.direct(**given).what


def test_callers_of_different_keys_users_and_parameters_are_never_in_one_call(crowd):
    sides = {
        "one": {"client": {"api_key": "sk-one"}},
        "two": {"client": {"api_key": "sk-two"}},
        "alice": {"user": "alice"},
        "bob": {"user": "bob"},
        "small": {"dimensions": 4},
        "beta": {"extra_headers": {"OpenAI-Beta": "x=1"}},
        "other": {"model": "text-embedding-3-large"},
    }
    many = [{"input": f"{name} {i}", **asked} for i in range(6) for name, asked in sides.items()]
    assert all("result" in got.what for got in crowd.together(*many))
    assert merged(crowd)
    for call in crowd.provider.embeddings:
        owners = {item.split()[0] for item in call.inputs}
        assert len(owners) == 1, call.body
        assert_sent_as(call, sides[owners.pop()])


def assert_sent_as(call, asked):
    key = asked.get("client", {}).get("api_key", "sk-one")
    assert call.header("authorization") == f"Bearer {key}"
    assert call.json.get("user") == asked.get("user")
    assert call.json.get("dimensions") == asked.get("dimensions")
    assert call.json["model"] == asked.get("model", MODEL)
    assert call.header("openai-beta") == asked.get("extra_headers", {}).get("OpenAI-Beta")


def test_texts_and_token_arrays_are_never_in_one_call(crowd):
    many = [{"input": text} for text in texts(8)] + [{"input": [i, 5]} for i in range(8)]
    for given, got in zip(many, crowd.together(*many)):
        assert got.what == crowd.direct(**given).what
    for call in crowd.provider.embeddings:
        assert len({type(item) for item in call.inputs}) == 1, call.body


def test_a_caller_that_leaves_takes_nobody_with_it(make_bench):
    bench = make_bench()
    client = bench.sdk.client(bench.larder.base_url)

    def ask():
        asked = client.embeddings.with_raw_response.create(model="held", input="wanted")
        return asyncio.ensure_future(outcome(lambda: asked))

    async def leave_and_stay():
        leaver = ask()
        await asyncio.to_thread(bench.provider.wait_for, 1)
        stayer = ask()
        # One that comes after the other has left starts a call of its own.
        in_flight = 'larder_requests_in_flight{operation="embed"}'
        await asyncio.to_thread(bench.larder.until, in_flight, 2)
        await asyncio.sleep(0.05)
        leaver.cancel()
        bench.provider.gate.set()
        return await stayer

    stayed = bench.sdk.run(leave_and_stay())
    assert stayed.vectors == pure("wanted", model="held")
    assert len(bench.provider.embeddings) == 1
