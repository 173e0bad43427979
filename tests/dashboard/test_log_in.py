from __future__ import annotations

import contextlib
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.dashboard.conftest import PASSWORD, Product


def test_it_is_alive_for_anyone(visitor: httpx.Client) -> None:
    assert visitor.get("/livez").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/", "/market/ETHUSDT?interval=1h", "/quality/", "/docs"])
def test_pages_ask_for_a_log_in_and_remember_what_was_wanted(visitor: httpx.Client, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 303
    asked = urlsplit(answer.headers["location"])
    assert asked.path == "/login"
    assert parse_qs(asked.query)["next"] == [path]


@pytest.mark.parametrize("path", ["/_dash-layout", "/_dash-dependencies", "/session"])
def test_what_scripts_ask_for_is_refused(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code == 401
    assert visitor.post("/_dash-update-component", json={}).status_code == 401


def test_a_wrong_password_is_answered_with_one_sentence(visitor: httpx.Client) -> None:
    answer = visitor.post("/login", data={"username": "admin", "password": "wrong"})
    assert answer.status_code == 401
    assert "The user name or the password is wrong." in answer.text
    assert 'value="admin"' in answer.text
    assert "set-cookie" not in answer.headers


def test_what_is_typed_cannot_become_markup(visitor: httpx.Client) -> None:
    answer = visitor.post("/login", data={"username": '"><script>', "password": "x", "next": '/"><b>'})
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/market/ETHUSDT?interval=1h", "/market/ETHUSDT?interval=1h"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
    ],
)
def test_after_the_log_in_one_stays_on_this_site(visitor: httpx.Client, wanted: str, location: str) -> None:
    answer = visitor.post("/login", data={"username": "admin", "password": PASSWORD, "next": wanted})
    assert answer.status_code == 303
    assert answer.headers["location"] == location


def test_the_browser_holds_no_token(visitor: httpx.Client) -> None:
    answer = visitor.post("/login", data={"username": "admin", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "eyj" not in cookie, "a JWT in the cookie"


def test_forms_of_other_sites_are_refused(viewer: httpx.Client) -> None:
    assert viewer.post("/logout", headers={"Origin": "https://evil.example"}).status_code == 403
    assert viewer.get("/session").status_code == 204, "still logged in"


def test_a_log_out_ends_the_session_here_and_in_the_api(viewer: httpx.Client, product: Product) -> None:
    held = product.database.refresh_tokens.count_documents({})
    cookies = dict(viewer.cookies)
    assert viewer.post("/logout").headers["location"] == "/login"
    viewer.cookies.update(cookies)
    assert viewer.get("/session").status_code == 401
    usable = {"used_at": None}
    assert product.database.refresh_tokens.count_documents(usable) < held


def test_pages_load_nothing_from_elsewhere(viewer: httpx.Client) -> None:
    answer = viewer.get("/market/ETHUSDT")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "//unpkg" not in answer.text
    assert "app.js" in answer.text


def test_the_quality_report_is_passed_through(viewer: httpx.Client, product: Product) -> None:
    assert "no quality report yet" in viewer.get("/quality/").text
    report = product.folder / "docs" / "index.html"
    report.parent.mkdir()
    report.write_text("<h1>historical_data</h1>")
    try:
        answer = viewer.get("/quality/")
        assert answer.text == "<h1>historical_data</h1>"
        assert answer.headers["content-type"].startswith("text/html")
    finally:
        report.unlink()
        report.parent.rmdir()


def test_an_absent_api_is_said(mongo_uri: str, product: Product) -> None:
    alone = Product(product.database, product.folder / "alone", mongo_uri)
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone.dashboard())
        form = {"username": "admin", "password": PASSWORD}
        answer = httpx.post(f"{alone.address}/login", data=form)
    assert answer.status_code == 503
    assert f"the API at http://127.0.0.1:{alone.api_port} does not answer; try again soon." in answer.text
