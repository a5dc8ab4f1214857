"""Where a history is written to: what cannot be is said in a sentence, and left as it was."""

from __future__ import annotations

import tempfile
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.conftest import Make


@pytest.mark.parametrize("verb", ["to_csv", "to_json"])
@pytest.mark.parametrize(
    ("target", "what"), [(None, "NoneType"), (3, "int"), (BytesIO(), "a file of bytes")]
)
def test_what_takes_no_text(make: Make, verb: str, target: Any, what: str) -> None:
    monitor = make()
    monitor.log(loss=1.0)
    sentence = rf"{verb}\(\) needs a path or a file open for writing text, not {what}\."
    for whose in (monitor, monitor.history):
        with pytest.raises(TypeError, match=sentence):
            getattr(whose, verb)(target)


@pytest.mark.parametrize("verb", ["to_csv", "to_json"])
def test_a_path_and_anything_that_takes_text(make: Make, verb: str, tmp_path: Path) -> None:
    monitor = make()
    monitor.log(loss=0.1)
    text = StringIO()
    getattr(monitor, verb)(text)
    assert "0.1" in text.getvalue()
    for path in (tmp_path / "a", str(tmp_path / "b")):
        getattr(monitor, verb)(path)
        assert Path(path).read_bytes() == text.getvalue().encode()
    with tempfile.TemporaryFile("w+", newline="", dir=tmp_path) as file:
        getattr(monitor, verb)(file)
        file.seek(0)
        assert file.read() == text.getvalue()


def test_a_file_of_bytes_keeps_what_it_holds(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"mine")
    for mode in ("r+b", "ab"):
        with path.open(mode) as file, pytest.raises(TypeError, match="a file of bytes"):
            make().to_csv(file)  # type: ignore[arg-type]
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("smoothing", ["0.5", None, True, [0.5]])
def test_smoothing_is_a_number(make: Make, smoothing: Any) -> None:
    with pytest.raises(TypeError, match=r"smoothing must be a number, not \w+\."):
        make().figure(smoothing=smoothing)
