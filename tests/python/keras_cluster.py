"""Models that Keras makes, a page trains, Keras trains on and the page takes back: tests/fixtures/keras-cluster. `start`
saves the models as they are compiled; page.mjs steps 3 times and saves; `back` loads that, steps 3 times with the same
gradients as the page would, and saves. Keras 3.16 on its NumPy backend, which steps and does not differentiate:
KERAS_BACKEND=numpy python3 keras_cluster.py start && node page.mjs && KERAS_BACKEND=numpy python3 keras_cluster.py back"""
import json
import os
import sys
from pathlib import Path

# NumPy's powers with AVX-512 are an ulp off here and there, such as 0.9 ** 4 in float32: where Keras goes must not be the
# processor's to say. These names must be there before NumPy is loaded; it warns of those that the processor has not.
os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL")

import keras
import numpy as np
from keras import layers, optimizers

FOLDER = Path(__file__).parent.parent / "fixtures" / "keras-cluster"
PAGE, CLUSTER = 3, 3


def adamw():
    rate = optimizers.schedules.CosineDecay(0.05, 8)
    return optimizers.AdamW(rate, weight_decay=0.004, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4)


def adamax():
    return optimizers.Adamax(0.02, global_clipnorm=2.0, gradient_accumulation_steps=2)


def several():
    biases = {".*/bias": optimizers.Adam(0.02, amsgrad=True)}
    by_path = optimizers.OptimizerMap(optimizers.SGD(0.05, momentum=0.9, nesterov=True), biases)
    inner = optimizers.MultiOptimizer(by_path)
    return optimizers.LossScaleOptimizer(inner, initial_scale=1024.0, dynamic_growth_steps=2)


OPTIMIZERS = {"adamw": adamw, "adamax": adamax, "loss-scale-multi": several}


def gradients(shapes, t):
    """Those of step t, with exact numbers: tests/node/keras-cluster.mjs has the same."""
    return [
        np.array([((7 * i + 5 * k + 3 * t) % 11 - 5) / 8 for i in range(int(np.prod(shape)))], "float32").reshape(shape)
        for k, shape in enumerate(shapes)
    ]


def flat(values):
    return [float(x) for x in keras.ops.convert_to_numpy(values).astype("float32").ravel()]


def start():
    for name, make in OPTIMIZERS.items():
        keras.backend.clear_session()
        model = keras.Sequential(
            [keras.Input((4,)), layers.Dense(3, activation="relu", name="hidden"), layers.Dense(2, name="head")],
            name="sequential",
        )
        model.compile(optimizer=make(), loss="mse")
        for variable, value in zip(model.trainable_variables, gradients([v.shape for v in model.trainable_variables], 99)):
            variable.assign(value)
        model.save(FOLDER / f"{name}.start.keras")


# What the page saved goes on, and is saved for the page.
def back(name):
    model = keras.models.load_model(FOLDER / f"{name}.page.keras")
    optimizer, variables = model.optimizer, model.trainable_variables
    steps = []
    for t in range(PAGE, PAGE + CLUSTER):
        optimizer.apply(gradients([v.shape for v in variables], t), variables)
        steps.append({"variables": [flat(v) for v in variables], "state": [flat(v) for v in optimizer.variables]})
    model.save(FOLDER / f"{name}.back.keras")
    return steps


if __name__ == "__main__":
    if sys.argv[1] == "start":
        start()
    else:
        source = f"Keras {keras.__version__}, {keras.config.backend()}"
        record = {"source": source, "cases": {name: back(name) for name in OPTIMIZERS}}
        (FOLDER / "steps.json").write_text(json.dumps(record) + "\n")
