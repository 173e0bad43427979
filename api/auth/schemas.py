"""What log-in takes and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

UserName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class PasswordForm(BaseModel):
    """OAuth2's password form."""

    grant_type: Literal["password"] = "password"
    username: UserName
    password: Password
    scope: Annotated[str, StringConstraints(max_length=256)] = Field(
        "", description="Scopes asked for, separated by blanks; empty: all that the user has"
    )


class SessionForm(PasswordForm):
    """The browser's log-in form."""

    following: str = Field("/quality/", alias="next", max_length=500)


class RefreshRequest(BaseModel):
    """A refresh token, to be used up or revoked."""

    refresh_token: Annotated[str, StringConstraints(min_length=20, max_length=128)]


class Tokens(BaseModel):
    """What a log-in gives."""

    access_token: str = Field(description="JWT for `Authorization: Bearer`")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a type
    expires_in: int = Field(examples=[900], description="Life of the access token, seconds")
    refresh_token: str = Field(description="Good for one use within 30 days, at /v1/auth/refresh")
    scope: str = Field(examples=["read alerts:write"])
