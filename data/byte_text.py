"""Text that Parquet stores as bytes: UTF-8 without the string type, and UUIDs, which are read as 36 characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CONTROLS = r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]"
_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)
_PLACES = np.array([at for at in range(36) if at not in (8, 13, 18, 23)]).reshape(16, 2)
UUID = pa.uuid()


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether an Arrow type holds bytes, of variable or fixed length."""
    types = pa.types
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


def holds_bytes(kind: pa.DataType) -> bool:
    """Return whether a plain type (see ``schema.plain``) holds bytes, also in fields or elements."""
    types = pa.types
    if types.is_struct(kind):
        return any(holds_bytes(field.type) for field in kind)
    return bool(types.is_large_binary(kind) or (types.is_list(kind) and holds_bytes(kind.value_type)))


def holds(kind: pa.DataType, extension: type[pa.BaseExtensionType]) -> bool:
    """Return whether an Arrow type is an extension type, such as that of UUIDs, or has it in fields or elements."""
    if pa.types.is_nested(kind):
        return any(holds(kind.field(at).type, extension) for at in range(kind.num_fields))
    return isinstance(kind, extension)


def with_text(kind: pa.DataType, sample: Sequence[pa.Array]) -> pa.DataType:
    """Return a plain type in which bytes become text wherever the sampled values, arrays of this type, are text."""
    types = pa.types
    if types.is_struct(kind):
        fields = [
            pa.field(field.name, with_text(field.type, [array.field(at) for array in sample]))
            for at, field in enumerate(kind)
        ]
        return pa.struct(fields)
    if types.is_list(kind):
        return pa.list_(with_text(kind.value_type, [array.flatten() for array in sample]))
    return pa.large_string() if types.is_large_binary(kind) and _is_text(sample) else kind


def _is_text(sample: Sequence[pa.Array]) -> bool:
    """Return whether the bytes are UTF-8 without control characters and at least one value is not empty."""
    held = [array.drop_null() for array in sample]
    if not any(pc.any(pc.greater(pc.binary_length(array), 0)).as_py() for array in held):
        return False
    try:
        return not any(pc.any(pc.match_substring_regex(bytes_as_text(array), _CONTROLS)).as_py() for array in held)
    except pa.ArrowInvalid:
        return False


def bytes_as_text(array: pa.Array, *, checked: bool = True) -> pa.Array:
    """Return bytes as text, large_string (n,).

    Args:
        array: of any binary type.
        checked: whether bytes that are not UTF-8 raise ``ArrowInvalid``; otherwise they stay and are repaired later.
    """
    wide = array.cast(pa.large_binary())
    return wide.cast(pa.large_string()) if checked else wide.view(pa.large_string())


def uuid_text(storage: pa.Array) -> pa.Array:
    """Return fixed_size_binary[16] (n,) as the 36 characters of a UUID, large_string (n,)."""
    count = len(storage)
    if not count:
        return pa.array([], pa.large_string())
    raw = np.frombuffer(storage.buffers()[1], dtype=np.uint8)[16 * storage.offset :][: 16 * count].reshape(count, 16)
    letters = np.full((count, 36), ord("-"), dtype=np.uint8)
    letters[:, _PLACES] = _HEX[raw]
    offsets = pa.py_buffer(np.arange(0, 36 * count + 1, 36, dtype=np.int64))
    text = pa.LargeStringArray.from_buffers(count, offsets, pa.py_buffer(letters))
    return pc.if_else(storage.is_valid(), text, pa.scalar(None, pa.large_string())) if storage.null_count else text


def text_uuid(texts: pa.Array) -> pa.Array:
    """Return the texts of ``uuid_text`` as UUIDs, (n,)."""
    raw = [None if text is None else bytes.fromhex(text.replace("-", "")) for text in texts.to_pylist()]
    return pa.array(raw, pa.binary(16)).cast(UUID)
