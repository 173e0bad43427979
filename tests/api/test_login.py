from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI
from pymongo.database import Database

from api.auth.login import ensure_admin
from api.auth.passwords import hash_password
from cryptobot.serving.access import issue_token
from cryptobot.settings import Settings
from tests.api.conftest import PASSWORD

Db = Database[dict[str, Any]]


FREE_FAILURES = 5


async def log_in(anyone: httpx.AsyncClient, password: str = PASSWORD, **form: str) -> httpx.Response:
    return await anyone.post("/v1/auth/token", data={"username": "admin", "password": password, **form})


class TestToken:
    async def test_opens_what_its_scopes_allow(self, anyone: httpx.AsyncClient) -> None:
        answer = (await log_in(anyone)).json()
        assert answer["expires_in"] == 900
        assert answer["scope"] == "alerts:write models:admin read"
        bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        assert (await anyone.get("/v1/symbols", headers=bearer)).status_code == 200

    async def test_scope_can_be_narrowed_but_not_widened(self, anyone: httpx.AsyncClient) -> None:
        narrow = (await log_in(anyone, scope="alerts:write")).json()["access_token"]
        refused = await anyone.get("/v1/symbols", headers={"Authorization": f"Bearer {narrow}"})
        assert refused.status_code == 403
        assert "read" in refused.json()["detail"]
        assert (await log_in(anyone, scope="read everything")).status_code == 403

    async def test_failures_do_not_tell_which_part_was_wrong(self, anyone: httpx.AsyncClient) -> None:
        wrong = await log_in(anyone, "wrong")
        unknown = await anyone.post("/v1/auth/token", data={"username": "nobody", "password": "wrong"})
        for response in (wrong, unknown):
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
        assert wrong.json()["detail"] == unknown.json()["detail"]

    @pytest.mark.parametrize("name", ["admin", "nobody"])
    async def test_too_many_failures_lock_known_and_unknown_names_alike(
        self, anyone: httpx.AsyncClient, database: Db, name: str
    ) -> None:
        form = {"username": name, "password": "wrong"}
        for _ in range(FREE_FAILURES):
            assert (await anyone.post("/v1/auth/token", data=form)).status_code == 401
        locked = await anyone.post("/v1/auth/token", data={"username": name, "password": PASSWORD})
        assert locked.status_code == 429
        assert int(locked.headers["retry-after"]) >= 1
        past = datetime.now(UTC) - timedelta(seconds=1)
        database.login_attempts.update_many({}, {"$set": {"locked_until": past}})
        if name == "admin":
            assert (await log_in(anyone)).status_code == 200
            assert database.login_attempts.count_documents({"_id": {"$regex": "^user"}}) == 0

    async def test_waits_double(self, anyone: httpx.AsyncClient, database: Db) -> None:
        waits = []
        for _ in range(FREE_FAILURES + 3):
            database.login_attempts.update_many({}, {"$set": {"locked_until": None}})
            await log_in(anyone, "wrong")
            entry = database.login_attempts.find_one({"_id": {"$regex": "^user"}})
            assert entry is not None
            if entry["locked_until"]:
                waits.append(round((entry["locked_until"] - datetime.now(UTC)).total_seconds()))
        assert waits == [1, 2, 4, 8]

    async def test_a_disabled_user_is_refused(self, anyone: httpx.AsyncClient, database: Db) -> None:
        database.users.update_one({"_id": "admin"}, {"$set": {"disabled": True}})
        assert (await log_in(anyone)).status_code == 401

    async def test_passwords_are_hashed_and_never_repeated(
        self, anyone: httpx.AsyncClient, database: Db
    ) -> None:
        stored = database.users.find_one({"_id": "admin"})
        assert stored is not None
        assert stored["password_hash"].startswith("$argon2id$")
        bad = await anyone.post(
            "/v1/auth/token", data={"username": "x" * 200, "password": PASSWORD, "grant_type": "magic"}
        )
        assert bad.status_code == 422
        assert PASSWORD not in bad.text


class TestForgery:
    async def test_no_forged_token_is_taken(self, anyone: httpx.AsyncClient, api_settings: Settings) -> None:
        good = issue_token(api_settings, "admin", {"read"})
        claims = jwt.decode(good, options={"verify_signature": False})
        forged = {
            "expired": issue_token(api_settings, "admin", {"read"}, seconds=-1),
            "key": jwt.encode(claims, "another key, also of more than 32 bytes", algorithm="HS256"),
            "none": jwt.encode(claims, None, algorithm="none"),
            "audience": issue_token(api_settings, "admin", {"read"}, audience="cryptobot-quality"),
            "garbage": "abc.def.ghi",
            "empty": "",
        }
        for kind, token in forged.items():
            response = await anyone.get("/v1/symbols", headers={"Authorization": f"Bearer {token}"})
            assert response.status_code == 401, kind
            assert response.headers["content-type"] == "application/problem+json"


class TestRefresh:
    async def test_rotates_and_detects_reuse(self, anyone: httpx.AsyncClient, database: Db) -> None:
        first = (await log_in(anyone)).json()["refresh_token"]
        second = (await anyone.post("/v1/auth/refresh", json={"refresh_token": first})).json()
        assert second["refresh_token"] != first
        assert database.refresh_tokens.find_one({"_id": first}) is None, "only digests are stored"
        reused = await anyone.post("/v1/auth/refresh", json={"refresh_token": first})
        assert reused.status_code == 401
        stolen = await anyone.post("/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})
        assert stolen.status_code == 401, "the whole log-in is revoked"

    async def test_keeps_the_narrow_scope(self, anyone: httpx.AsyncClient) -> None:
        token = (await log_in(anyone, scope="read")).json()["refresh_token"]
        assert (await anyone.post("/v1/auth/refresh", json={"refresh_token": token})).json()[
            "scope"
        ] == "read"

    async def test_ends_with_log_out(self, anyone: httpx.AsyncClient) -> None:
        token = {"refresh_token": (await log_in(anyone)).json()["refresh_token"]}
        assert (await anyone.post("/v1/auth/logout", json=token)).status_code == 204
        assert (await anyone.post("/v1/auth/refresh", json=token)).status_code == 401
        assert (await anyone.post("/v1/auth/logout", json=token)).status_code == 204

    async def test_ends_when_the_user_is_disabled(self, anyone: httpx.AsyncClient, database: Db) -> None:
        token = {"refresh_token": (await log_in(anyone)).json()["refresh_token"]}
        database.users.update_one({"_id": "admin"}, {"$set": {"disabled": True}})
        assert (await anyone.post("/v1/auth/refresh", json=token)).status_code == 401


class TestAdmin:
    async def test_follows_the_settings(self, app: FastAPI, anyone: httpx.AsyncClient, database: Db) -> None:
        changed = {"password_hash": await hash_password("older"), "scopes": ["read"], "disabled": True}
        database.users.update_one({"_id": "admin"}, {"$set": changed})
        database.users.insert_one(
            {"_id": "former", "from_settings": True, "disabled": False, "scopes": [], "password_hash": ""}
        )
        await ensure_admin(app.state.services)
        assert (await log_in(anyone)).status_code == 200
        former = database.users.find_one({"_id": "former"})
        assert former is not None
        assert former["disabled"] is True
