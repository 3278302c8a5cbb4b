"""Optimizers of PyTorch against those here, at random: options of every class, one to five groups of none to three
parameters, gradients that are missing, shapes, magnitudes from 1e-12 to 1e9, states in bfloat16 and float64. Each case is
stepped in PyTorch, here from the start, here from PyTorch's file on the way, and in PyTorch again from a file of ours.
Nothing is recorded: it prints what differs, and fails. `python3 torch_random.py [SEED [COUNT]]`, PyTorch 1.13 or later.

A weight may differ by 1e-6 (of its size, above 1), and by ten times the most that PyTorch's own float32 has been off its
float64 in that parameter. Second moments forget half of what they were at most, and squares stay within float32:
docs/from-pytorch.md says why."""
import json
import math
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from torch_cluster import load_file

TYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64"}
SHAPES = [[], [1], [3], [2, 3], [1, 1], [2, 2, 2], [17], [4, 1, 3], [33]]


def options(name, r):
    eps = {"eps": r.choice([1e-10, 1e-8, 1e-3, 0.1])}
    betas = {"betas": (r.choice([0, 0.5, 0.9, 0.99]), r.choice([0.5, 0.9, 0.999, 0.9999])), **eps}
    momentum = r.choice([0, 0.5, 0.9, 1])
    nesterov = momentum > 0 and r.random() < 0.4
    return {
        "Adam": {**betas, "amsgrad": r.random() < 0.5},
        "AdamW": {**betas, "amsgrad": r.random() < 0.5},
        "Adamax": betas,
        "RAdam": betas,
        "SGD": {"momentum": momentum, "nesterov": nesterov, "dampening": 0 if nesterov else r.choice([0, 0.25, 1])},
        "RMSprop": {"alpha": r.choice([0.5, 0.99]), "centered": r.random() < 0.5, "momentum": r.choice([0, 0.5, 0.9]), **eps},
        "Adagrad": {"lr_decay": r.choice([0, 0.125, 1]), **eps},
        "Adadelta": {"rho": r.choice([0.5, 0.99]), "eps": r.choice([1e-6, 1e-3])},
    }[name]


NAMES = ["Adam", "AdamW", "Adamax", "RAdam", "SGD", "RMSprop", "Adagrad", "Adadelta"]


def make(name, groups, values):
    parameters = [torch.nn.Parameter(value.clone()) for value in values]
    rest = iter(parameters)
    of = [{**options, "params": [next(rest) for _ in range(count)], "foreach": False} for count, options in groups]
    return getattr(torch.optim, name)(of, lr=0.01), parameters


def step(optimizer, parameters, grads):
    for parameter, grad in zip(parameters, grads):
        parameter.grad = None if grad is None else grad.to(parameter.dtype)
    optimizer.step()


def flat(tensors):
    return [None if t is None else t.detach().flatten().tolist() for t in tensors]


def save(path, optimizer, dtype):
    """As docs/files.md says; rounds what the optimizer itself goes on with."""
    tensors = {}
    for i, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if value is None:
                continue
            if key != "step":
                value.copy_(value.to(dtype))
            tensors[f"state.{i}.{key}"] = torch.as_tensor(value).clone() if key == "step" else value.to(dtype)
    header, blob = {"__metadata__": {"param_groups": json.dumps(optimizer.state_dict()["param_groups"])}}, b""
    for key, tensor in tensors.items():
        bits = tensor.contiguous().view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor.contiguous()
        end = len(blob) + bits.numel() * bits.element_size()
        header[key] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(blob), end]}
        blob += bits.numpy().tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def case(folder, number, r):
    name = r.choice(NAMES)
    shared = options(name, r) if r.random() < 0.4 else None
    more = {} if name == "RAdam" else {"maximize": r.random() < 0.3}
    groups = []
    for k in range(r.choice([1, 1, 2, 3, 5])):
        own = {**(shared or options(name, r)), **more, "lr": r.choice([0, 1e-3, 0.1, 1])}
        own["weight_decay"] = r.choice([0, 0, 0.01, 0.5])
        groups.append((r.choice([0, 1, 2, 3]), own))
    is_wide = r.random() < 0.3
    draw = lambda shape: torch.tensor(
        [r.gauss(0, 1) * (10 ** r.uniform(-12, 9) if is_wide else 1) for _ in range(math.prod(shape))]
    ).reshape(shape)
    shapes = [r.choice(SHAPES) for _ in range(sum(count for count, _ in groups))]
    frozen = [r.random() < 0.1 for _ in shapes]
    missing = r.choice([0, 0, 0.3])
    steps = [[None if frozen[k] or r.random() < missing else draw(s) for k, s in enumerate(shapes)] for _ in range(8)]
    values = [draw(shape) for shape in shapes]
    optimizer, parameters = make(name, groups, values)
    exact, doubles = make(name, groups, [value.double() for value in values])
    saved, dtype = r.choice([0, 1, 4]), r.choice([torch.float32, torch.bfloat16, torch.float64])
    record = {"name": name, "groups": groups, "shapes": shapes, "saved": saved, "file": f"{number}.safetensors"}
    record.update(values=flat(values), grads=[flat(grads) for grads in steps], isRounded=dtype is torch.bfloat16)
    record.update(after=[], slack=[])
    off = [0.0 for _ in shapes]
    for t, grads in enumerate(steps):
        if t == saved:
            save(folder / record["file"], optimizer, dtype)
            states = optimizer.state_dict()["state"]
            for i, state in exact.state_dict()["state"].items():
                for key, value in state.items():
                    if key != "step" and value is not None:
                        value.copy_(states[i][key])
        step(optimizer, parameters, grads)
        step(exact, doubles, grads)
        record["after"].append(flat(parameters))
        off = [max(most, float((d - p).abs().max())) for most, d, p in zip(off, doubles, parameters)]
        record["slack"].append([10 * most for most in off])
    return record


def back(folder, record):
    """What is there to say of a file of ours in PyTorch."""
    page = json.loads((folder / f"page-{record['file']}.json").read_text())
    given = lambda list, shape: None if list is None else torch.tensor(list, dtype=torch.float32).reshape(shape)
    shaped = lambda lists: [given(*pair) for pair in zip(lists, record["shapes"])]
    others = [(count, {**own, "lr": 0.5, "weight_decay": 0.25}) for count, own in record["groups"]]
    optimizer, parameters = make(record["name"], others, shaped(page["values"]))
    tensors, metadata = load_file(folder / f"page-{record['file']}")
    state = {}
    for key, tensor in tensors.items():
        _, i, name = key.split(".")
        state.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": json.loads(metadata["param_groups"])})
    for k, (group, (_, own)) in enumerate(zip(optimizer.param_groups, record["groups"])):
        told = {key: group[key] for key in own}
        if any(tuple(told[key]) != tuple(own[key]) if key == "betas" else told[key] != own[key] for key in own):
            return f"{record['name']}: in PyTorch again, group {k} has {told}, not {own}"
        group["foreach"] = False
    for t, ours in zip(range(page["at"], len(record["grads"])), page["after"]):
        step(optimizer, parameters, shaped(record["grads"][t]))
        for k, (*lists, slack) in enumerate(zip(flat(parameters), ours, record["slack"][t])):
            for theirs, own in zip(*lists):
                if not abs(theirs - own) <= 1e-6 * max(1, abs(theirs)) + slack:
                    return f"{record['name']}: in PyTorch again, step {t}, parameter {k}: {theirs}, here {own}"


if __name__ == "__main__":
    seed, count = [int(x) for x in sys.argv[1:] + ["1", "500"][len(sys.argv) - 1 :]]
    torch.set_num_threads(1)
    r = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = [case(folder, k, r) for k in range(count)]
        (folder / "cases.json").write_text(json.dumps(records))
        there = subprocess.run(["node", Path(__file__).with_name("torch_random.mjs"), folder]).returncode
        told = [text for record in records if (text := back(folder, record))] if there == 0 else []
        print(*told, f"{count} cases of 8 steps from seed {seed}, {len(told)} differ in PyTorch again", sep="\n")
        sys.exit(1 if there or told else 0)
