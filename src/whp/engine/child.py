"""The process in which a cluster's worker runs its tasks: ``python -m whp.engine.child FD``."""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from whp.devices import resolve_device
from whp.engine.remote import versions
from whp.engine.worker import start_worker
from whp.errors import ExecutorError, WhpError
from whp.linalg.products import current_route

IDLE = 300.0  # seconds without a task after which it ends: a coordinator may have been lost


def main(number: str) -> None:
    """Answer tasks until there are none, or the worker is gone."""
    connection = Connection(int(number))
    start_worker()
    tasks: queue.SimpleQueue[tuple[bytes, str, str]] = queue.SimpleQueue()
    # Tasks run in the main thread, the only one that alarms reach; this one notices that the worker dies.
    threading.Thread(target=_listen, args=(connection, tasks), daemon=True).start()
    connection.send(versions())
    while True:
        try:
            call, folder, device = tasks.get(timeout=IDLE)
        except queue.Empty:
            return
        connection.send(_answer(call, folder, device))


def _listen(connection: Connection, tasks: queue.SimpleQueue[tuple[bytes, str, str]]) -> None:
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)


def _answer(call: bytes, folder: str, device: str) -> tuple[bool, Any]:
    """Whether a task succeeded, and its result or error."""
    try:
        resolve_device(device)
        current_route()
    except WhpError as error:
        return False, ExecutorError(f"worker process {os.getpid()}: {error}")
    try:
        function, task = pickle.loads(call)
        return True, function(replace(task, home=str(Path(folder) / Path(task.home).name)))
    except Exception as error:
        return False, error if isinstance(error, WhpError) else RuntimeError(
            f"{type(error).__name__}: {error}"
        )


if __name__ == "__main__":
    main(sys.argv[1])
