from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest
from alibabacloud_dataworks_public20240518 import models
from alibabacloud_dataworks_public20240518.client import Client
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_openapi.utils import Utils
from darabonba.request import DaraRequest
from darabonba.runtime import RuntimeOptions
from hypothesis import given
from hypothesis import strategies as st

from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.settings import Credentials
from headgate_worker.upstream.dataworks.signing import ALGORITHM, FORM, Unsigned, query_text, signed_headers
from tests.worker.upstream.scripted_server import Seen, Server

SECONDS_2025_02_08_13H = 1739019600.0
NONCE = "d410180a5abf7fe235dd9b74aca91fc0"
BY = Credentials("testid", "testsecret", provider="")
ADDED_BELOW = {"accept-encoding", "content-length", "connection"}


def signed(method: str, action: str, query: Mapping[str, str], form: str) -> dict[str, str]:
    host = "dataworks.cn-hangzhou.aliyuncs.com"
    request = Unsigned(method, host, "2024-05-18", action, query_text(query), form)
    return signed_headers(request, BY, seconds=SECONDS_2025_02_08_13H, nonce=NONCE)


@pytest.mark.parametrize(
    ("method", "action", "query", "form", "names", "signature"),
    [
        (
            "GET",
            "GetWorkflowInstance",
            {"Id": "1000341554601"},
            "",
            "accept;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version",
            "0d42224ab5714fef51697aa45114d7191d33345873ceb0f1d76ad1753ed1acee",
        ),
        (
            "POST",
            "StartWorkflowInstances",
            {},
            "Comment=a+b%2Bc%2A~&Ids=%5B1%2C2%5D",
            "accept;content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version",
            "2877691032b670d8d1bb8362192085f2082013a41b6d4b492f16763cc50a363d",
        ),
    ],
)
def test_fixed_requests_have_their_fixed_signatures(
    method: str, action: str, query: Mapping[str, str], form: str, names: str, signature: str
) -> None:
    headers = signed(method, action, query, form)

    assert headers["x-acs-date"] == "2025-02-08T13:00:00Z"
    assert headers["Authorization"] == (
        f"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={names},Signature={signature}"
    )


def test_session_token_is_sent_and_signed() -> None:
    request = Unsigned("GET", "host", "2024-05-18", "GetWorkflowInstance", "", "")
    by = Credentials("id", "secret", "token", provider="default/ecs_ram_role")

    headers = signed_headers(request, by, seconds=0, nonce=NONCE)

    assert headers["x-acs-security-token"] == "token"
    assert headers["x-acs-accesskey-id"] == "id"
    assert headers["x-acs-credentials-provider"] == "default/ecs_ram_role"
    assert "x-acs-accesskey-id;" in headers["Authorization"]
    assert ";x-acs-security-token" in headers["Authorization"]


words = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    method=st.sampled_from(("GET", "POST")),
    query=st.dictionaries(words.filter(bool), words, max_size=4),
    form=words,
    by=st.builds(Credentials, words, words, words, words),
)
def test_the_signature_is_the_one_that_the_sdk_makes(
    method: str, query: dict[str, str], form: str, by: Credentials
) -> None:
    request = Unsigned(method, "host", "2024-05-18", "GetWorkflowInstance", query_text(query), form, " agent ")
    headers = signed_headers(request, by, seconds=0, nonce=NONCE)

    theirs = DaraRequest()
    theirs.method, theirs.pathname, theirs.query = method, "/", query
    theirs.headers = {name: value for name, value in headers.items() if name != "Authorization"}
    digest = headers["x-acs-content-sha256"]
    made = Utils.get_authorization(theirs, ALGORITHM, digest, by.access_key_id, by.access_key_secret)
    assert headers["Authorization"] == made


def test_query_is_sent_as_it_is_signed() -> None:
    assert query_text({"b": "x y*~/&=中", "a": "1"}) == "a=1&b=x%20y%2A~%2F%26%3D%E4%B8%AD"


async def sent_by_the_stock_client(server: Server) -> list[Seen]:
    config = Config(
        access_key_id="testid", access_key_secret="testsecret", endpoint=f"127.0.0.1:{server.port}", protocol="http"
    )
    stock = Client(config)
    start = models.StartWorkflowInstancesRequest(ids=[5], comment="a b+c*~中")
    await stock.start_workflow_instances_with_options_async(start, RuntimeOptions())
    await stock.get_workflow_instance_with_options_async(models.GetWorkflowInstanceRequest(id=5), RuntimeOptions())
    return server.seen[-2:]


def comparable(seen: Seen) -> tuple[object, ...]:
    mine = {name: value for name, value in seen.headers.items() if name not in ADDED_BELOW}
    changing = {"x-acs-date", "x-acs-signature-nonce", "authorization"}
    names = seen.headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
    fixed = {name: value for name, value in mine.items() if name not in changing}
    if not seen.body:
        fixed.pop("content-type", None)  # the stock client's own, unsigned, where there is no body
    return seen.method, seen.target, seen.body, names, fixed


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # the stock client's, from 3.12
async def test_requests_equal_those_of_the_stock_client(server: Server, client: DataWorks) -> None:
    theirs = await sent_by_the_stock_client(server)
    await client.call(calls.StartInstances((5,), "a b+c*~中"), timeout_seconds=10)
    await client.call(calls.GetInstance(5), timeout_seconds=10)
    ours = server.seen[-2:]

    assert [comparable(seen) for seen in ours] == [comparable(seen) for seen in theirs]


async def test_every_request_has_a_nonce_and_a_digest_of_its_own(server: Server, client: DataWorks) -> None:
    for _ in range(3):
        await client.call(calls.StartInstances((5,)), timeout_seconds=10)

    assert len({seen.headers["x-acs-signature-nonce"] for seen in server.seen}) == 3
    for seen in server.seen:
        assert seen.headers["x-acs-content-sha256"] == hashlib.sha256(seen.body.encode()).hexdigest()
        assert seen.headers["content-type"] == FORM
