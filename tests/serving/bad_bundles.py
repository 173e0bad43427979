"""Bundles that must not be served, each bad in a way of its own, in a registry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from pydantic import SecretStr
from pymongo.database import Database

from cryptobot.features import FEATURE_SET
from cryptobot.serving import registry
from cryptobot.serving.bundle import write_bundle
from cryptobot.serving.manifest import FeatureSchema
from tests.serving.bundles import CREATED_AT, KEY, forest_onnx, golden_rows, manifest
from tests.serving.models import add_model

Db = Database[dict[str, Any]]

WIDTH = len(FEATURE_SET.names)
ENDLESS, GREEDY = 2**60, 0


@lru_cache
def graph(times: int, floats: int = 1) -> bytes:
    """Return a model of the right shape that first goes round ``times`` times, or holds many ``floats``."""
    constant = {
        name: numpy_helper.from_array(np.array(value), name)
        for name, value in (("times", np.int64(times)), ("yes", np.True_), ("zero", np.float32([0.0])))
    }
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["was", "one"], ["is"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("was", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("is", TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(np.float32([1.0]), "one")],
    )
    held = numpy_helper.from_array(np.int64([floats]), "shape")
    nodes = [
        helper.make_node("Loop", ["times", "yes", "zero"], ["rounds"], body=body),
        helper.make_node("ConstantOfShape", ["shape"], ["held"]),
        helper.make_node("ReduceSum", ["held"], ["sum"], keepdims=1),
        helper.make_node("ReduceSum", ["features"], ["all"], keepdims=1),
        helper.make_node("Add", ["all", "rounds"], ["some"]),
        helper.make_node("Add", ["some", "sum"], ["probabilities"]),
    ]
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])
    out = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)
    made = helper.make_graph(nodes, "slow", [features], [out], [*constant.values(), held])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


@lru_cache
def giving_maps() -> bytes:
    """Return a model whose probabilities are a sequence of maps, as classifiers are exported by default."""
    node = helper.make_node(
        "ZipMap", ["features"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=range(WIDTH)
    )
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])
    number = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.INT64, number))
    out = helper.make_value_info("probabilities", maps)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_graph([node], "maps", [features], [out])
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())


def add_signed(
    database: Db, number: int, model: bytes | None = None, key: SecretStr = KEY, **changes: Any
) -> str:
    """Add a challenger that is signed as it should be, unless ``key`` is another, and is bad within."""
    fields = {"created_at": CREATED_AT + timedelta(minutes=number), "golden_rows": golden_rows(number % 5)}
    made, bundle = write_bundle(
        manifest(**{**fields, **changes}), {"random_forest": model or forest_onnx(number % 5)}, key
    )
    return registry.add_challenger(database, made.document(), bundle)


def _tampered(database: Db, number: int) -> str:
    return add_model(database, number, tamper=True)


def _unsigned(database: Db, number: int) -> str:
    return add_signed(database, number, key=SecretStr("another"))


def _cut_short(database: Db, number: int) -> str:
    version = add_model(database, number)
    database["bundles.chunks"].delete_one({"files_id": version, "n": 0})
    return version


def _absent(database: Db, number: int) -> str:
    version = add_model(database, number)
    database["bundles.files"].delete_one({"_id": version})
    return version


def _huge(database: Db, number: int) -> str:
    version = add_model(database, number)
    database["bundles.files"].update_one({"_id": version}, {"$set": {"length": 2**40}})
    return version


def _other_schema(database: Db, number: int) -> str:
    names = FEATURE_SET.names[::-1]
    return add_signed(database, number, feature_set=FeatureSchema(version=FEATURE_SET.version, names=names))


def _no_model(database: Db, number: int) -> str:
    return add_signed(database, number, b"no model")


def _wrong_answers(database: Db, number: int) -> str:
    wrong = [row.model_copy(update={"probabilities": (0.9, 0.05, 0.05)}) for row in golden_rows()]
    return add_signed(database, number, golden_rows=tuple(wrong))


def _ragged_rows(database: Db, number: int) -> str:
    first, *others = golden_rows()
    short = first.model_copy(update={"features": first.features[:-1]})
    return add_signed(database, number, golden_rows=(short, *others))


def _ragged_answers(database: Db, number: int) -> str:
    first, *others = golden_rows()
    short = first.model_copy(update={"probabilities": first.probabilities[:-1]})
    return add_signed(database, number, golden_rows=(short, *others))


def _maps(database: Db, number: int) -> str:
    return add_signed(database, number, giving_maps())


def _of_another_pair(database: Db, number: int) -> str:
    version = add_signed(database, number, symbol="ETHUSDT", other_symbol="BTCUSDT")
    database.models.update_one({"_id": version}, {"$set": {"symbol": "BTCUSDT"}})
    return version


def _slow(database: Db, number: int) -> str:
    return add_signed(database, number, graph(ENDLESS))


def _greedy(database: Db, number: int) -> str:
    return add_signed(database, number, graph(1, 2**40))


BAD: dict[str, tuple[Callable[[Db, int], str], str]] = {
    "tampered": (_tampered, "signature"),
    "unsigned": (_unsigned, "another key"),
    "cut short": (_cut_short, "no whole bundle"),
    "absent": (_absent, "no whole bundle"),
    "huge": (_huge, "bytes, more than"),
    "other schema": (_other_schema, "train again"),
    "no model": (_no_model, "cannot be loaded"),
    "wrong answers": (_wrong_answers, "golden rows differ"),
    "ragged rows": (_ragged_rows, "golden rows cannot be scored"),
    "ragged answers": (_ragged_answers, "golden rows cannot be scored"),
    "maps": (_maps, "golden rows cannot be scored"),
    "of another pair": (_of_another_pair, "holds"),
    "slow": (_slow, "processor time"),
    "greedy": (_greedy, "memory|alloc"),
}
"""How each is added (database, number of the model) as a challenger, and words of why it is refused."""
