"""What h5py, by which Keras reads its files, sees in a .keras file that simdescent saved (tests/fixtures/cluster/page.keras):
the values of all datasets, into keras.json beside it. Keras itself is not run."""
import io
import json
import zipfile
from pathlib import Path

import h5py

FOLDER = Path(__file__).parent.parent / "fixtures" / "cluster"

with zipfile.ZipFile(FOLDER / "page.keras") as archive:
    assert archive.testzip() is None
    config = json.loads(archive.read("config.json"))
    weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")

datasets = {}


def visit(path, item):
    if isinstance(item, h5py.Dataset):
        datasets[path] = {"dtype": str(item.dtype), "shape": list(item.shape), "values": item[()].flatten().tolist()}


weights.visititems(visit)
optimizer = config["compile_config"]["optimizer"]["class_name"]
(FOLDER / "keras.json").write_text(json.dumps({"source": f"h5py {h5py.__version__}", "optimizer": optimizer, "datasets": datasets}) + "\n")
print(optimizer, {path: entry["shape"] for path, entry in datasets.items()})
