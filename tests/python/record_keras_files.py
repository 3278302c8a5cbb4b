# Records what tests/vectors/keras-files has of Keras' MultiOptimizer, also within a LossScaleOptimizer, of LoRA, of
# optimizers whose state is not a few slots of each weight's shape, and of names that are not ASCII: each model after 5
# steps with random gradients, as Keras saves it, and how Keras goes on. Prints the cases of index.json.
# Run by hand, with Keras 3.16 on its NumPy backend: KERAS_BACKEND=numpy python3 record_keras_files.py FOLDER [FILE …]
import io
import json
import os
import sys
import tempfile
import zipfile

import h5py
import keras
import numpy as np
from keras import layers, optimizers

folder = sys.argv[1]
random = np.random.default_rng(17)


def several():
    model = keras.Sequential(
        [
            keras.Input((7,)),
            layers.Dense(5, activation="relu", name="hidden"),
            layers.Dense(4, name="middle"),
            layers.Dense(3, name="head"),
        ],
        name="sequential",
    )
    by_path = optimizers.OptimizerMap(
        optimizers.SGD(0.05, momentum=0.9),
        {
            "(.*/)?head/.*": optimizers.Adam(0.01),
            "nowhere": optimizers.RMSprop(),
            "(.*/)?middle/bias": optimizers.Adam(0.02, amsgrad=True),
        },
    )
    return model, optimizers.MultiOptimizer(by_path)


def scaled():
    model, inner = several()
    return model, optimizers.LossScaleOptimizer(inner, initial_scale=1024.0, dynamic_growth_steps=3)


def lora():
    words = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, lora_rank=2, name="embedding")(words)
    x = layers.EinsumDense("abc,cd->abd", (6, 5), bias_axes="d", lora_rank=3, lora_alpha=6, name="mixed")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(4, lora_rank=2, lora_alpha=1, name="hidden")(x)
    outputs = layers.Dense(2, name="head")(x)
    return keras.Model(words, outputs, name="lora"), optimizers.Adam(0.01)


def mixed(optimizer):
    """Weights of no, one, two and four axes, and one that Muon leaves to AdamW by its path."""
    words = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, name="embedding")(words)
    x = layers.Reshape((6, 4, 1))(x)
    x = layers.Conv2D(2, 3, name="conv")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(5, name="hidden")(x)
    return keras.Model(words, layers.Dense(3, name="head")(x), name="mixed"), optimizer


def adafactor():
    return mixed(optimizers.Adafactor(0.01))


def muon():
    return mixed(optimizers.Muon(0.01, exclude_layers=["head/kernel$"]))


def names():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="größe"), layers.Dense(1, name="重み")], name="sequential")
    return model, optimizers.Adam(0.01)


def small(optimizer):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activation="relu", name="hidden"), layers.Dense(2, name="head")],
        name="sequential",
    )
    return model, optimizer


# Keras' list of what a LossScaleOptimizer is round lacks what they make past `add_variable`.
def scaled_unlisted():
    by_path = optimizers.OptimizerMap(optimizers.Nadam(0.01), {".*hidden/.*": optimizers.Adafactor(0.01)})
    return small(optimizers.LossScaleOptimizer(optimizers.MultiOptimizer(by_path), initial_scale=64.0))


def step(model):
    variables = model.trainable_variables
    grads = [random.normal(size=v.shape).astype("float32") for v in variables]
    model.optimizer.apply(grads, variables)
    return {"grads": [flat(grad) for grad in grads]}


def flat(values):
    return [float(x) for x in keras.ops.convert_to_numpy(values).astype("float32").ravel()]


def record(name, make, is_merged=False, is_reloaded=False):
    keras.backend.clear_session()
    model, optimizer = make()
    model.compile(optimizer=optimizer, loss="mse")
    for v in model.variables:
        v.assign(random.normal(size=v.shape).astype("float32"))
    optimizer.build(model.trainable_variables)
    for _ in range(5):
        step(model)
    path = os.path.join(folder, name)
    model.save(path)
    if is_merged:  # what is in the file is what Keras loads from it
        model = keras.saving.load_model(path)
    variables, optimizer = model.trainable_variables, model.optimizer
    case = {
        "file": name,
        "backend": keras.config.backend(),
        "optimizer": keras.optimizers.serialize(optimizer),
        "variables": [{"path": v.path, "name": v.name, "shape": list(v.shape)} for v in variables],
        "saved": {
            "variables": [flat(v) for v in variables],
            "optimizer_variables": [
                {"path": v.path, "shape": list(v.shape), "values": flat(v)} for v in optimizer.variables
            ],
        },
        "steps": [],
        "variables_after_step": [],
    }
    if is_reloaded:  # what Keras does not save begins anew
        model = keras.saving.load_model(path)
        variables, optimizer = model.trainable_variables, model.optimizer
        case["begins_anew"] = True
    for _ in range(8):
        case["steps"].append(step(model))
        case["variables_after_step"].append([flat(v) for v in variables])
    case["iterations_final"] = int(optimizer.iterations)
    if is_merged:
        case["kernels_saved_again"] = kernels(model)
    return case


def kernels(model):
    with tempfile.TemporaryDirectory() as aside:
        path = os.path.join(aside, "again.keras")
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            file = h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")
    found = {}
    file.visititems(lambda name, item: found.update({name: item}) if name.endswith("/vars/0") else None)
    return {name: flat(item[()]) for name, item in found.items() if name.startswith("layers/")}


files = {
    "multi-optimizer.keras": [several],
    "lora.keras": [lora, True],
    "loss-scale-multi.keras": [scaled],
    "adafactor.keras": [adafactor],
    "muon.keras": [muon],
    "names.h5": [names],
    "loss-scale-nadam.keras": [lambda: small(optimizers.LossScaleOptimizer(optimizers.Nadam(0.01))), False, True],
    "loss-scale-unlisted.keras": [scaled_unlisted, False, True],
}
chosen = sys.argv[2:] or files
print(json.dumps([record(name, *files[name]) for name in chosen]))
