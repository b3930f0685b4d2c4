"""Refusals of one caller's own request: cases 47 to 51 and 53 of providers.md section 13."""

import answers
import faults
import openai
import pytest

POISON = f"good start {answers.POISON}"
RETRIES = {"client": {"max_retries": 2}}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """The SDK waits for half a second before it tries again, and longer each time, unless it is told how long."""
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.05)


@pytest.mark.parametrize("model", [name for name in faults.ALWAYS if name != "fault-307"])
def test_a_refusal_has_the_direct_outcome_each_time(bench, model):
    bench.expect_same(stored=False, model=model, input=["a", "b"])


@pytest.mark.parametrize("model", ["text-embedding-3-small", *faults.POISONED])
def test_a_bad_input_has_the_direct_outcome_and_spares_the_next_call(bench, model):
    bench.expect_same(stored=False, model=model, input=["good", POISON])
    bench.expect_same(stored=True, model=model, input=["good"])


def test_a_refusal_spares_what_is_stored(bench):
    bench.through(input="stored")
    direct = bench.direct(input=["stored", POISON])
    assert bench.through(input=["stored", POISON]).what == direct.what
    with bench.provider_calls(0):
        bench.through(input="stored")


@pytest.mark.parametrize("model", ["flaky-429", "flaky-500"])
def test_an_sdk_tries_again_through_larder_as_often_as_directly(bench, model):
    def retries(ask):
        bench.provider.fail_next(2)
        with bench.provider_calls(3) as calls:
            got = ask(model=model, input="a", **RETRIES)
        return got.what, [call.header("x-stainless-retry-count") for call in calls]

    direct, through = retries(bench.direct), retries(bench.through)
    assert direct == through
    assert direct[1] == ["0", "1", "2"]


@pytest.mark.parametrize("model", ["fault-429-never", "fault-429-ms", "fault-500", "fault-401"])
def test_an_sdk_gives_up_through_larder_as_it_does_directly(bench, model):
    def tries(ask):
        before = len(bench.provider.embeddings)
        got = ask(model=model, input="a", **RETRIES)
        return got.what, len(bench.provider.embeddings) - before

    assert tries(bench.direct) == tries(bench.through)


def test_a_retry_after_a_time_out_is_a_call_of_its_own_whose_vector_is_kept(bench):
    impatient = {"client": {"timeout": 0.3, "max_retries": 1}}
    asked = {"model": "held", "input": "slow", **impatient}
    direct = bench.direct(**asked)
    assert direct.what["error"] == "APITimeoutError"
    # A call that made one attempt time out is not joined by the next.
    with bench.provider_calls(2):
        assert bench.through(**asked).what == direct.what
    bench.provider.gate.set()
    with bench.provider_calls(0):
        late = bench.through(model="held", input="slow")
    assert late.what == bench.direct(model="held", input="slow").what


def test_a_redirect_is_followed_by_the_sdk_as_it_is_directly(bench):
    asked = {"model": "fault-307", "input": "a"}
    direct, through = bench.direct(**asked), bench.through(**asked)
    assert direct.what == through.what
