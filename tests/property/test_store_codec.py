from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import EvaluationSpec, InputFile, Network, Priority
from evalbox.domain.limits import Limits
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.store.codec import decode_score, decode_spec, encode_score, encode_spec

# Lone surrogates are how arguments that are not UTF-8 arrive.
texts = st.text(max_size=20)
mappings = st.dictionaries(texts, texts, max_size=4)
sizes = st.integers(0, 1 << 60)
files = st.builds(InputFile, path=texts, blob=texts, size=sizes, mode=st.integers(0, 0o7777))
times = st.floats(0, 1e12)
limits = st.builds(
    Limits,
    cpus=st.floats(0.01, 4096),
    memory=st.integers(32 << 20, 1 << 40),
    timeout=st.floats(0.1, 86400),
    disk=st.integers(1 << 20, 1 << 40),
    pids=st.integers(8, 10_000),
    output=st.integers(1 << 10, 1 << 30),
    artifacts=st.integers(1 << 10, 1 << 30),
)
policies = st.builds(
    RetryPolicy,
    retries=st.integers(0, 1000),
    infra_retries=st.integers(0, 1000),
    base=st.floats(0, 1e6),
    factor=st.floats(1, 1e3),
    cap=st.floats(0, 1e9),
)
specs = st.builds(
    EvaluationSpec,
    name=texts,
    command=st.lists(texts, max_size=4).map(tuple),
    image=texts,
    kind=texts,
    engine=texts,
    user=texts,
    workdir=texts,
    env=mappings,
    inputs=st.lists(files, max_size=3).map(tuple),
    stdin=st.none() | files,
    artifacts=st.lists(texts, max_size=3).map(tuple),
    network=st.sampled_from(Network),
    limits=limits,
    priority=st.sampled_from(Priority),
    retry=policies,
    not_before=st.none() | times,
    batch=st.none() | texts,
    labels=mappings,
    idempotency_key=st.none() | texts,
    score=st.none() | texts.filter(bool),
)
finite = st.floats(allow_nan=False, allow_infinity=False)
scores = st.builds(
    Score,
    kind=st.sampled_from(ScoreKind),
    value=st.none() | finite,
    reason=texts,
    raw=texts,
    checks=st.lists(
        st.builds(ScoreCheck, texts, st.none() | st.booleans(), st.none() | finite, texts),
        max_size=3,
    ).map(tuple),
)


@given(specs)
def test_nothing_is_lost_but_the_values_of_the_environment(spec: EvaluationSpec) -> None:
    text = encode_spec(spec)
    assert text.isascii()
    again = decode_spec(text)
    assert again == replace(spec, env=Withheld(spec.env))
    assert encode_spec(again) == text
    assert isinstance(again.priority, Priority)
    assert isinstance(again.network, Network)


@given(scores)
def test_nothing_of_a_score_is_lost(score: Score) -> None:
    text = encode_score(score)
    assert text.isascii()
    assert decode_score(text) == score
