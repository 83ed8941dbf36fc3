"""An ONNX graph that is written node by node, its weights straight to a file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from app.local.engine.int8.blocks import BLOCK, quantised

MICROSOFT = "com.microsoft"  # the domain of ONNX Runtime's own operators
PAGE = 4096  # weights begin at a page's boundary, so that they can be mapped
OPSETS = (("", 21), (MICROSOFT, 1))
IR_VERSION = 10
# What products round their inputs to: ONNX Runtime's accuracy levels of float32 and of 8 bits.
EXACT, ROUNDED = 1, 4
SMALL = 1024  # bytes; what is no larger lies in the graph itself


class Graph:
    """Nodes, inputs, outputs and weights. A tensor is known by its name, which what makes it returns."""

    def __init__(self, weights: BinaryIO, accuracy: int = ROUNDED) -> None:
        """`weights` is the open file that the weights are appended to."""
        self._file = weights
        self._accuracy = accuracy
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: list[Any] = []

    def input(self, name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, shape: Sequence[int | str]) -> str:
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def constant(self, array: npt.NDArray[Any]) -> str:
        """A tensor that is part of the model."""
        name = f"constant_{len(self._constants)}"
        array = np.ascontiguousarray(array)
        if array.nbytes <= SMALL:
            self._constants.append(numpy_helper.from_array(array, name))
            return name
        self._file.write(bytes(-self._file.tell() % PAGE))
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor = TensorProto(name=name, data_type=kind, dims=array.shape, data_location=TensorProto.EXTERNAL)
        where = {"location": Path(self._file.name).name, "offset": self._file.tell(), "length": array.nbytes}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        self._file.write(array.data)
        self._constants.append(tensor)
        return name

    def node(self, operator: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        """An operator of ONNX, or with `domain` of another set; returns the name of its first output."""
        made = list(outputs) or [f"{operator}_{len(self._nodes)}"]
        self._nodes.append(helper.make_node(operator, inputs, made, **attributes))
        return made[0]

    def linear(self, x: str, layer: nn.Linear) -> str:
        """`y = x W^T + b` with the layer's weights in 8 bits; `x` is rounded to 8 bits as well, by blocks."""
        steps, scales = quantised(layer.weight)
        inputs = [x, self.constant(steps), self.constant(scales.ravel())]
        if layer.bias is not None:
            inputs += ["", "", self.constant(layer.bias.float().numpy())]
        rows, columns = layer.weight.shape
        return self.node(
            "MatMulNBits",
            *inputs,
            domain=MICROSOFT,
            N=rows,
            K=columns,
            bits=8,
            block_size=BLOCK,
            accuracy_level=self._accuracy,
        )

    def save(self, path: Path, notes: Mapping[str, Any]) -> None:
        """Write the graph. `notes` are kept in it as JSON, under "notes"."""
        graph = helper.make_graph(self._nodes, "decoder", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid(*one) for one in OPSETS]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, {"notes": json.dumps(notes)})
        onnx.save_model(model, path)
