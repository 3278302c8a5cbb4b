"""Parameter groups that differ in more than rate and decay, drawn at random for each class of torch.optim, with gradients
that are missing now and then, so that step counts differ. `record` makes
tests/fixtures/torch-groups: each optimizer after 4 steps, and how torch goes on. page.mjs then opens each file, steps 3
times and saves it again; `back` loads that in torch and records where it goes. PyTorch 1.13 or later:
python3 torch_groups.py record && node page.mjs && python3 torch_groups.py back"""
import json
import random
import sys
from pathlib import Path

import torch

from torch_cluster import load_file, save_file

FOLDER = Path(__file__).parent.parent / "fixtures" / "torch-groups"
BEFORE, PAGE, AFTER = 4, 3, 3


def betas(r):
    return {"betas": (r.choice([0.8, 0.9, 0.95]), r.choice([0.99, 0.999])), "eps": r.choice([1e-8, 1e-6, 1e-3])}


def adam(r):
    return {**betas(r), "amsgrad": r.random() < 0.5, "maximize": r.random() < 0.3}


def momentum(r):
    nesterov = r.random() < 0.4
    dampening = 0 if nesterov else r.choice([0, 0.25])
    return {"momentum": r.choice([0.5, 0.9]), "nesterov": nesterov, "dampening": dampening}


# Without NAdam: that of 1.13 multiplies the product of its momentums once too often, which torch 2 has mended.
OPTIONS = {
    "Adam": adam,
    "AdamW": adam,
    "Adamax": betas,
    "RAdam": betas,
    "SGD": lambda r: momentum(r) if r.random() < 0.7 else {"momentum": 0},
    "RMSprop": lambda r: {"alpha": r.choice([0.9, 0.99]), "centered": r.random() < 0.5, "momentum": r.choice([0, 0.5])},
    "Adagrad": lambda r: {"lr_decay": r.choice([0, 0.125]), "eps": r.choice([1e-10, 1e-3])},
    "Adadelta": lambda r: {"rho": r.choice([0.9, 0.5]), "eps": r.choice([1e-6, 1e-3])},
}


def flat(tensor):
    return tensor.detach().flatten().tolist()


def make(name, groups, values):
    """The optimizer, of parameters with these values in groups of these options."""
    parameters = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    rest = iter(parameters)
    of = [{**options, "params": [next(rest) for _ in range(count)]} for count, options in groups]
    return getattr(torch.optim, name)(of, lr=0.01), parameters


def step(optimizer, parameters, grads):
    for parameter, grad in zip(parameters, grads):
        parameter.grad = None if grad is None else torch.tensor(grad)
    optimizer.step()


def case(name, r):
    groups = [
        (r.choice([1, 2]), {**OPTIONS[name](r), "lr": r.choice([0.01, 0.05]), "weight_decay": r.choice([0, 0.125])})
        for _ in range(3)
    ]
    count = sum(n for n, _ in groups)
    number = lambda: round(r.gauss(0, 1), 3)
    values = [[number() for _ in range(r.choice([1, 3]))] for _ in range(count)]
    late = [r.choice([0, 0, 1, 3, BEFORE + 1, 99]) for _ in values]  # the first step with a gradient
    if name == "Adagrad":  # its states begin with it
        late = [0] * count
    late[0] = 0
    draw = lambda t: [[number() for _ in v] if t >= late[k] and r.random() < 0.9 else None for k, v in enumerate(values)]
    steps = [draw(t) for t in range(BEFORE + PAGE + AFTER)]
    for grads in steps:
        grads[0] = grads[0] or [0.5 for _ in values[0]]
    optimizer, parameters = make(name, groups, values)
    for grads in steps[:BEFORE]:
        step(optimizer, parameters, grads)
    return optimizer, parameters, groups, steps


def save(file, optimizer):
    sd = optimizer.state_dict()
    tensors = {
        f"state.{i}.{k}": torch.as_tensor(v).clone()
        for i, s in sd["state"].items()
        for k, v in s.items()
        if v is not None
    }
    save_file(tensors, FOLDER / file, {"param_groups": json.dumps(sd["param_groups"])})


def record():
    r = random.Random(29)
    cases = []
    for name in OPTIONS:
        for k in range(2):
            file = f"{name.lower()}-{k}.safetensors"
            optimizer, parameters, groups, steps = case(name, r)
            save(file, optimizer)
            entry = {"file": file, "optimizer": name, "groups": groups, "grads": steps[BEFORE:]}
            entry["variables"] = [flat(p) for p in parameters]
            entry["after"] = []
            for grads in steps[BEFORE:]:
                step(optimizer, parameters, grads)
                entry["after"].append([flat(p) for p in parameters])
            cases.append(entry)
    write(cases)


def back():
    """What the page has saved, in torch again, which raises where a state or a group is not its own."""
    index = json.loads((FOLDER / "index.json").read_text())
    pages = json.loads((FOLDER / "page.json").read_text())
    for entry in index["cases"]:
        tensors, metadata = load_file(FOLDER / f"page-{entry['file']}")
        optimizer, parameters = make(entry["optimizer"], entry["groups"], pages[entry["file"]])
        state = {}
        for key, tensor in tensors.items():
            _, i, name = key.split(".")
            state.setdefault(int(i), {})[name] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": json.loads(metadata["param_groups"])})
        entry["later"] = []
        for grads in entry["grads"][PAGE:]:
            step(optimizer, parameters, grads)
            entry["later"].append([flat(p) for p in parameters])
    write(index["cases"])


def write(cases):
    index = {"source": f"torch {torch.__version__}", "cases": cases}
    (FOLDER / "index.json").write_text(json.dumps(index, separators=(",", ":")) + "\n")


{"record": record, "back": back}[sys.argv[1]]()
