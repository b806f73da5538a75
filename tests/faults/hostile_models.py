"""Model files that want harm: each function gives the bytes of one, made from an ordinary file.

Nothing here is stored: the tests make what they need, from a network of a few kilobytes.
"""

from __future__ import annotations

import copy
import io
import itertools
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from keras_file_making import (
    CONFIG,
    IMAGE,
    METADATA,
    WEIGHTS,
    an_object,
    call,
    functional,
    input_layer,
    layer,
    members,
    pack,
    sequential,
    tensor,
    with_config,
    with_entry,
    with_member,
    with_weights,
)

__all__ = [
    "CONFIG",
    "METADATA",
    "WEIGHTS",
    "archives",
    "calling",
    "central",
    "endless_list",
    "foreign_networks",
    "large_networks",
    "layers",
    "members",
    "offset_of",
    "reseal",
    "weights_files",
    "with_config",
    "with_entry",
    "with_member",
    "with_weights",
]


def layers(config: dict[str, Any], class_name: str) -> list[dict[str, Any]]:
    return [one for one in config["config"]["layers"] if one["class_name"] == class_name]


def reseal(data: bytes, start: int, content: bytes) -> bytes:
    """Writes `content` at `start` of the file, and corrects the checksums."""
    changed = bytearray(data)
    changed[start : start + len(content)] = content
    end = struct.unpack_from("<L", changed, len(changed) - 6)[0]
    place = end
    while changed[place : place + 4] == b"PK\x01\x02":
        size = struct.unpack_from("<L", changed, place + 20)[0]
        name, extra, comment = struct.unpack_from("<3H", changed, place + 28)
        local = struct.unpack_from("<L", changed, place + 42)[0]
        first = local + 30 + sum(struct.unpack_from("<2H", changed, local + 26))
        checksum = zlib.crc32(changed[first : first + size])
        struct.pack_into("<L", changed, local + 14, checksum)
        struct.pack_into("<L", changed, place + 16, checksum)
        place += 46 + name + extra + comment
    return bytes(changed)


def offset_of(data: bytes, name: str) -> int:
    """Where the content of a member begins."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        local = archive.getinfo(name).header_offset
    return local + 30 + sum(struct.unpack_from("<2H", data, local + 26))


# Archives


def central(data: bytes, name: str, offset: int, content: bytes) -> bytes:
    """Writes into the directory entry of a member, `offset` bytes after its start."""
    end = struct.unpack_from("<L", data, len(data) - 6)[0]
    place = data.index(name.encode(), end) - 46
    return data[: place + offset] + content + data[place + offset + len(content) :]


def archives(data: bytes) -> dict[str, bytes]:
    contents = members(data)
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        for name in (METADATA, CONFIG, WEIGHTS):
            archive.writestr(name, contents[name])
        archive.fp.flush()
        archive.NameToInfo.clear()
        archive.writestr(CONFIG, contents[CONFIG])
    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as archive:
        for name in (METADATA, CONFIG):
            archive.writestr(name, contents[name])
        info = zipfile.ZipInfo(WEIGHTS)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    without = {name: content for name, content in contents.items() if name != WEIGHTS}
    where = struct.pack("<L", 0)
    return {
        "a fourth member": pack(contents | {"assets/vocabulary.txt": b"a"}),
        "another fourth member": pack(contents | {"run.py": b"print()"}),
        "a member is missing": pack(without),
        "a path upwards": pack(without | {"../model.weights.h5": contents[WEIGHTS]}),
        "an absolute path": pack(without | {"/tmp/model.weights.h5": contents[WEIGHTS]}),
        "weights as npz": pack(without | {"model.weights.npz": b""}),
        "the same name twice": twice.getvalue(),
        "a symbolic link": link.getvalue(),
        "compressed": pack(contents, zipfile.ZIP_DEFLATED),
        "a bomb of JSON": pack(
            contents | {METADATA: b'{"a": "' + b" " * 200_000_000 + b'"}'}, zipfile.ZIP_DEFLATED
        ),
        "too much JSON": pack(contents | {METADATA: b'"' + b" " * 2**22 + b'"'}),
        "encrypted": central(data, CONFIG, 8, b"\1\0"),
        "overlapping": central(data, CONFIG, 42, where),
        "another name in the member's head": data.replace(CONFIG.encode(), b"CONFIG.JSON", 1),
        "a size beyond the file": central(data, WEIGHTS, 20, struct.pack("<2L", 2**31, 2**31)),
        "a comment after the end": data[:-2] + struct.pack("<H", 4) + b"PK\5\6",
        "bytes before the start": b"#!/bin/sh\n" + data,
        "a member too few in the end record": data[:-12] + struct.pack("<H", 2) + data[-10:],
    }


# Networks


def calling(module: str, function: str) -> dict[str, Any]:
    """A network that calls a function of Keras when it is built."""
    called = an_object(module, "function", function, registered_name=function)
    return sequential(layer("Lambda", function=called))


def _dense(change: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def edit(config: dict[str, Any]) -> None:
        layers(config, "Dense")[0]["config"].update(copy.deepcopy(change))

    return edit


def foreign_networks(data: bytes) -> dict[str, bytes]:
    """What safe mode lets pass, and its kin."""
    download = an_object(
        "keras.datasets.imdb", "function", "load_data", registered_name="load_data"
    )
    changes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "Lambda of an exported function": lambda _: calling("keras.config", "set_backend"),
        "a function as activation": _dense({"activation": download}),
        "an unknown activation": _dense({"activation": "my_activation"}),
        "a TFSMLayer as activation": _dense(
            {"activation": an_object("keras.layers", "TFSMLayer", {"filepath": "/tmp/x"})}
        ),
        "an application as initialiser": _dense(
            {"kernel_initializer": an_object("keras.applications", "VGG16", {"weights": "/tmp/x"})}
        ),
        "an unknown initialiser": _dense({"kernel_initializer": "from_file"}),
        "a lambda as regulariser": _dense({"kernel_regularizer": an_object(None, "__lambda__")}),
        "a typespec": _dense({"bias_constraint": an_object("os", "__typespec__", [1])}),
        "a quantised type": _dense({"dtype": "int8_from_float32"}),
        "an array of texts": _dense(
            {"bias_constraint": an_object(None, "__numpy__", {"value": ["a"], "dtype": "U99999"})}
        ),
        "a registered name": lambda config: layers(config, "Dense")[0].update(
            registered_name="evil>Dense"
        ),
        "a private module": lambda config: layers(config, "Dense")[0].update(
            module="keras.src.layers.core.dense"
        ),
        "no module": lambda config: layers(config, "Dense")[0].update(module=None),
        "a table of words": lambda config: layers(config, "Flatten")[0].update(
            class_name="StringLookup"
        ),
        "an unrolled layer": lambda config: layers(config, "Flatten")[0].update(
            class_name="LSTM", config={"name": "lstm", "units": 2, "unroll": True}
        ),
        "a layer that remembers": lambda config: layers(config, "Flatten")[0].update(
            class_name="LSTM", config={"name": "lstm", "units": 2, "stateful": True}
        ),
        "a model of another class": lambda config: config.update(
            module="my_package", class_name="MyModel"
        ),
    }
    return {name: with_config(data, change) for name, change in changes.items()}


def _chain(number: int) -> dict[str, Any]:
    return sequential(*(layer("Flatten", name=f"f{index}") for index in range(number)))


def _backwards(number: int) -> dict[str, Any]:
    """A chain of layers, the last first: Keras goes through all of them again for each."""
    names = ["input", *(f"r{index}" for index in range(number))]
    chain = [
        layer("ReLU", name=name) | {"name": name, "inbound_nodes": [call(tensor(before))]}
        for before, name in itertools.pairwise(names)
    ]
    return functional([*reversed(chain), input_layer()], names[-1])


def _doubling(levels: int, times: int) -> dict[str, Any]:
    """A model that calls a model several times, which calls a model several times, …"""
    inner = layer("ReLU")
    for level in range(levels):
        name = f"m{level}"
        calls = [call(tensor("input")), *(call(tensor(name, n)) for n in range(times - 1))]
        inner = functional([input_layer(), inner | {"name": name, "inbound_nodes": calls}], name)
    return inner


def _nested(depth: int) -> dict[str, Any]:
    model = sequential(layer("Flatten"))
    for _ in range(depth):
        model = sequential(model)
    return model


def large_networks(data: bytes) -> dict[str, bytes]:
    """Small files that ask for much: memory, time, or a place beyond all numbers."""
    shared = {"shared_object_id": 7}
    networks = {
        "units": sequential(layer("Dense", units=60_000_000)),
        "units not in the file": sequential(
            layer("Conv2D", filters=16_000_000, kernel_size=3), shape=IMAGE
        ),
        "input": sequential(layer("Flatten"), shape=(None, 10**6, 10**6, 3)),
        "input beyond numbers": sequential(layer("Flatten"), shape=(None, 2**62, 2**62, 3)),
        "up-sampling": sequential(
            *(layer("UpSampling2D", size=[1000, 1000], name=f"u{n}") for n in range(9)),
            shape=IMAGE,
        ),
        "padding": sequential(layer("ZeroPadding2D", padding=60_000), shape=IMAGE),
        "padding beyond": sequential(layer("ZeroPadding2D", padding=10**12), shape=IMAGE),
        "resizing": sequential(layer("Resizing", height=65_000, width=65_000), shape=IMAGE),
        "repeated": sequential(layer("RepeatVector", n=50_000_000)),
        "layers": _chain(6000),
        "layers in the wrong order": _backwards(200),
        "calls of a model within a model": _doubling(5, 9),
        "models within models": _nested(9),
        "a shared object in two ways": sequential(
            layer("Dense", units=2) | shared, layer("Flatten") | shared
        ),
        "a model as argument": sequential(layer("Dense", units=2, bias_constraint=_chain(3))),
        "deep": an_object("keras", "Sequential", {"layers": [], "name": _deep(500)}),
        "a number without end": sequential(layer("Dense", units=10**300)),
    }
    return {
        name: with_member(data, CONFIG, json.dumps(network).encode())
        for name, network in networks.items()
    } | {
        "deeper than Python": with_member(data, CONFIG, b"[" * 200_000 + b"]" * 200_000),
        "digits": with_member(data, CONFIG, b"1" * 100_000),
        "not a number": with_member(data, CONFIG, b'{"config": {"a": NaN}}'),
        "infinity": with_member(data, CONFIG, b'{"config": {"a": 1e999}}'),
        "nothing": with_member(data, CONFIG, b"null"),
        "no JSON": with_member(data, CONFIG, b"\xff\xfe\x00{"),
        "a long text": with_member(data, CONFIG, b'{"config": {"a": "' + b"x" * 10_000 + b'"}}'),
    }


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


# Weights


def weights_files(data: bytes) -> dict[str, bytes]:
    """HDF5 files that name other files, or claim more than they hold."""
    kernel = "layers/dense/vars/0"

    def replaced(make: Callable[[h5py.Group], Any]) -> bytes:
        def change(file: h5py.File) -> None:
            del file[kernel]
            make(file["layers/dense/vars"])

        return with_weights(data, change)

    def linked(link: Any) -> bytes:
        def make(group: h5py.Group) -> None:
            group["0"] = link

        return replaced(make)

    def stored(**settings: Any) -> bytes:
        return replaced(lambda group: group.create_dataset("0", **settings))

    def virtual(group: h5py.Group) -> None:
        layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4,))
        group.create_virtual_dataset("0", layout)

    def same(group: h5py.Group) -> None:
        group["0"] = group["1"]

    def circle(group: h5py.Group) -> None:
        group["0"] = group.parent

    return {
        "a soft link": linked(h5py.SoftLink("/layers")),
        "an external link": linked(h5py.ExternalLink("/etc/passwd", "/")),
        "values in another file": stored(shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)]),
        "a virtual array": replaced(virtual),
        "compressed values": stored(data=np.zeros(1000), compression="gzip"),
        "values in chunks": stored(data=np.zeros(1000), chunks=(10,)),
        "an array that can grow": stored(shape=(4,), maxshape=(None,), dtype="f4"),
        "512 MiB that are not there": stored(shape=(2**27,), dtype="f4"),
        "texts": stored(data="text", dtype=h5py.string_dtype()),
        "records": stored(shape=(2,), dtype=[("a", "f4"), ("b", "f4")]),
        "the same array twice": replaced(same),
        "a circle of groups": replaced(circle),
        "an attribute that is a number": with_weights(
            data, lambda file: file["layers"].attrs.__setitem__("a", 3)
        ),
        "the newer format": _newer(data),
        "no HDF5": with_member(data, WEIGHTS, b"weights"),
        "nothing at all": with_member(data, WEIGHTS, b""),
    }


def _newer(data: bytes) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w", libver="latest") as weights:
        weights["layers/dense/vars/0"] = np.zeros(4)
    return with_member(data, WEIGHTS, file.getvalue())


def endless_list(data: bytes) -> bytes:
    """A list of free space that leads back to itself: h5py follows it until memory is full."""
    content = members(data)[WEIGHTS]
    heap = content.index(b"HEAP")
    start, size = struct.unpack_from("<Q", content, heap + 24)[0], 16
    changed = bytearray(content)
    struct.pack_into("<Q", changed, heap + 16, 32)
    struct.pack_into("<2Q", changed, start + 32, 32, size)
    return with_member(data, WEIGHTS, bytes(changed))
