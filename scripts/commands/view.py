# SPDX-License-Identifier: Apache-2.0
"""``view FOLDER``."""

from __future__ import annotations

from typing import Annotated

from .front import say, usage_errors

__all__ = ["COMMAND", "view"]


def view(folder: Annotated[str, "FOLDER"], *, page: str = "", port: int = 0) -> None:
    """Show the images and maps of a finished run in a browser, and restore others there; Ctrl-C ends it.

    The page is served to this machine alone (127.0.0.1), with nothing but FOLDER and the page itself; an image that is
    dropped on it is restored in the browser and goes nowhere.

    Args:
        folder: output folder of restore or anomaly, or any folder of NIfTI files.
        page: folder of the page; by default dist/web, which make web builds.
        port: port to listen on; by default any that is free.
    """
    from ..pages.local_server import LocalServer, built_page

    with usage_errors():
        built = built_page(page)
        if not 0 <= port < 65536:
            raise ValueError(f"port must be from 0 to 65535, got {port}.")
        server = LocalServer(folder, built, port)
    with server:
        say(server.address)
        server.serve_forever()


COMMAND = view
