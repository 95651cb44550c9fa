"""Small convolutional nets in segments: forward, training, and nothing else.

A segment is a list of layers; a layer is ("conv", channels, taps, stride) or ("dense", numbers), each with a
rectifier behind it. Every segment ends in an exit head, one dense layer to the classes.
"""

import math
import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scale import zscore  # noqa: F401


def init(seed, segments, shape, classes):
    """Weights, as a list of segments of lists of (weight, bias); the last of each is its head."""
    random = np.random.default_rng(seed)
    weights = []
    for layers in segments:
        made = []
        for layer in layers:
            if layer[0] == "conv":
                _, channels, taps, stride = layer
                made.append(_normal(random, (channels, shape[0], taps), shape[0] * taps))
                shape = (channels, -(-shape[1] // stride))
            else:
                count = math.prod(shape)
                made.append(_normal(random, (count, layer[1]), count))
                shape = (layer[1],)
        count = math.prod(shape)
        head = _normal(random, (count, classes), count)
        weights.append(made + [(0.1 * head[0], head[1])])
    return weights


def _normal(random, shape, fan_in):
    bias = shape[0] if len(shape) == 3 else shape[1]
    weight = random.normal(0, math.sqrt(2 / fan_in), shape)
    return weight.astype(np.float32), np.zeros(bias, np.float32)


def padding(length, taps, stride):
    """Zeros before and behind, so that a stride gives length / stride, rounded up."""
    missing = max(0, (-(-length // stride) - 1) * stride + taps - length)
    return missing // 2, missing - missing // 2


def conv(x, weight, bias, stride):
    """As ONNX has it, by one product of matrices: XLA's own is slower here."""
    taps = weight.shape[2]
    x = jnp.pad(x, ((0, 0), (0, 0), padding(x.shape[2], taps, stride)))
    count = (x.shape[2] - taps) // stride + 1
    parts = [x[:, :, k : k + stride * (count - 1) + 1 : stride] for k in range(taps)]
    rows = jnp.stack(parts, 2).reshape(x.shape[0], -1, count).transpose(0, 2, 1)
    return (rows @ weight.reshape(weight.shape[0], -1).T + bias).transpose(0, 2, 1)


def forward(weights, segments, x):
    """The scores of every exit, before the softmax."""
    exits = []
    for layers, made in zip(segments, weights):
        for layer, (weight, bias) in zip(layers, made):
            if layer[0] == "conv":
                x = conv(x, weight, bias, layer[3])
            else:
                x = x.reshape(x.shape[0], -1) @ weight + bias
            x = jax.nn.relu(x)
        weight, bias = made[-1]
        exits.append(x.reshape(x.shape[0], -1) @ weight + bias)
    return exits


def multiplications(segments, shape, classes):
    """Of every segment, its head included."""
    counts = []
    for layers in segments:
        count = 0
        for layer in layers:
            if layer[0] == "conv":
                _, channels, taps, stride = layer
                length = -(-shape[1] // stride)
                count += channels * shape[0] * taps * length
                shape = (channels, length)
            else:
                count += math.prod(shape) * layer[1]
                shape = (layer[1],)
        counts.append(count + math.prod(shape) * classes)
    return counts


def train(seed, segments, data, classes, epochs, rate=2e-3, batch=256, class_weight=None, decay=1e-4):
    """Weights after so many passes over (x, y), each x of shape channels × samples."""
    x, y = data
    weights = init(seed, segments, x.shape[1:], classes)
    steps = epochs * (len(x) // batch)
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, min(200, steps // 10), steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=decay))
    state = optimizer.init(weights)
    by_class = jnp.ones(classes) if class_weight is None else jnp.array(class_weight)

    def loss(weights, x, y):
        total = 0.0
        for logits in forward(weights, segments, x):
            each = optax.softmax_cross_entropy(logits, optax.smooth_labels(jax.nn.one_hot(y, classes), 0.02))
            total += jnp.mean(each * by_class[y])
        return total

    @jax.jit
    def step(weights, state, x, y):
        gradient = jax.grad(loss)(weights, x, y)
        updates, state = optimizer.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), state

    random = np.random.default_rng(seed)
    for _ in range(epochs):
        order = random.permutation(len(x))
        for at in range(0, len(x) - batch + 1, batch):
            pick = order[at : at + batch]
            weights, state = step(weights, state, x[pick], y[pick])
    return jax.tree.map(np.asarray, weights)


def scores(weights, segments, x, batch=512):
    """Softmax of every exit: exits × pieces × classes."""
    run = jax.jit(lambda x: [jax.nn.softmax(logits) for logits in forward(weights, segments, x)])
    parts = [run(x[at : at + batch]) for at in range(0, len(x), batch)]
    return [np.concatenate([np.asarray(part[k]) for part in parts]) for k in range(len(segments))]
