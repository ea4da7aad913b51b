# SPDX-License-Identifier: Apache-2.0
"""Serve the page that shows and restores heads, and the images of one folder, to this machine alone."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ..files.folder_walk import walk_folder
from ..recipes.places import ROOT

__all__ = ["LocalServer", "built_page"]

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
IMAGES = (".nii", ".nii.gz")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: "
    "blob:; connect-src 'self' data: blob:; worker-src 'self' blob:; font-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""What a browser lets the page do: nothing that reaches another machine."""


def built_page(folder: str | Path = "") -> Path:
    """Folder of the built page.

    Args:
        folder: where it lies; by default where ``make web`` puts it.

    Raises:
        FileNotFoundError: it was not built.
    """
    page = Path(folder or ROOT / "dist/web")
    if not (page / "index.html").is_file():
        raise FileNotFoundError(f"there is no page in {page}: make web in the checkout (it needs npm), or --page.")
    return page


class LocalServer(ThreadingHTTPServer):
    """Server of the page and of the images of a folder, bound to 127.0.0.1.

    Other names of this machine are refused, so that no page of the internet can make a browser ask for an image.

    Args:
        folder: folder of images; nothing outside of it is served, through a link in it either.
        page: folder of the built page.
        port: port to listen on; 0 for any that is free.

    Raises:
        NotADirectoryError: the folder does not exist.
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, folder: str | Path, page: Path, port: int = 0) -> None:
        self.folder, self.page = Path(folder), page
        if not self.folder.is_dir():
            raise NotADirectoryError(
                f"folder '{folder}' does not exist: give the folder of a finished run, or any other."
            )
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def address(self) -> str:
        """What one types into a browser."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def images(self) -> list[str]:
        """NIfTI files of the folder, by their paths in it."""
        inside = self.folder.resolve()
        files = [file for file in walk_folder(self.folder).files if file.name.lower().endswith(IMAGES)]
        return sorted(file.as_posix() for file in files if (self.folder / file).resolve().is_relative_to(inside))


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Send the page, a file of it, the list of the images, or one of them."""
        path = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in (LOOPBACK, "localhost"):
            self._answer(HTTPStatus.FORBIDDEN, b"this page is for 127.0.0.1 alone\n")
        elif path == "run.json":
            self._answer(HTTPStatus.OK, json.dumps({"images": self.server.images()}).encode(), ".json")
        elif path.startswith("run/"):
            self._send(self.server.folder, path.removeprefix("run/"), IMAGES)
        else:
            self._send(self.server.page, path, (*TYPES, ".onnx", "license"))

    do_HEAD = do_GET  # noqa: N815

    def _send(self, root: Path, name: str, endings: tuple[str, ...]) -> None:
        """Send a file of a folder, if it is one, of a kind that is served."""
        try:
            file = (root / PurePosixPath(name)).resolve()
            allowed = file.is_relative_to(root.resolve()) and file.is_file() and file.name.lower().endswith(endings)
            content = file.read_bytes() if allowed else None
        except (OSError, ValueError):  # a name that is none
            content = None
        if content is None:
            self._answer(HTTPStatus.NOT_FOUND, b"there is no such file\n")
        else:
            self._answer(HTTPStatus.OK, content, file.suffix)

    def _answer(self, status: HTTPStatus, content: bytes, suffix: str = ".txt") -> None:
        self.send_response(status)
        self.send_header("Content-Type", TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet about what went well."""
        logger.debug(format, *arguments)
