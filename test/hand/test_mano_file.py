"""Licensed files are Python 2 pickles of chumpy and SciPy objects: they are read; else all is refused, nothing runs."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.mano_file import EMBEDDED, read_hand_file
from hoi_ros.refusals import Reason, Refused

EXTRA = {"bs_style": "lbs", "bs_type": "lrotmin", "J": np.zeros((16, 3)), "hands_coeffs": np.zeros((1554, 45))}


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]  # noqa: SLF001, RUF100
    """Writes protocol 2 as Python 2 does: byte strings for text and raw data, and Python 2's module names."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]  # noqa: RUF012

    def save_str(self, text: str) -> None:
        self.save_bytes(text.encode("latin1"))

    def save_bytes(self, data: bytes) -> None:
        size = len(data)
        self.write(b"U" + bytes([size]) + data if size < 256 else b"T" + size.to_bytes(4, "little") + data)

    dispatch[str] = save_str
    dispatch[bytes] = save_bytes

    def save_global(self, thing: Any, name: str | None = None) -> None:
        name = name or thing.__qualname__
        module = {"builtins": "__builtin__", "copyreg": "copy_reg"}.get(thing.__module__, thing.__module__)
        if name == "_reconstruct":
            module = "numpy.core.multiarray"
        if name == "csc_matrix":
            module = "scipy.sparse.csc"
        self.write(b"c" + module.encode() + b"\n" + name.encode() + b"\n")
        self.memoize(thing)

    dispatch[type] = save_global
    dispatch[types.FunctionType] = save_global


def python2_pickle(content: Any) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, 2).dump(content)
    return stream.getvalue()


@pytest.fixture
def chumpy() -> Iterator[Any]:
    """Classes that pickle as chumpy's do, without chumpy."""
    made = {}
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        made[name] = type(name, (), {"__module__": module})
    yield types.SimpleNamespace(**made)
    assert "chumpy" not in sys.modules


def ch(chumpy: Any, array: np.ndarray) -> Any:
    made = chumpy.Ch()
    made.__dict__.update(x=array, _dirty_vars={"x"}, _itr=None, _depends_on_deps=None, _status="new")
    return made


def licensed(chumpy: Any) -> dict[str, Any]:
    """The embedded hand's arrays as a licensed file holds them."""
    arrays = dict(np.load(EMBEDDED))
    base = ch(chumpy, arrays["shapedirs"].ravel())
    select = chumpy.Select()
    select.__dict__.update(a=base, idxs=np.arange(arrays["shapedirs"].size), preferred_shape=(778, 3, 10))
    regressor = scipy.sparse.csc_matrix(arrays["J_regressor"])
    return {
        **EXTRA,
        **{key: arrays[key] for key in ("hands_components", "hands_mean", "weights", "posedirs", "v_template")},
        "f": arrays["f"].astype(np.uint32),
        "kintree_table": arrays["kintree_table"].astype(np.int64) % 2**32,
        "shapedirs": select,
        "v_template": ch(chumpy, np.asfortranarray(arrays["v_template"])),
        "J_regressor": regressor,
    }


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_licensed_pickle_is_read(chumpy: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "MANO_RIGHT.pkl", python2_pickle(licensed(chumpy)))
    content = path.read_bytes()
    for spoken in (
        b"cchumpy.ch\nCh\n",
        b"cchumpy.reordering\nSelect\n",
        b"cscipy.sparse.csc\ncsc_matrix\n",
        b"c__builtin__\n",
    ):
        assert spoken in content
    embedded, read = load_hand_model(), load_hand_model(str(path))
    assert read.name == "MANO_RIGHT"
    assert read.digest == embedded.digest
    np.testing.assert_allclose(read.J_regressor, embedded.J_regressor)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_cleaned_pickle_is_read(protocol: int, tmp_path: Path) -> None:
    """Many keep a copy without chumpy, written by Python 3."""
    arrays = dict(np.load(EMBEDDED))
    path = write(tmp_path / "MANO_RIGHT.pkl", pickle.dumps(arrays, protocol))
    np.testing.assert_array_equal(read_hand_file(path)["posedirs"], arrays["posedirs"])


def test_open_wrist_is_read(tmp_path: Path) -> None:
    arrays = dict(np.load(EMBEDDED))
    ring = np.argmax(arrays["v_template"][:, 0])
    arrays["f"] = arrays["f"][~(arrays["f"] == ring).any(axis=1)]
    path = tmp_path / "MANO_RIGHT.npz"
    np.savez(path, **arrays)
    model = load_hand_model(str(path))
    assert len(model.closed_faces) > len(model.faces)


class Call:
    """Pickles as a call of anything with anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


def hostile(sentinel: Path) -> dict[str, bytes]:
    command = f"touch {sentinel}"
    code = f"open({str(sentinel)!r}, 'w')"
    return {
        "system": b"cposix\nsystem\n(S'" + command.encode() + b"'\ntR.",
        "os.system": b"cos\nsystem\n(S'" + command.encode() + b"'\ntR.",
        "eval": pickle.dumps(Call(eval, code), 2),
        "exec": pickle.dumps({"v_template": Call(exec, code)}, 4),
        "Popen": pickle.dumps(Call(subprocess.Popen, ["touch", str(sentinel)]), 4),
        "getattr": pickle.dumps(Call(getattr, Call(__import__, "os"), "system"), 2),
        "INST": b"(S'" + command.encode() + b"'\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\nS'" + command.encode() + b"'\no.",
        "numpy load": b"cnumpy\nload\n(S'x'\ntR.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x15ndarray.__reduce_ex__\x93.",
        "dotted inert": b"\x80\x04\x8c\x09chumpy.ch\x8c\x1dCh.__init__.__globals__.items\x93.",
        "newobj": b"ccopy_reg\n__newobj__\n(ctypes\nCodeType\ntR.",
    }


@pytest.mark.parametrize("name", list(hostile(Path("x"))))
def test_foreign_names_are_refused_and_nothing_runs(name: str, tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    path = write(tmp_path / "MANO_RIGHT.pkl", hostile(sentinel)[name])
    with pytest.raises(Refused, match="names") as refused:
        read_hand_file(path)
    assert refused.value.reason is Reason.FOREIGN_CLASS
    assert str(path) in refused.value.message
    assert not sentinel.exists()


def test_allowed_names_with_hostile_arguments_stay_inert(tmp_path: Path) -> None:
    """What the list allows is only ever remembered, so no argument, state or attribute can make it act."""
    streams = [
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L1000000000000L\ntS'b'\ntR.",
        b"cnumpy\ndtype\n(S'f8,O'\nI0\nI1\ntR.",
        b"cchumpy.ch\nCh\n(tR(dS'__class__'\ncnumpy\nndarray\nsb.",
        b"cnumpy\nndarray\n(dS'__setstate__'\ncnumpy\ndtype\nsb.",
        b"ccopy_reg\n_reconstructor\n(c__builtin__\nset\nc__builtin__\nobject\nNtR.",
        b"\x80\x02r\xff\xff\xff\xff.",
        b"\x80\x04}\x94h\x00h\x00h\x00s.",
    ]
    for stream in streams:
        with pytest.raises(Refused) as refused:
            read_hand_file(write(tmp_path / "MANO_RIGHT.pkl", stream))
        assert refused.value.reason is Reason.HAND_MODEL


def test_a_shape_larger_than_its_data_is_refused(chumpy: Any, tmp_path: Path) -> None:
    content = licensed(chumpy)
    content["shapedirs"].__dict__["preferred_shape"] = (2**40, 3, 10)
    loop = ch(chumpy, np.zeros(1))
    loop.__dict__["x"] = loop
    for key, value in (("shapedirs", content["shapedirs"]), ("v_template", loop), ("weights", "text")):
        broken = {**licensed(chumpy), key: value}
        with pytest.raises(Refused) as refused:
            read_hand_file(write(tmp_path / "MANO_RIGHT.pkl", python2_pickle(broken)))
        assert refused.value.reason is Reason.HAND_MODEL


def mirrored(arrays: dict[str, Any]) -> None:
    arrays["v_template"] = arrays["v_template"] * [-1.0, 1.0, 1.0]
    arrays["f"] = arrays["f"][:, ::-1]


def poison(arrays: dict[str, Any]) -> None:
    arrays["posedirs"] = arrays["posedirs"].copy()
    arrays["posedirs"][5, 1, 7] = np.nan


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "missing": (lambda a: a.pop("posedirs"), "'posedirs' is missing"),
    "shape": (lambda a: a.update(weights=a["weights"][:, :15]), r"'weights' has shape \(778, 15\)"),
    "body": (lambda a: a.update(v_template=np.zeros((6890, 3))), "6890"),
    "text": (lambda a: a.update(hands_mean=np.array(["x"] * 45)), "of type"),
    "nan": (poison, "'posedirs' holds 1 non-finite"),
    "faces": (lambda a: a.update(f=a["f"] + 1), "outside 0..777"),
    "flipped face": (lambda a: a.update(f=np.vstack([a["f"][:1, ::-1], a["f"][1:]])), "oriented"),
    "tree": (lambda a: a.update(kintree_table=np.zeros((2, 16))), "joint tree"),
    "weights": (lambda a: a.update(weights=a["weights"] * 2), "'weights' do not sum to one"),
    "millimetres": (lambda a: a.update(v_template=a["v_template"] * 1000), "m long"),
    "left": (mirrored, "left hand"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("ending", ["npz", "pkl"])
def test_what_is_not_a_right_hand_is_refused_by_name(change: str, ending: str, tmp_path: Path) -> None:
    arrays = dict(np.load(EMBEDDED))
    alter, message = CHANGES[change]
    alter(arrays)
    path = tmp_path / f"MANO_RIGHT.{ending}"
    if ending == "npz":
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays, 2))
    with pytest.raises(Refused, match=message) as refused:
        load_hand_model(str(path))
    assert refused.value.reason is Reason.HAND_MODEL


def test_files_that_are_not_there_or_cut_off(chumpy: Any, tmp_path: Path) -> None:
    whole, archive = python2_pickle(licensed(chumpy)), EMBEDDED.read_bytes()
    damaged = bytearray(archive)
    damaged[len(archive) // 3 : len(archive) // 3 + 100] = bytes(100)
    for content in (b"", whole[: len(whole) // 2], whole[:-1], archive[: len(archive) // 2], bytes(damaged)):
        with pytest.raises(Refused) as refused:
            read_hand_file(write(tmp_path / "MANO_RIGHT.pkl", content))
        assert refused.value.reason is Reason.FILE
    for path in (tmp_path / "absent.pkl", tmp_path):
        with pytest.raises(Refused, match="cannot be read") as refused:
            load_hand_model(str(path))
        assert refused.value.reason is Reason.FILE


def test_pickled_objects_in_an_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "MANO_RIGHT.npz"
    np.savez(path, v_template=np.array([Call(eval, "1")], dtype=object))
    with pytest.raises(Refused) as refused:
        read_hand_file(path)
    assert refused.value.reason is Reason.HAND_MODEL
    with zipfile.ZipFile(path, "w") as other:
        other.writestr("v_template.npy", b"no array")
    with pytest.raises(Refused) as refused:
        read_hand_file(path)
    assert refused.value.reason in (Reason.HAND_MODEL, Reason.FILE)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    for start in (b"", b"\x80\x02", b"\x80\x02}", b"PK\x03\x04"):
        with pytest.raises(Refused):
            read_hand_file(write(tmp_path / "MANO_RIGHT.pkl", start + content))
