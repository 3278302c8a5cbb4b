"""What a page saved goes on under Keras' own `fit` with two processes (its PyTorch backend, DistributedDataParallel over
gloo), and is saved for the page: tests/fixtures/keras-cluster, of which *.page.keras is read, and *.fit.keras and fit.json
are written. After keras_cluster.py: python3 keras_fit.py. Keras 3.16's backend asks for PyTorch 2.1; what it names of
that while it is imported and trains is given to 1.13 below, and nothing of what it computes."""
import importlib.abc
import importlib.util
import json
import os
import sys
import types
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import torch
import torch.distributed
import torch.multiprocessing as mp

FOLDER = Path(__file__).parent.parent / "fixtures" / "keras-cluster"
ROWS, EPOCHS, LATER = 16, 2, 1


def older_torch():
    def module(name, **names):
        made = types.ModuleType(name)
        made.__dict__.update(names)
        sys.modules[name] = made
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, made)

    class Trees(importlib.abc.MetaPathFinder):
        """Keras' other way through nested structures: torch's own has no place to register classes."""

        def find_spec(self, name, path, target=None):
            if name == "keras.src.tree.torchtree_impl":
                return importlib.util.spec_from_file_location(name, f"{path[0]}/optree_impl.py")

    same = lambda f=None, **_: f or (lambda g: g)
    module("torch._dynamo", disable=same)
    module("torch.compiler", is_compiling=lambda: False)
    module("torch.distributed.tensor", DTensor=type("DTensor", (), {}))
    for name in ["float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64"]:
        setattr(torch, name, object())
    for name in ["SymInt", "SymFloat"]:
        setattr(torch, name, type(name, (), {}))
    named = torch.nn.Module.named_parameters
    torch.nn.Module.named_parameters = lambda self, prefix="", recurse=True, _=True: named(self, prefix, recurse)
    sys.meta_path.insert(0, Trees())


if not hasattr(torch, "SymFloat"):
    older_torch()
import keras
import numpy as np

X = np.array([[((i * 7 + j * 3) % 11 - 5) / 8 for j in range(4)] for i in range(ROWS)], "float32")
Y = np.array([[((i * 5 + k * 2) % 7 - 3) / 4 for k in range(2)] for i in range(ROWS)], "float32")


def flat(variables):
    return [keras.ops.convert_to_numpy(v).ravel().tolist() for v in variables]


# Each process trains on its share of every batch.
def fit(model, epochs, rank=0, count=1):
    mine = [rows[rank::count] for rows in (X, Y)]
    model.fit(*mine, batch_size=ROWS // 2 // count, epochs=epochs, shuffle=False, verbose=0)


def worker(rank, name):
    alone = keras.models.load_model(FOLDER / f"{name}.page.keras")
    fit(alone, EPOCHS)
    keras.distribution.initialize("127.0.0.1:29572", 2, rank)
    model = keras.models.load_model(FOLDER / f"{name}.page.keras")
    fit(model, EPOCHS, rank, 2)
    for one, two in zip(flat(alone.weights), flat(model.weights)):
        assert np.allclose(one, two, rtol=0, atol=1e-6), name
    after, iterations = flat(model.trainable_variables), int(model.optimizer.iterations)
    if rank == 0:
        model.save(FOLDER / f"{name}.fit.keras")
    fit(model, LATER, rank, 2)
    if rank == 0:
        record = {"after": after, "iterations": iterations, "later": flat(model.trainable_variables)}
        (FOLDER / f"{name}.fit.json").write_text(json.dumps(record) + "\n")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    cases = {}
    for name in ["adamw", "adamax"]:
        mp.spawn(worker, args=(name,), nprocs=2)
        part = FOLDER / f"{name}.fit.json"
        cases[name] = json.loads(part.read_text())
        part.unlink()
    source = f"Keras {keras.__version__}, torch {torch.__version__}, gloo, 2 processes"
    (FOLDER / "fit.json").write_text(json.dumps({"source": source, "cases": cases}) + "\n")
