"""Files are written whole or not at all."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout

from advkd.errors import AdvkdError
from advkd.files import held, write_arrays, write_bytes, write_json


def test_an_interrupt_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "x.json", b"{}")
    assert not list(tmp_path.iterdir())


def test_others_may_read_what_was_written(tmp_path):
    write_bytes(tmp_path / "x.json", b"{}")
    (tmp_path / "y.json").write_bytes(b"{}")
    assert (tmp_path / "x.json").stat().st_mode == (tmp_path / "y.json").stat().st_mode


def test_a_missing_folder_is_an_error_a_user_can_act_on(tmp_path):
    with pytest.raises(AdvkdError, match="No such file"):
        write_bytes(tmp_path / "none" / "x.json", b"{}")


def test_json_and_arrays_come_back(tmp_path):
    write_json(tmp_path / "x.json", {"a": [1, 2]})
    write_arrays(tmp_path / "x.npz", {"a": np.arange(3)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1, 2]}
    assert np.load(tmp_path / "x.npz")["a"].tolist() == [0, 1, 2]


def test_arrays_of_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="pickle"):
        write_arrays(tmp_path / "x.npz", {"a": np.array([object()])})
    assert not list(tmp_path.iterdir())


def read_only(*args, **options):
    raise OSError(errno.EROFS, "Read-only file system")


def test_where_nothing_can_be_written_that_is_what_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "open", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)
    with pytest.raises(AdvkdError, match=r"writing x.json: Read-only file system"):
        write_bytes(tmp_path / "x.json", b"{}")


def test_a_lock_that_cannot_be_made_is_an_error_and_one_that_is_taken_is_not(tmp_path, monkeypatch):
    lock = FileLock(tmp_path / "it.lock", timeout=0)
    with held(lock), pytest.raises(Timeout), held(FileLock(tmp_path / "it.lock", timeout=0)):
        pass
    assert not lock.is_locked
    monkeypatch.setattr("os.open", read_only)
    with pytest.raises(AdvkdError, match=r"writing a lock: Read-only file system"), held(lock):
        pass
