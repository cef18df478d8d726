import hashlib

import pytest

from evalbox.domain.access import ApiKey, Principal, Scope, Standing, Token, allows
from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.sandbox import ExecSpec, SandboxSpec
from evalbox.domain.signing import EMPTY_BODY, SCHEME, Signature, sign, signing_secret
from evalbox.engines.base import Launch
from evalbox.engines.execution import Exec
from evalbox.errors import InvalidInput
from evalbox.wire import access as wire

NOW = 1_700_000_000.0


def test_each_scope_includes_the_ones_before_it() -> None:
    table = {(one, other): one.includes(other) for one in Scope for other in Scope}
    assert [pair for pair, holds in table.items() if not holds] == [
        (Scope.READ, Scope.SUBMIT),
        (Scope.READ, Scope.ADMIN),
        (Scope.SUBMIT, Scope.ADMIN),
    ]
    assert not allows([], Scope.READ)
    assert Principal("x", frozenset({Scope.READ, Scope.ADMIN}), None, "socket").allows(Scope.SUBMIT)


@pytest.mark.parametrize("signing", [False, True])
def test_a_token_reads_back(signing: bool) -> None:
    token = Token.new(signing=signing)
    text = str(token)
    assert text.startswith("evbs_" if signing else "evb_")
    assert Token.parse(text) == token
    assert token.digest() == hashlib.sha256(text.encode()).digest()
    assert token.secret not in repr(token)


def test_no_two_tokens_are_alike() -> None:
    tokens = {str(Token.new()) for _ in range(1000)}
    assert len(tokens) == 1000
    # 32 bytes in base 64.
    assert all(len(text.split("_", 2)[2]) == 43 for text in tokens)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "evb",
        "evb__",
        "evb_0123456789_",
        "evb_0123456789_" + "a" * 42,
        "evb_0123456789_" + "ä" * 43,
        "evb_012345678_" + "a" * 43,
        "evb_01234567_9_" + "a" * 43,
        "evb_012345678I_" + "a" * 43,
        "xxx_0123456789_" + "a" * 43,
        "evb_0123456789_" + "a" * 44,
    ],
)
def test_what_is_no_token(text: str) -> None:
    assert Token.parse(text) is None


def test_how_a_key_stands() -> None:
    key = ApiKey("i", "n", frozenset({Scope.READ}), NOW, expires_at=NOW + 10)
    assert key.standing(NOW + 9.9) is Standing.ACTIVE
    assert key.standing(NOW + 10) is Standing.EXPIRED
    revoked = ApiKey("i", "n", frozenset({Scope.READ}), NOW, revoked_at=NOW)
    assert revoked.standing(NOW) is Standing.REVOKED
    assert wire.key_from(wire.key(revoked)) == revoked


def test_a_signature_is_of_one_request_only() -> None:
    token = Token.new(signing=True)
    secret = signing_secret(token)
    body = hashlib.sha256(b"{}").hexdigest()
    header = sign(token, "post", "/api/v1/x?a=1", now=NOW + 0.9, body=body)
    assert header.startswith(f"{SCHEME} key={token.key_id}, time=1700000000, ")
    assert token.secret not in header
    found = Signature.parse(header)
    assert found is not None
    assert found.header() == header
    assert found.body == body
    assert found.is_of(secret, "POST", "/api/v1/x?a=1")
    assert not found.is_of(secret, "PUT", "/api/v1/x?a=1")
    assert not found.is_of(secret, "POST", "/api/v1/x?a=2")
    assert not found.is_of(signing_secret(Token.new(signing=True)), "POST", "/api/v1/x?a=1")
    for old, new in (("time=1700000000", "time=1700000001"), (body, EMPTY_BODY)):
        other = Signature.parse(header.replace(old, new))
        assert other is not None
        assert not other.is_of(secret, "POST", "/api/v1/x?a=1")
    # A nonce is never used twice.
    assert sign(token, "GET", "/", now=NOW) != sign(token, "GET", "/", now=NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SCHEME, "Bearer"),
        ("time=", "time=-"),
        ("nonce=", "nonce=x y"),
        ("body=", "body=zz"),
        (", signature", " signature"),
    ],
)
def test_what_is_no_signature(old: str, new: str) -> None:
    header = sign(Token.new(signing=True), "GET", "/", now=NOW)
    assert Signature.parse(header.replace(old, new, 1)) is None
    assert Signature.parse(header + "x") is None


def test_nothing_that_prints_a_specification_tells_its_values() -> None:
    spec = EvaluationSpec(name="x", command=("t",), image="i", env={"TOKEN": "marker"})
    launch = Launch(command=("t",), env={"TOKEN": "marker"})
    sandbox = SandboxSpec(image="i", env={"TOKEN": "marker"})
    beside = ExecSpec(command=("t",), env={"TOKEN": "marker"})
    program = Exec(command=("t",), env={"TOKEN": "marker"})
    told = [repr(item) for item in (spec, launch, sandbox, beside, program)]
    assert not [text for text in told if "marker" in text]


def test_withheld_values() -> None:
    env = Withheld(["A", "B"])
    assert (list(env), len(env), "A" in env, "C" in env) == (["A", "B"], 2, True, False)
    assert env == Withheld(["A", "B"])
    assert env != Withheld(["A"])
    assert env != {"A": "", "B": ""}
    assert Withheld([]) == {}
    with pytest.raises(InvalidInput, match="withheld"):
        dict(env)
    with pytest.raises(KeyError):
        env["C"]
