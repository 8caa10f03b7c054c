"""Who may ask: keys that boto3 signs with, a bearer token, and no address of other machines without either."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from multidict import CIMultiDict

from express.api import authentication
from express.api.authentication import Access
from express.cli import _status
from express.cli.exits import Exit
from express.config import AccessKey, Api, Configuration, Settings, validate
from express.errors import ConfigurationError, RequestError
from tests.api.served import client, served

TOKEN = "a-token-that-nobody-guesses"
BODY = b'{"maxResults": 3}'


def signed(
    key: str = "AKID", secret: str = "secret", body: bytes = BODY, service: str = "states", session: str | None = None
) -> dict[str, str]:
    """The headers of a request as botocore signs it."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AWSStepFunctions.ListStateMachines", "Host": "express:8083"}
    request = AWSRequest("POST", "http://express:8083/", headers=headers, data=body)
    SigV4Auth(Credentials(key, secret, session), service, "eu-west-1").add_auth(request)
    return dict(request.headers.items())


def code(access: Access, headers: dict[str, str], body: bytes = BODY) -> str | None:
    try:
        access.check(CIMultiDict(headers), body)
    except RequestError as error:
        return error.code
    return None


@pytest.fixture
def access() -> Access:
    return Access(TOKEN, {"AKID": "secret", "OTHER": "else"})


def test_what_botocore_signed_is_let_in(access: Access) -> None:
    assert code(access, signed()) is None
    assert code(access, signed("OTHER", "else")) is None
    assert code(access, signed(session="session-token")) is None


@pytest.mark.parametrize(("found", "put"), [("Signature=", "Signature=\udcff"), ("/eu-west-1/", "/\udcff/"), ("AKID/", "\udcff/")])
def test_a_signature_that_is_no_text_is_none(access: Access, found: str, put: str) -> None:
    headers = signed()
    assert found in headers["Authorization"]
    assert code(access, {**headers, "Authorization": headers["Authorization"].replace(found, put)}) == "IncompleteSignatureException"


def test_another_secret_another_body_another_operation_another_service_is_not(access: Access) -> None:
    assert code(access, signed(secret="guess")) == "InvalidSignatureException"
    assert code(access, signed(), b"{}") == "InvalidSignatureException"
    assert code(access, {**signed(), "X-Amz-Target": "AWSStepFunctions.DeleteStateMachine"}) == "InvalidSignatureException"
    assert code(access, signed(service="sqs")) == "InvalidSignatureException"
    assert code(access, signed("NOBODY")) == "UnrecognizedClientException"


def test_an_old_signature_is_not(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed()
    now = time.time()
    for off, found in ((290, None), (400, "InvalidSignatureException"), (-400, "InvalidSignatureException")):
        monkeypatch.setattr(authentication.time, "time", lambda off=off: now + off)
        assert code(access, headers) == found


def test_a_signature_that_leaves_the_operation_out_is_not(access: Access) -> None:
    headers = signed()
    loose = headers["Authorization"].replace(";x-amz-target", "")
    assert code(access, {**headers, "Authorization": loose}) == "IncompleteSignatureException"
    for text in ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=", "AWS4-HMAC-SHA256 é"):
        assert code(access, {**headers, "Authorization": text}) == "IncompleteSignatureException"


def test_the_token_is_let_in_and_nothing_like_it(access: Access) -> None:
    assert code(access, {"Authorization": f"Bearer {TOKEN}"}) is None
    for text in ("", "x", TOKEN[:-1], f"{TOKEN}x", "é"):
        assert code(access, {"Authorization": f"Bearer {text}"}) == "UnrecognizedClientException"
    for headers in ({}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}):
        assert code(access, headers) == "MissingAuthenticationTokenException"


def test_boto3_signs_with_a_key_and_curl_has_the_token(tmp_path: Path) -> None:
    keys = (AccessKey(access_key_id="AKID", secret_access_key="secret"),)
    api = Api(listen="127.0.0.1:0", data="data", token=TOKEN, keys=keys, functions=("functions.py",))
    with served(tmp_path, api) as server:
        assert client(server.url, "AKID", "secret").list_state_machines()["stateMachines"] == []
        for key, secret, found in (("AKID", "wrong", "InvalidSignatureException"), ("NOBODY", "secret", "UnrecognizedClientException")):
            with pytest.raises(ClientError) as caught:
                client(server.url, key, secret).list_state_machines()
            assert caught.value.response["Error"]["Code"] == found
        assert server.request(Authorization=f"Bearer {TOKEN}")[0] == 200
        status, headers, answer = server.request()
        assert (status, answer["__type"]) == (403, "MissingAuthenticationTokenException")
        assert headers["x-amzn-RequestId"]
        assert server.request(method="GET", path="/console")[0] == 403


@pytest.mark.parametrize("listen", ["0.0.0.0:8083", ":8083", "[::]:8083", "192.168.1.2:8083", "express.example.com:8083"])
def test_an_address_of_other_machines_needs_a_token_or_keys(listen: str) -> None:
    def problems(**more: object) -> tuple[str, ...]:
        api = Api(listen=listen, data="data", **more)  # type: ignore[arg-type]
        try:
            validate(Configuration(settings=Settings(api=api), directory=Path()))
        except ConfigurationError as error:
            return error.problems
        return ()

    (sentence,) = problems()
    assert sentence == f"api.listen: {listen} is reached from other machines: expected a token or keys for whoever may ask, or 127.0.0.1"
    assert problems(token=TOKEN) == ()
    assert problems(keys=(AccessKey(access_key_id="a", secret_access_key="b"),)) == ()
    assert problems(token="short") == ("api.token: expected at least 16 characters",)


def test_the_command_refuses_it_with_a_sentence_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _status(["serve", "--api", "0.0.0.0:8083"]) == Exit.CONFIGURATION
    found = capsys.readouterr().err
    assert found == (
        "express: --api: 0.0.0.0:8083 is reached from other machines: expected a token or keys for whoever may ask, or 127.0.0.1\n"
    )
    assert not (tmp_path / "express-data").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "expected a profile with"), ("[default]\naws_access_key_id = a\n", "expected a profile with"), ("x", "expected access keys as")],
)
def test_a_file_of_credentials_without_any_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys.ini").write_text(text)
    assert _status(["serve", "--credentials", "keys.ini"]) == Exit.CONFIGURATION
    assert sentence in capsys.readouterr().err
