"""A training that began in a page goes on under DistributedDataParallel with two processes (gloo), and is saved for the
page: tests/fixtures/cluster, of which page.* is read and cluster.* is written. It needs PyTorch alone, 1.13 or later;
safetensors files are read and written here by hand, so that nothing more has to be installed."""
import json
import os
import struct
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

FOLDER = Path(__file__).parent.parent / "fixtures" / "cluster"
ROWS = 8
X = torch.tensor([[((i * 7 + j * 3) % 11 - 5) / 8 for j in range(3)] for i in range(ROWS)])
Y = torch.tensor([[((i * 5 + k * 2) % 7 - 3) / 4 for k in range(2)] for i in range(ROWS)])


def load_file(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", entry
        values = torch.frombuffer(bytearray(data[8 + length + begin : 8 + length + end]), dtype=torch.float32)
        tensors[name] = values.reshape(entry["shape"])
    return tensors, metadata


def save_file(tensors, path, metadata):
    header, blob = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        values = tensor.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(blob), len(blob) + len(values)]}
        blob += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2, 3))
        self.bias = torch.nn.Parameter(torch.zeros(2))
        self.late = torch.nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return x @ self.weight.T + self.bias + self.late


def loss_of(model, x, y):
    return ((model(x) - y) ** 2).sum(1).mean() / 2


# What the page saved, into a model and its optimizer.
def resume(model):
    weights = json.loads((FOLDER / "page.json").read_text())
    for name, parameter in model.named_parameters():
        parameter.data.copy_(torch.tensor(weights[name]).reshape(parameter.shape))
    optimizer = torch.optim.AdamW(model.parameters())
    tensors, metadata = load_file(FOLDER / "page.safetensors")
    state = {}
    for key, tensor in tensors.items():
        _, index, name = key.split(".")
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": json.loads(metadata["param_groups"])})
    return optimizer


# And back.
def save(model, optimizer):
    sd = optimizer.state_dict()
    tensors = {f"state.{i}.{k}": torch.as_tensor(v).clone() for i, s in sd["state"].items() for k, v in s.items()}
    save_file(tensors, FOLDER / "cluster.safetensors", {"param_groups": json.dumps(sd["param_groups"])})
    return {name: parameter.data.flatten().tolist() for name, parameter in model.named_parameters()}


def train(model, optimizer, x, y, steps):
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss_of(model, x, y).backward()
        optimizer.step()


def worker(rank, world):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29571")
    dist.init_process_group("gloo", rank=rank, world_size=world)
    model = Model()
    optimizer = resume(model)
    share = slice(rank * ROWS // world, (rank + 1) * ROWS // world)
    train(DistributedDataParallel(model), optimizer, X[share], Y[share], 4)
    if rank == 0:
        after = save(model, optimizer)
        alone = Model()
        single = resume(alone)  # the same by one process over all rows
        check(single)
        train(alone, single, X, Y, 4)
        for name, parameter in alone.named_parameters():
            assert torch.allclose(parameter.flatten(), torch.tensor(after[name]), rtol=0, atol=1e-6), name
        assert [float(s["step"]) for s in optimizer.state_dict()["state"].values()] == [7, 7, 4]
        train(model, optimizer, X, Y, 3)  # what the page shall come to
        later = {name: parameter.data.flatten().tolist() for name, parameter in model.named_parameters()}
        record = {"source": f"torch {torch.__version__}, gloo, {world} processes", "after": after, "later": later}
        (FOLDER / "cluster.json").write_text(json.dumps(record) + "\n")
    dist.barrier()
    dist.destroy_process_group()


def check(optimizer):
    """PyTorch has taken what the page saved."""
    tensors, _ = load_file(FOLDER / "page.safetensors")
    state = optimizer.state_dict()["state"]
    assert sorted(state) == [0, 1], "the third parameter has had no gradient"
    for key, tensor in tensors.items():
        _, index, name = key.split(".")
        assert torch.equal(torch.as_tensor(state[int(index)][name]), tensor), key
    assert optimizer.param_groups[0]["lr"] == 0.0625 and optimizer.param_groups[0]["weight_decay"] == 0.125


if __name__ == "__main__":
    mp.spawn(worker, args=(2, ), nprocs=2)
    print((FOLDER / "cluster.json").read_text())
