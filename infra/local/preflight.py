"""What must hold before anything is started: Java, disk, folders, ports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

import psutil

from infra.local.errors import LocalRunError
from infra.local.services import Service

JAVA_MINIMUM = 17
DISK_MINIMUM_GB = 3.0

_GET_JAVA = "install it (Debian, Ubuntu: apt install openjdk-17-jre-headless) and run again"


def check_java() -> None:
    """Raise ``LocalRunError`` unless the Java on the PATH, and that of ``JAVA_HOME``, is new enough."""
    found = {"on the PATH": shutil.which("java")}
    if home := os.environ.get("JAVA_HOME"):
        found["that JAVA_HOME names"] = shutil.which(str(Path(home) / "bin" / "java"))
    for where, java in found.items():
        if java is None:
            raise LocalRunError(f"no Java {where}; Spark and Kafka need {JAVA_MINIMUM} or newer: {_GET_JAVA}")
        run = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30)  # noqa: S603
        version = re.search(r'version "(?:1\.)?(\d+)', run.stderr + run.stdout)
        if version is None or int(version[1]) < JAVA_MINIMUM:
            told = version[1] if version else "of unknown version"
            raise LocalRunError(
                f"the Java {where} ({java}) is {told}; "
                f"Spark and Kafka need {JAVA_MINIMUM} or newer: {_GET_JAVA}"
            )


def check_folders(folders: Iterable[Path], minimum_gb: float = DISK_MINIMUM_GB) -> None:
    """Raise ``LocalRunError`` unless every folder can be written, with ``minimum_gb`` of disk left."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalRunError(f"{folder} cannot be created ({error.strerror}); make it writable") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise LocalRunError(f"{folder} cannot be written by this user; change its owner or mode")
        free_gb = shutil.disk_usage(folder).free / 1e9
        if free_gb < minimum_gb:
            raise LocalRunError(
                f"{folder} has {free_gb:.1f} GB of disk left and {minimum_gb:g} GB are needed; "
                "free some, or set CRYPTOBOT_STATE_DIR and CRYPTOBOT_LOG_DIR to a larger disk"
            )


def check_ports(services: Iterable[Service], own: Collection[int]) -> None:
    """Raise ``LocalRunError`` when a port of a service is held by a process that is not in ``own``."""
    listeners = _listeners()
    for service in services:
        for port, setting in service.ports.items():
            if port not in listeners or listeners[port] in own:
                continue
            raise LocalRunError(
                f"port {port}, which {service.name} needs, is in use by {_described(listeners[port])}; "
                f"stop that or set {setting} to another port"
            )


def _listeners() -> dict[int, int | None]:
    return {
        connection.laddr.port: connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }


def _described(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.NoSuchProcess:
        return f"pid {pid}, which has just ended"
