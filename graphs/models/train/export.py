"""Weights as ONNX files: a file a segment, the whole chain in one, and both in int8."""

import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from net import padding

OPSET = 17
# The quantiser asks for a pass that has nothing to do here.
logging.getLogger().setLevel(logging.ERROR)


class Graph:
    """An ONNX graph that grows layer by layer."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def add(self, op, inputs, output=None, **attributes):
        self.count += 1
        output = output or f"{op.lower()}_{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}_{self.count}", **attributes))
        return output

    def weight(self, values):
        self.count += 1
        name = f"weight_{self.count}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def dense(self, x, weight, bias, output=None):
        return self.add("Gemm", [x, self.weight(weight), self.weight(bias)], output)

    def flat(self, x, shape):
        return self.add("Flatten", [x], axis=1) if len(shape) > 1 else x

    def segment(self, x, shape, layers, made, logits=None, hidden=None):
        """The layers of a segment and, with a name for its scores, its head; what the next takes."""
        for number, (layer, (weight, bias)) in enumerate(zip(layers, made), 1):
            if layer[0] == "conv":
                _, channels, taps, stride = layer
                pads = padding(shape[1], taps, stride)
                y = self.add("Conv", [x, self.weight(weight), self.weight(bias)],
                             kernel_shape=[taps], strides=[stride], pads=list(pads))
                shape = (channels, -(-shape[1] // stride))
            else:
                y = self.dense(self.flat(x, shape), weight, bias)
                shape = (layer[1],)
            x = self.add("Relu", [y], hidden if number == len(layers) else None)
        if logits:
            self.dense(self.flat(x, shape), *made[-1], output=logits)
        return x, shape

    def save(self, file, inputs, outputs, doc):
        def value(name, shape):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

        graph = helper.make_graph(self.nodes, file.stem, [value(*i) for i in inputs],
                                  [value(*o) for o in outputs], self.weights, doc_string=doc)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8,
                                  producer_name="afferent")
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, file)


def chain(folder, name, weights, segments, shape, classes, doc, source="piece"):
    """`NAME.onnx`, and for several segments `NAME.1.onnx`, `NAME.2.onnx` and so on.

    A segment gives `logits` and, unless it is the last, what the only input of the next takes. That is
    called `hidden` there; where it leaves a segment that has an input of that name, `hidden_next`.
    """
    whole, x, at, files = Graph(), source, shape, []
    for number, (layers, made) in enumerate(zip(segments, weights), 1):
        is_last = number == len(segments)
        x, after = whole.segment(x, at, layers, made, logits="logits" if is_last else None)
        if len(segments) > 1:
            taken = source if number == 1 else "hidden"
            given = None if is_last else "hidden" if number == 1 else "hidden_next"
            one = Graph()
            one.segment(taken, at, layers, made, "logits", given)
            outputs = [("logits", (classes,))] + ([] if is_last else [(given, after)])
            files.append(folder / f"{name}.{number}.onnx")
            one.save(files[-1], [(taken, at)], outputs, doc)
        at = after
    files.append(folder / f"{name}.onnx")
    whole.save(files[-1], [(source, shape)], [("logits", (classes,))], doc)
    return files


class Pieces(CalibrationDataReader):
    def __init__(self, name, pieces):
        self.left = iter([{name: pieces[at : at + 64]} for at in range(0, len(pieces), 64)])

    def get_next(self):
        return next(self.left, None)


def int8(file, name, pieces, but_first=False):
    """`FILE.int8.onnx`: weights and what flows between layers in eight bits, scaled by these pieces.

    With `but_first` the first layer stays as it is: its inputs may be of sizes that no one scale fits.
    """
    out = file.with_suffix(".int8.onnx")
    layers = [node.name for node in onnx.load(file).graph.node if node.op_type in ("Conv", "Gemm")]
    quantize_static(file, out, Pieces(name, pieces), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    nodes_to_exclude=layers[:1] if but_first else [])
    model = onnx.load(out)
    # The quantiser's own notes say when and where it ran.
    del model.metadata_props[:]
    model.producer_name = "afferent"
    onnx.save(model, out)
    return out


def run(file, name, pieces):
    """What a model gives to these, in portions."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    parts = [session.run(None, {name: pieces[at : at + 256]}) for at in range(0, len(pieces), 256)]
    return [np.concatenate(outputs) for outputs in zip(*parts)]


def guard(file):
    """Makes all scores equal where the input has a NaN: a rectifier would make a number of it, and that a class.

    What a segment hands on becomes NaN then, so that the next says the same.
    """
    model = onnx.load(file)
    graph, source = model.graph, model.graph.input[0]
    if any(node.name.startswith("guard") for node in graph.node):
        return
    outputs = [output.name for output in graph.output]
    for node in graph.node:
        node.output[:] = [f"{name}_unguarded" if name in outputs else name for name in node.output]
        node.input[:] = [f"{name}_unguarded" if name in outputs else name for name in node.input]
    rank = len(source.type.tensor_type.shape.dim)
    add = lambda op, inputs, output, **attributes: graph.node.append(
        helper.make_node(op, inputs, [output], name=f"guard_{op}_{output}", **attributes))
    graph.initializer.append(numpy_helper.from_array(np.arange(1, rank), "guard_axes"))
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "guard_nothing"))
    # 0 of a number, NaN of all else.
    add("Sub", [source.name, source.name], "guard_zeros")
    add("ReduceSum", ["guard_zeros", "guard_axes"], "guard_sum", keepdims=1)
    add("Flatten", ["guard_sum"], "guard_row", axis=1)
    add("IsNaN", ["guard_row"], "guard_is_nan")
    add("Where", ["guard_is_nan", "guard_nothing", "logits_unguarded"], "logits")
    for hidden in outputs[1:]:
        add("Add", [f"{hidden}_unguarded", "guard_sum"], hidden)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)
