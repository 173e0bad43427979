from __future__ import annotations

import httpx
import pytest

from cryptobot.settings import Settings
from tests.api.conftest import PASSWORD


@pytest.fixture(autouse=True)
def _docs(api_settings: Settings) -> None:
    folder = api_settings.docs_dir
    (folder / "validations").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Data Docs</h1>")
    (folder / "validations" / "a run.html").write_text("one run")
    (folder.parent / "secret").write_text("not for you")
    (folder / "link").symlink_to(folder.parent / "secret")


FORM = {"username": "admin", "password": PASSWORD}


async def test_a_browser_is_sent_to_the_form_logs_in_and_comes_back(anyone: httpx.AsyncClient) -> None:
    wanted = "/quality/validations/a%20run.html"
    sent = await anyone.get(wanted, headers={"Accept": "text/html"})
    assert sent.status_code == 303
    form = await anyone.get(sent.headers["location"])
    assert 'value="/quality/validations/a run.html"' in form.text
    back = await anyone.post("/v1/auth/session/form", data={**FORM, "next": wanted})
    assert back.status_code == 303
    assert back.headers["location"] == wanted
    cookie = back.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    page = await anyone.get(wanted)
    assert page.text == "one run"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_a_wrong_password_returns_to_the_form(anyone: httpx.AsyncClient) -> None:
    back = await anyone.post("/v1/auth/session/form", data={**FORM, "password": "wrong"})
    assert back.headers["location"] == "/quality/login?next=/quality/&failed=401"
    assert "set-cookie" not in back.headers
    assert "The user name or the password is wrong" in (await anyone.get(back.headers["location"])).text


async def test_no_open_redirect(anyone: httpx.AsyncClient) -> None:
    for target in (
        "https://evil.example/",
        "//evil.example/quality/",
        "/v1/symbols",
        "/quality/\\..",
        "javascript:x",
    ):
        back = await anyone.post("/v1/auth/session/form", data={**FORM, "next": target})
        assert back.headers["location"] == "/quality/", target


async def test_the_form_is_not_taken_from_elsewhere(anyone: httpx.AsyncClient) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await anyone.post("/v1/auth/session/form", data=FORM, headers=headers)).status_code == 403


async def test_the_page_escapes_what_it_is_given(anyone: httpx.AsyncClient) -> None:
    page = await anyone.get("/quality/login", params={"next": '/quality/"><script>alert(1)</script>'})
    assert "<script>" not in page.text


async def test_programs_use_their_token_or_exchange_it_for_a_session(client: httpx.AsyncClient) -> None:
    assert (await client.get("/quality/")).text == "<h1>Data Docs</h1>"
    assert (await client.post("/v1/auth/session")).status_code == 204
    del client.headers["Authorization"]
    assert (await client.get("/quality/index.html")).status_code == 200


async def test_nobody_gets_in_without_either(anyone: httpx.AsyncClient) -> None:
    response = await anyone.get("/quality/index.html")
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


async def test_no_path_leads_out_of_the_folder(client: httpx.AsyncClient) -> None:
    for path in (
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "link",
        "validations/../../secret",
        "validations",
        "%00",
    ):
        response = await client.get(f"/quality/{path}")
        assert response.status_code == 404, path
        assert "not for you" not in response.text


async def test_says_when_there_is_no_report_yet(client: httpx.AsyncClient, api_settings: Settings) -> None:
    api_settings.docs_dir.joinpath("index.html").unlink()
    response = await client.get("/quality/")
    assert response.status_code == 404
    assert "no quality report yet" in response.json()["detail"]
