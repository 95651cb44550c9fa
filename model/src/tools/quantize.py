"""Quantises a model for `afferent model quantize`: a JSON object on stdin says how, one on stdout what came of it."""
import collections
import json
import logging
import os
import sys

logging.disable(logging.WARNING)
asked = json.load(sys.stdin)
notes = []


def end(**what):
    print(json.dumps(what), flush=True)
    sys.exit(0)


try:
    import numpy as np
    import onnx
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process
except ImportError as error:
    end(missing=str(error))

source, prepared = asked["model"], os.path.join(asked["folder"], "prepared.onnx")
try:
    # Shapes known and constants folded: else many nodes are passed over. Shapes with symbols want sympy.
    try:
        import sympy  # noqa: F401

        symbols = False
    except ImportError:
        symbols = True
    quant_pre_process(source, prepared, skip_symbolic_shape=symbols)
    source = prepared
except Exception as error:
    notes.append(f"the shapes inside the model could not be inferred: {str(error).strip().splitlines()[0][:200]}")


class Questions(q.CalibrationDataReader):
    """Runs of the calibration data, as raw numbers lie in the files."""

    def __init__(self):
        self.at = 0
        self.inputs = {
            each["name"]: np.fromfile(each["file"], each["type"]).reshape([asked["runs"], *each["shape"]])
            for each in asked["inputs"]
        }

    def get_next(self):
        if self.at == asked["runs"]:
            return None
        self.at += 1
        return {name: values[self.at - 1] for name, values in self.inputs.items()}


def counts(path):
    model = onnx.load(path, load_external_data=False)
    return collections.Counter(node.op_type for node in model.graph.node), model


before, model = counts(source)
ops = asked["ops"] or None
opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
if opset < 11 or (asked["static"] and asked["per_channel"] and opset < 13):
    # Per channel, (De)QuantizeLinear has an axis from opset 13 on.
    try:
        onnx.save(onnx.version_converter.convert_version(model, 13), prepared)
        source = prepared
        notes.append(f"opset {opset} was made 13")
    except Exception as error:
        end(failed=f"its opset {opset} cannot be made 13: {str(error).strip().splitlines()[-1][:300]}")
shared = dict(op_types_to_quantize=ops, per_channel=asked["per_channel"], reduce_range=asked["reduce_range"])
try:
    if asked["static"]:
        q.quantize_static(
            source,
            asked["out"],
            Questions(),
            quant_format=q.QuantFormat.QDQ,
            activation_type=q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            calibrate_method=q.CalibrationMethod[asked["calibration"]],
            **shared,
        )
    else:
        q.quantize_dynamic(source, asked["out"], weight_type=q.QuantType.QInt8, **shared)
except Exception as error:
    end(failed=f"{type(error).__name__}: {str(error).strip()[:600]}")
after, _ = counts(asked["out"])
made = {op: n - before[op] for op, n in after.items() if n > before[op]}
end(made=made, before=dict(before), notes=notes)
