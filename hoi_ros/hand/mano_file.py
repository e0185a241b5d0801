"""Reads hand files in MANO's schema: ``.npz``, or the licensed Python 2 pickle, which holds chumpy and scipy objects.

The pickle is never executed. Every name it mentions is on a short list, and each stands for one inert class that only
remembers what it was given; the arrays are rebuilt here from what was remembered. Neither chumpy nor SciPy nor
NumPy's own unpickling takes part.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.hand.kinematics import PARENTS
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

EMBEDDED = Path(__file__).with_name("embedded_right.npz")

_SHAPES: dict[str, tuple[int | None, ...]] = {
    "v_template": (778, 3),
    "f": (None, 3),
    "shapedirs": (778, 3, 10),
    "posedirs": (778, 3, 135),
    "J_regressor": (16, 778),
    "kintree_table": (2, 16),
    "weights": (778, 16),
    "hands_components": (45, 45),
    "hands_mean": (45,),
}
_ALLOWED = {
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("chumpy.ch", "Ch"),
    ("chumpy.reordering", "Select"),
    ("scipy.sparse.csc", "csc_matrix"),
    ("scipy.sparse._csc", "csc_matrix"),
    ("copy_reg", "_reconstructor"),
    ("copyreg", "_reconstructor"),
    ("_codecs", "encode"),
    *((module, name) for module in ("__builtin__", "builtins") for name in ("object", "set")),
}
_DTYPES = frozenset({"f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"})
_MOST_BYTES = 256 * 2**20


def read_hand_file(path: Path) -> dict[str, Array]:
    """The arrays of MANO's schema, float64 (``f``: (F, 3) vertex indices), from an ``.npz`` or a licensed ``.pkl``.

    Raises Refused: FILE for a file that is missing, too large or truncated; FOREIGN_CLASS for a pickle that names
    anything outside the allow-list; HAND_MODEL for what is not a right hand in MANO's schema.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise Refused(Reason.FILE, f"{path} has {path.stat().st_size} bytes; a hand file has a few million")
        content = path.read_bytes()
    except OSError as error:
        raise Refused(Reason.FILE, f"{path} cannot be read: {error.strerror}") from error
    if not content:
        raise Refused(Reason.FILE, f"{path} is empty")
    raw = _read_npz(path, content) if content[:2] == b"PK" else _read_pickle(path, content)
    arrays = _checked(path, raw)
    _check_right_hand(path, arrays)
    return arrays


def _read_npz(path: Path, content: bytes) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MOST_BYTES:
            raise Refused(Reason.FILE, f"{path} unpacks to {size} bytes; a hand file has a few million")
        with np.load(BytesIO(content), allow_pickle=False) as file:
            return {key: np.asarray(file[key]) for key in _SHAPES if key in file}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, MemoryError, NotImplementedError) as error:
        raise Refused(Reason.FILE, f"{path} is damaged or truncated: {error}") from error
    except (ValueError, SyntaxError) as error:
        raise Refused(Reason.HAND_MODEL, f"{path} is not a MANO file: {error}") from error


class _Inert:
    """Stands for anything a pickle names; keeps arguments and state, does nothing."""

    name = ""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _AllowList(pickle.Unpickler):
    """Gives a fresh inert class for each allowed name, so that nothing a pickle does to one outlives it."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise Refused(Reason.FOREIGN_CLASS, f"the file names {module}.{name}, which no MANO file holds")
        return type("Inert", (_Inert,), {"name": name})


def _read_pickle(path: Path, content: bytes) -> dict[str, Array]:
    if content[:1] in (b"\x80", b"(") and content[-1:] != pickle.STOP:
        raise Refused(Reason.FILE, f"{path} is truncated: it does not end as a pickle does")
    try:
        for opcode, argument, _ in pickletools.genops(content):
            # Extension codes bypass find_class, and memory is reserved up to the largest memo index at once.
            if opcode.name.startswith("EXT") or (opcode.name.endswith("PUT") and int(argument or 0) > len(content)):
                raise Refused(Reason.HAND_MODEL, f"{path} is not a MANO file: pickle opcode {opcode.name} {argument}")
        root = _AllowList(BytesIO(content), encoding="latin1").load()
        if not isinstance(root, dict):
            raise Refused(Reason.HAND_MODEL, f"{path} is not a MANO file: it holds a {type(root).__name__}, not a dict")
        return {key: _array(root[key]) for key in _SHAPES if key in root}
    except Refused as refusal:
        prefix = "" if str(path) in refusal.message else f"{path}: "
        raise Refused(refusal.reason, prefix + refusal.message) from refusal
    except Exception as error:  # a hostile stream can raise anything from the unpickler; none of it ran foreign code
        raise Refused(Reason.HAND_MODEL, f"{path} is not a MANO file: {type(error).__name__}: {error}") from error


def _array(value: Any) -> Array:
    """The numbers an inert object stands for. Raises ValueError for one that stands for none."""
    if not isinstance(value, _Inert):
        return np.asarray(value)
    if value.name == "_reconstruct":
        _, shape, dtype, fortran, data = value.state
        return np.frombuffer(_bytes(data), _dtype(dtype)).reshape(shape, order="F" if fortran else "C")
    if value.name == "_frombuffer":
        data, dtype, shape, order = value.arguments
        return np.frombuffer(_bytes(data), _dtype(dtype)).reshape(shape, order=order)
    if value.name == "scalar":
        dtype, data = value.arguments
        return np.frombuffer(_bytes(data), _dtype(dtype)).reshape(())
    name, state = value.name, value.state
    if name == "_reconstructor":
        name = value.arguments[0].name
    if name == "Ch":
        return _array(state["x"])
    if name == "Select":
        selected = _array(state["a"]).ravel()[_array(state["idxs"])]
        return selected.reshape(_array(state["preferred_shape"])) if "preferred_shape" in state else selected
    if name == "csc_matrix":
        return _dense(state)
    raise ValueError(f"{name} where an array belongs")


def _bytes(data: Any) -> bytes:
    if isinstance(data, _Inert) and data.name == "encode":  # how Python 3 writes bytes at protocol 2
        data = data.arguments[0]
    return data.encode("latin1") if isinstance(data, str) else bytes(data)


def _dtype(value: Any) -> np.dtype[Any]:
    code, order = value.arguments[0], value.state[1]
    if code not in _DTYPES or order not in ("<", ">", "|", "="):
        raise ValueError(f"array of type {order}{code}")
    return np.dtype(order + code)


def _dense(state: dict[str, Any]) -> Array:
    rows, columns = state["_shape"] if "_shape" in state else state["shape"]
    data, indices, starts = (_array(state[key]) for key in ("data", "indices", "indptr"))
    if (rows, columns) != _SHAPES["J_regressor"] or len(starts) != columns + 1:
        raise ValueError(f"sparse matrix of shape {(rows, columns)}")
    dense = np.zeros((rows, columns))
    columns_of = np.repeat(np.arange(columns), np.diff(starts.astype(np.int64)))
    np.add.at(dense, (indices.astype(np.int64), columns_of), data)
    return dense


def _checked(path: Path, raw: dict[str, Array]) -> dict[str, Array]:
    """Every array of the schema, of its shape, finite and meaning what MANO means by it."""
    arrays: dict[str, Array] = {}
    for key, shape in _SHAPES.items():
        if key not in raw:
            raise Refused(Reason.HAND_MODEL, f"{path} is not a MANO file: '{key}' is missing")
        array = raw[key]
        if array.dtype.kind not in "fiub":
            raise Refused(Reason.HAND_MODEL, f"{path} is not a MANO file: '{key}' is of type {array.dtype}")
        if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
            wanted = tuple("any" if n is None else n for n in shape)
            raise Refused(Reason.HAND_MODEL, f"{path}: '{key}' has shape {array.shape}; MANO's has {wanted}")
        if not np.isfinite(array).all():
            raise Refused(Reason.HAND_MODEL, f"{path}: '{key}' holds {np.sum(~np.isfinite(array))} non-finite numbers")
        arrays[key] = array.astype(np.float64)
    faces, weights = arrays["f"], arrays["weights"]
    problems = {
        "'f' names vertices outside 0..777": faces.size == 0 or faces.min() < 0 or faces.max() > 777,
        "'f' is not one consistently oriented surface": not _oriented(faces),
        "'kintree_table' is not MANO's joint tree": not np.array_equal(arrays["kintree_table"][0, 1:], PARENTS[1:]),
        "'weights' do not sum to one": not np.allclose(weights.sum(axis=1), 1.0, atol=1e-3) or weights.min() < -1e-6,
        "'J_regressor' does not sum to one": not np.allclose(arrays["J_regressor"].sum(axis=1), 1.0, atol=1e-2),
    }
    for problem, present in problems.items():
        if present:
            raise Refused(Reason.HAND_MODEL, f"{path} is not a MANO file: {problem}")
    return arrays


def _oriented(faces: Array) -> bool:
    """Whether no directed edge occurs twice and no vertex lies on two holes."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forward, backward = edges @ [1000, 1], edges @ [1, 1000]
    open_ends = edges[~np.isin(forward, backward), 0]
    return len(np.unique(forward)) == len(edges) and len(np.unique(open_ends)) == len(open_ends)


def _check_right_hand(path: Path, arrays: dict[str, Array]) -> None:
    """A right hand with its palm to -y has the thumb on the left of its fingers, seen from above."""
    joints = arrays["J_regressor"] @ arrays["v_template"]
    fingers, thumb = joints[4] - joints[0], joints[13] - joints[0]
    palm = np.cross(fingers, thumb)[1]
    size = np.linalg.norm(fingers)
    if not 0.03 < size < 0.3 or abs(palm) < 1e-2 * size**2:
        raise Refused(
            Reason.HAND_MODEL, f"{path}: the palm is {size:.4g} m long and not flat to y; MANO's is 0.09 m and is"
        )
    if palm < 0:
        raise Refused(
            Reason.HAND_MODEL,
            f"{path} holds a left hand (thumb side); give MANO_RIGHT: left hands are made by mirroring it",
        )
