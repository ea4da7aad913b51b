# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import http.client
import json
import threading

import pytest

from scripts.pages import local_server
from scripts.pages.local_server import LocalServer, built_page


@pytest.fixture
def server(tmp_path):
    page, folder = tmp_path / "page", tmp_path / "run"
    (page / "model").mkdir(parents=True)
    (folder / "a b").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>")
    (page / "ort.wasm").write_bytes(b"\0asm")
    (page / "model/slices.onnx").write_bytes(b"onnx")
    (page / "secret.pem").write_text("key")
    (folder / "a b/head.nii.gz").write_bytes(b"head")
    (folder / "report.json").write_text("{}")
    (folder / ".hidden.nii").write_bytes(b"hidden")
    (tmp_path / "outside.nii").write_bytes(b"outside")
    (folder / "link.nii").symlink_to(tmp_path / "outside.nii")
    with LocalServer(folder, page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server, path, host="", method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer


def test_the_page_and_the_images_are_served(server):
    status, content, answer = get(server, "/")
    assert (status, content, answer.headers["Content-Type"]) == (200, b"<!doctype html>", "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert get(server, "/ort.wasm")[2].headers["Content-Type"] == "application/wasm"
    assert get(server, "/model/slices.onnx")[1] == b"onnx"
    assert json.loads(get(server, "/run.json")[1]) == {"images": ["a b/head.nii.gz"]}
    assert get(server, "/run/a%20b/head.nii.gz")[1] == b"head"
    assert get(server, "/run/a%20b/head.nii.gz", method="HEAD")[:2] == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/run/../outside.nii",
        "/run/%2e%2e/outside.nii",
        "/run/a%20b/..%2f../../outside.nii",
        "/run//etc/passwd",
        "/run/link.nii",
        "/run/report.json",
        "/run/",
        "/run/a%00.nii",
        "/../run/a b/head.nii.gz".replace(" ", "%20"),
        "/secret.pem",
        "//etc/passwd",
        "/nothing.js",
    ],
)
def test_nothing_else_is_served(server, path):
    assert get(server, path)[:2] == (404, b"there is no such file\n")


def test_only_this_machine_is_answered(server):
    assert server.server_address[0] == "127.0.0.1"
    port = server.server_port
    assert get(server, "/run.json", f"localhost:{port}")[0] == 200
    for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1.evil.example:{port}"):
        assert get(server, "/run.json", host)[0] == 403
    assert get(server, "/run.json", method="POST")[0] == 501


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(NotADirectoryError, match="does not exist: give the folder of a finished run"):
        LocalServer(tmp_path / "none", tmp_path)
    monkeypatch.setattr(local_server, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no page in .*: make web"):
        built_page()
    (tmp_path / "dist/web").mkdir(parents=True)
    (tmp_path / "dist/web/index.html").touch()
    assert built_page() == built_page(tmp_path / "dist/web") == tmp_path / "dist/web"
