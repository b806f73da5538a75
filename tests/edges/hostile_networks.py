"""Small model files that ask for much, each kind planted in each place where a layer can be.

A generator, not a collection: `hostile_files(data)` yields the name of a kind, of a place, and the
bytes of a file, made from those of an ordinary file. `python tests/edges/hostile_networks.py
[FOLDER …]` tries all of them and prints what they took, for the imgclf that is imported.
"""

from __future__ import annotations

import copy
import io
import itertools
import json
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
from keras_file_making import (
    CONFIG,
    IMAGE,
    METADATA,
    WEIGHTS,
    an_object,
    call,
    called,
    constant,
    functional,
    input_layer,
    layer,
    members,
    sequential,
    tensor,
    with_member,
)

Network = dict[str, Any]
SIDE = 2**13


def hostile_files(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yields (kind, place, bytes of a file)."""
    networks = itertools.chain(_planted(), _calls_of_constants(), _broadcasts(), _slow_networks())
    for kind, place, network in networks:
        yield kind, place, with_member(data, CONFIG, json.dumps(network).encode())
    for kind, place, content in itertools.chain(_slow_members(data), _polyglots(data)):
        yield kind, place, content


# Layers that ask for memory


def _greedy_layers() -> dict[str, Network]:
    """Layers for images of 8×8×3 that would make weights of gigabytes."""
    built = {"build_config": {"input_shape": [None, 8, 8, 2**20]}}
    cell = layer("LSTMCell", units=2**15)
    float8 = an_object(
        "keras.dtype_policies",
        "QuantizedFloat8DTypePolicy",
        {"mode": "float8", "source_name": "float32", "amax_history_length": 2**24},
    )
    int8 = an_object(
        "keras.dtype_policies",
        "QuantizedDTypePolicy",
        {"mode": "int8", "source_name": "float32"},
    )
    return {
        "Dense": layer("Dense", units=2**24),
        "Dense of LoRA": layer("Dense", units=2, lora_rank=2**24),
        "Dense of float8": layer("Dense", units=2, dtype=float8),
        "Dense of int8": layer("Dense", units=2**24, dtype=int8) | built,
        "Conv2D": layer("Conv2D", filters=2**24, kernel_size=3),
        "Conv2D of LoRA": layer("Conv2D", filters=2, kernel_size=3, lora_rank=2**24),
        "Conv2D of a large kernel": layer("Conv2D", filters=2, kernel_size=4096, padding="same"),
        "Conv2DTranspose": layer("Conv2DTranspose", filters=2**24, kernel_size=3),
        "DepthwiseConv2D": layer("DepthwiseConv2D", kernel_size=3, depth_multiplier=2**22),
        "SeparableConv2D": layer("SeparableConv2D", filters=2**24, kernel_size=3),
        "EinsumDense": layer("EinsumDense", equation="abcd,de->abce", output_shape=[8, 8, 2**24]),
        "Embedding": layer("Embedding", input_dim=2**24, output_dim=2**10),
        "ReversibleEmbedding": layer("ReversibleEmbedding", input_dim=2**24, output_dim=2**10),
        "PReLU": layer("PReLU") | {"build_config": {"input_shape": [None, SIDE, SIDE, 4]}},
        "BatchNormalization": layer("BatchNormalization")
        | {"build_config": {"input_shape": [None, 2**24]}},
        "LayerNormalization": layer("LayerNormalization", axis=[1, 2, 3])
        | {"build_config": {"input_shape": [None, SIDE, SIDE, 4]}},
        "Normalization": layer("Normalization", axis=[1, 2, 3])
        | {"build_config": {"input_shape": [None, SIDE, SIDE, 4]}},
        "ConvLSTM2D": layer("ConvLSTM2D", filters=2**20, kernel_size=3)
        | {"build_config": {"input_shape": [None, 2, 8, 8, 3]}},
        "LSTM": layer("LSTM", units=2**15) | {"build_config": {"input_shape": [None, 8, 2**15]}},
        "GRU": layer("GRU", units=2**15) | {"build_config": {"input_shape": [None, 8, 2**15]}},
        "RNN": layer("RNN", cell=cell) | {"build_config": {"input_shape": [None, 8, 2**15]}},
        "MultiHeadAttention": layer("MultiHeadAttention", num_heads=2**12, key_dim=2**12)
        | {
            "build_config": {
                "shapes_dict": {"query_shape": [None, 8, 512], "value_shape": [None, 8, 512]}
            }
        },
        "SpectralNormalization": layer(
            "SpectralNormalization", layer=layer("Conv2D", filters=2**24, kernel_size=3)
        ),
        "Bidirectional": layer(
            "Bidirectional", layer=layer("LSTM", units=2**15), merge_mode="concat"
        )
        | {"build_config": {"input_shape": [None, 8, 2**15]}},
    }


def _huge_tensors() -> dict[str, Network]:
    """Layers for images of 8×8×3 whose output for one image would be gigabytes."""
    return {
        "UpSampling2D": layer("UpSampling2D", size=[SIDE, SIDE]),
        "ZeroPadding2D": layer("ZeroPadding2D", padding=[[2**15, 2**15], [2**15, 2**15]]),
        "Resizing": layer("Resizing", height=2**16, width=2**16),
        "AdaptiveAveragePooling2D": layer("AdaptiveAveragePooling2D", output_size=[2**16, 2**16]),
        "keras.ops.tile": an_object(
            "keras.src.ops.numpy", "Tile", {"name": "tile", "repeats": [1, SIDE, SIDE, 1]}
        ),
        "keras.ops.pad": an_object(
            "keras.src.ops.numpy",
            "Pad",
            {"name": "pad", "pad_width": [[0, 0], [2**15, 2**15], [2**15, 2**15], [0, 0]]},
        ),
        "keras.ops.resize": an_object(
            "keras.src.ops.image", "Resize", {"name": "resize", "size": [2**16, 2**16]}
        ),
        "keras.ops.broadcast_to": an_object(
            "keras.src.ops.numpy", "BroadcastTo", {"name": "b", "shape": [2**24, 8, 8, 3]}
        ),
        "keras.ops.repeat": an_object(
            "keras.src.ops.numpy", "Repeat", {"name": "r", "repeats": 2**24, "axis": 1}
        ),
        "keras.ops.one_hot": an_object(
            "keras.src.ops.nn", "OneHot", {"name": "o", "num_classes": 2**24}
        ),
    }


def _places(one: Network) -> dict[str, Network]:
    """Networks for images that hold a layer, each in another place."""
    one = copy.deepcopy(one)
    name = one["config"]["name"]
    through = called(one, call(tensor("input", shape=IMAGE)))
    graph = functional([input_layer(IMAGE), through], name, name="inner")
    built = {"build_config": {"input_shape": list(IMAGE)}} | one
    layers = [input_layer(IMAGE), called(layer("ReLU"), call(tensor("input", shape=IMAGE)))]
    return {
        "alone": sequential(one, shape=IMAGE),
        "between others": sequential(layer("ReLU"), one, layer("Flatten"), shape=IMAGE),
        "in a graph": functional([input_layer(IMAGE), through], name),
        "not called": functional([*layers, called(built)], "relu"),
        "called twice": functional(
            [input_layer(IMAGE), called(one, *[call(tensor("input", shape=IMAGE))] * 2)], name
        ),
        "in a model in a model": sequential(
            sequential(sequential(one, shape=IMAGE, name="b"), shape=IMAGE, name="a"), shape=IMAGE
        ),
        "in a graph in a graph": functional(
            [input_layer(IMAGE), called(graph, call(tensor("input", shape=IMAGE)))], "inner"
        ),
        "in a TimeDistributed": sequential(
            layer("TimeDistributed", layer=built), shape=(None, 2, 8, 8, 3)
        ),
        "in a model in a TimeDistributed": sequential(
            layer("TimeDistributed", layer=sequential(one, shape=IMAGE, name="b")),
            shape=(None, 2, 8, 8, 3),
        ),
        "in a Pipeline": sequential(layer("Pipeline", layers=[one]), shape=IMAGE),
        "as a constraint": sequential(layer("Dense", units=2, bias_constraint=built), shape=IMAGE),
        "as an activation": sequential(layer("Activation", activation=built), shape=IMAGE),
        "without the shape of the model": _without_shape(sequential(one, shape=IMAGE)),
    }


def _without_shape(model: Network) -> Network:
    del model["config"]["build_input_shape"]
    return model


def _planted() -> Iterator[tuple[str, str, Network]]:
    for what, layers in (("weights", _greedy_layers()), ("tensors", _huge_tensors())):
        for name, one in layers.items():
            for place, network in _places(one).items():
                yield f"{what} without end", f"{name} {place}", network


# What Keras would compute at once


def _calls_of_constants() -> Iterator[tuple[str, str, Network]]:
    """Calls without the output of another layer, which Keras runs as it connects the layers."""
    hidden = {
        "class_name": "__slice__",
        "config": {"start": tensor("input"), "stop": None, "step": None},
    }
    values = constant(1, 2, 3)
    calls = {
        "an array": call(values),
        "a tensor": call(constant(1, 2, 3, kind="__tensor__")),
        "a number": call(3.0),
        "a list of arrays": call([values, values]),
        "an array by name": {"args": [], "kwargs": {"inputs": values}},
        "an array beside nothing": call(values, mask=None),
        "a tensor within a slice": call(values, hidden),
        "nothing": call(),
    }
    one = layer("RepeatVector", n=2**16, name="one")
    tile = an_object("keras.src.ops.numpy", "Tile", {"name": "one", "repeats": [2**24]})
    for name, node in calls.items():
        for other in (one, tile):
            add = called(layer("Add"), call([tensor("input"), tensor("one")]))
            graph = functional([input_layer(), called(other, node), add], "add", name="inner")
            kind = "calls of constants"
            yield kind, f"{name}, {other['class_name']}", graph
            yield (
                kind,
                f"{name}, {other['class_name']} not used",
                functional(
                    [
                        input_layer(),
                        called(other, node),
                        called(layer("ReLU"), call(tensor("input"))),
                    ],
                    "relu",
                ),
            )
            yield (
                kind,
                f"{name}, {other['class_name']} after a good call",
                functional([input_layer(), called(other, call(tensor("input")), node)], "one"),
            )
            yield kind, f"{name}, {other['class_name']} in a model", sequential(graph)
            yield (
                kind,
                f"{name}, {other['class_name']} in a TimeDistributed",
                sequential(layer("TimeDistributed", layer=graph), shape=(None, 2, 8)),
            )


def _broadcasts() -> Iterator[tuple[str, str, Network]]:
    """`Normalization` with given numbers, which it spreads over its shape; and wrong shapes."""
    huge = [None, SIDE, SIDE, 4]
    shapes = {
        "three sides": (huge, [1, 2, 3]),
        "nine sides": ([None] + [16] * 7 + [4], [1, 2, 3, 4, 5, 6, 7, 8]),
        "many sides": ([2] * 28, list(range(28))),
        "negative sides": ([-1, SIDE, -SIDE, 4], [1, 2, 3]),
        "one long side": ([None, 2**24], -1),
        "no channels": ([2**24], 0),
        "sides that are no numbers": ([None, "8192", 8192], [1, 2]),
        "fractions": ([None, 8192.0, 8192.5], [1, 2]),
        "the same axis twice": ([None, 2**24], [1, 1, -1]),
    }
    for name, (shape, axis) in shapes.items():
        for number, mean in (("a number", 0.0), ("a list", [0.0])):
            one = layer("Normalization", mean=mean, variance=mean, axis=axis)
            one |= {"build_config": {"input_shape": shape}}
            for place, network in _places(one).items():
                yield "broadcasts", f"{name}, {number}, {place}", network
    few = layer("Normalization", mean=0.0, variance=1.0, axis=[1, 2, 3])
    many = [layer("UpSampling2D", size=[512, 512]), few]
    yield "broadcasts", "after up-sampling", sequential(*many, shape=IMAGE)
    copies = [
        few
        | {"config": few["config"] | {"name": f"n{number}"}}
        | {"build_config": {"input_shape": [None, 1024, 256, 3]}}
        for number in range(100)
    ]
    yield (
        "broadcasts",
        "a hundred small ones",
        functional(
            [input_layer(), *map(called, copies), called(layer("ReLU"), call(tensor("input")))],
            "relu",
        ),
    )
    remembering = layer("LSTM", units=2**12, stateful=True, return_sequences=True)
    yield "broadcasts", "states of a batch", sequential(remembering, shape=(2**20, 4, 1))


# What takes long


def _slow_networks() -> Iterator[tuple[str, str, Network]]:
    def conv(number: int) -> Network:
        return layer("Conv2D", filters=1, kernel_size=1, name=f"c{number}")

    def relu(number: int) -> Network:
        return layer("ReLU", name=f"r{number}")

    inner = layer("LSTM", units=1, return_sequences=True)
    for number in range(18):
        inner = layer("Bidirectional", layer=inner, name=f"b{number}", return_sequences=True)
    timed = layer("Dense", units=1)
    for number in range(18):
        timed = layer("TimeDistributed", layer=timed, name=f"t{number}")
    attention = [
        called(
            layer("MultiHeadAttention", num_heads=1, key_dim=1, name=f"m{number}"),
            call(tensor("input", shape=(None, 8, 1)), tensor("input", shape=(None, 8, 1))),
        )
        for number in range(1500)
    ]
    one, start = tensor("input"), input_layer()
    networks = {
        "convolutions in a row": sequential(*map(conv, range(3000)), shape=IMAGE),
        "layers in a row": sequential(*map(relu, range(6000))),
        "layers side by side": functional(
            [start, *(called(relu(number), call(one)) for number in range(9000))], "r0"
        ),
        "dense layers side by side": functional(
            [
                start,
                *(
                    called(layer("Dense", units=1, name=f"d{number}"), call(one))
                    for number in range(4000)
                ),
            ],
            "d0",
        ),
        "calls of one layer": functional([start, called(relu(0), *[call(one)] * 20_000)], "r0"),
        "attention": functional([input_layer((None, 8, 1)), *attention], "m0"),
        "random layers": sequential(
            *(layer("RandAugment", name=f"a{number}") for number in range(1000)), shape=IMAGE
        ),
        "cells": sequential(
            layer(
                "RNN",
                cell=layer(
                    "StackedRNNCells",
                    cells=[layer("GRUCell", units=1, name=f"g{number}") for number in range(4000)],
                ),
            ),
            shape=(None, 4, 1),
        ),
        "a layer of copies of copies": sequential(inner, shape=(None, 4, 1)),
        "a layer in a layer": sequential(timed, shape=(None, 4, 1)),
        "a pipeline": sequential(layer("Pipeline", layers=list(map(relu, range(6000))))),
        "an unrolled layer": sequential(
            layer("LSTM", units=1, unroll=True), shape=(None, 2**16, 1)
        ),
        "outputs": functional(
            [start, called(relu(0), call(one))], "r0", output_layers=[["r0", 0, 0]] * 90_000
        ),
    }
    for name, network in networks.items():
        yield "slow networks", name, network


def _slow_members(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    size = 2**22
    texts = {
        "lists": b"[" + b"[]," * (size // 3 - 2) + b"1]",
        "deep lists": b"[" + b"[[[[[1]]]]]," * (size // 12 - 2) + b"1]",
        "numbers": b"[" + b"1," * (size // 2 - 3) + b"1]",
        "objects": b"[" + b'{"a":1},' * (size // 8 - 2) + b"1]",
        "keys": b"{" + b",".join(b'"%x":1' % n for n in range(390_000)) + b"}",
    }
    for name, text in texts.items():
        for member in (METADATA, CONFIG):
            yield "slow members", f"{name} in {member}", with_member(data, member, text)
    yield "slow members", "groups", with_member(data, WEIGHTS, _groups(26_000))


def _groups(number: int) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        for outer in range(number // 50):
            group = weights.create_group(f"layers/{outer}")
            for inner in range(49):
                group.create_group(f"{inner}")
    return file.getvalue()


# Archives that are something else, too


def _polyglots(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    contents = members(data)
    for name, content in _other_archives(data).items():
        yield "polyglots", name, content
    for member in (METADATA, CONFIG):
        text = contents[member]
        twice = {
            "first key twice": b'{"class_name": 1, "keras_version": 1,' + text[1:],
            "last key twice": text[:-1] + b',"module": "x", "keras_version": "0"}',
            "a key twice deeper": text[:-1] + b',"a": {"b": [{"c": 1, "c": 2}]}}',
            "a key written in two ways": text[:-1] + b',"a": 1, "\\u0061": 2}',
        }
        for name, changed in twice.items():
            yield "polyglots", f"{name} in {member}", with_member(data, member, changed)


def _other_archives(data: bytes) -> dict[str, bytes]:
    listed = _directory(data)
    changed = {
        f"{name} of {member}": _own_head(data, header, *change)
        for member, header in listed.items()
        for name, change in _HEAD.items()
    }
    changed = {name: other for name, other in changed.items() if other != data}
    script = b"#!/bin/sh\nexit 0\n"
    extra = struct.pack("<2H", 0xCAFE, 20) + b"x" * 20
    return changed | {
        "a script before the archive": _shifted(data, 0, script),
        "bytes between members": _shifted(data, listed[CONFIG], script),
        "bytes before the directory": _shifted(data, _start(data), script),
        "bytes after the archive": data + script,
        "a comment of the archive": data[:-2] + struct.pack("<H", len(script)) + script,
        "another archive before it": _shifted(data, 0, data),
        "an unknown extra field": _with_info(data, extra=extra),
        "a long extra field": _with_info(data, extra=struct.pack("<2H", 0x5455, 500) + b"x" * 500),
        "a cut extra field": _with_info(data, extra=b"UT\xff\0x"),
        "a comment of a member": _with_info(data, comment=script),
        "a second disk": data[:-18] + struct.pack("<H", 1) + data[-16:],
        "fewer members on this disk": data[:-14] + struct.pack("<H", 2) + data[-12:],
    }


# By what is changed in a member's own header: where, and what is written there.
_HEAD = {
    "another flag": (6, b"\0\x08"),
    "another method": (8, b"\x08\0"),
    "another time": (10, b"\xff\x7f"),
    "another date": (12, b"\x22\x11"),
    "another checksum": (14, b"1234"),
    "another packed size": (18, b"\1\0\0\0"),
    "another size": (22, b"\1\0\0\0"),
    "a size elsewhere": (18, b"\xff" * 8),
}


def _start(data: bytes) -> int:
    """Where the directory begins."""
    return int(struct.unpack_from("<L", data, len(data) - 6)[0])


def _directory(data: bytes) -> dict[str, int]:
    """Where each member's header is."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: info.header_offset for info in archive.infolist()}


def _own_head(data: bytes, header: int, place: int, content: bytes) -> bytes:
    place += header
    return data[:place] + content + data[place + len(content) :]


def _shifted(data: bytes, place: int, content: bytes) -> bytes:
    """The archive with bytes in it that belong to no member; its directory is right again."""
    changed = bytearray(data[:place] + content + data[place:])
    start = _start(data) + len(content)
    struct.pack_into("<L", changed, len(changed) - 6, start)
    for _ in range(3):
        header = struct.unpack_from("<L", changed, start + 42)[0]
        if header >= place:
            struct.pack_into("<L", changed, start + 42, header + len(content))
        start += 46 + sum(struct.unpack_from("<3H", changed, start + 28))
    return bytes(changed)


def _with_info(data: bytes, **settings: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members(data).items():
            info = zipfile.ZipInfo(name)
            for key, value in settings.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return file.getvalue()
