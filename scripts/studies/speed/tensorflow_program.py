# SPDX-License-Identifier: Apache-2.0
"""The same networks in TensorFlow, as the published implementation builds them with Keras: a program of its own.

It runs in the Python that has TensorFlow and imports nothing of this project. ``scripts.studies.speed.child`` starts it
with the file descriptor of a pipe, over which come first the work, the layers and the shape of a batch, then questions.
"""

from __future__ import annotations

import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped, import-not-found, unused-ignore]

__all__: list[str] = []


def build(layers: list, shape: tuple[int, int, int]) -> tf.keras.Model:
    """The network of ``scripts.studies.speed.counter`` for images ``(H, W, C)``."""
    tensors = {"x": tf.keras.Input(shape)}
    made = []
    for name, kind, arguments, sources, weights in layers:
        layer = getattr(tf.keras.layers, kind)(name=name, **arguments)
        inputs = [tensors[source] for source in sources]
        tensors[name] = layer(inputs if len(inputs) > 1 else inputs[0])
        made.append((layer, weights))
    for layer, weights in made:
        layer.set_weights(weights)
    return tf.keras.Model(tensors["x"], tensors[layers[-1][0]])


def training_step(model: tf.keras.Model, images: Any) -> Any:
    """One step of Adam on the mean squared error, compiled to a graph."""
    optimizer = tf.keras.optimizers.Adam()
    loss = tf.keras.losses.MeanSquaredError()

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            error = loss(images, model(images, training=True))
        gradients = tape.gradient(error, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return error

    return step


def inference_step(model: tf.keras.Model, images: Any) -> Any:
    """The forward pass, compiled to a graph."""

    @tf.function
    def step(batch: Any) -> Any:
        return model(batch, training=False)

    return lambda: step(images)


def main(connection: Connection) -> None:
    """Answer ``("run", steps)`` with slices, seconds and 0 seconds of waiting, until the other end is closed."""
    work, layers, images = connection.recv()
    batch = tf.constant(images)
    make = {"train_step": training_step, "forward": inference_step}[work]
    step = make(build(layers, images.shape[1:]), batch)
    connection.send((True, None))
    while True:
        try:
            command, *values = connection.recv()
        except EOFError:
            return
        if command == "output":
            connection.send((True, step().numpy()))
            continue
        begin = time.perf_counter()
        for _ in range(values[0]):
            result = step()
        np.asarray(result)  # waits for the device
        connection.send((True, (values[0] * len(images), time.perf_counter() - begin, 0.0)))


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
