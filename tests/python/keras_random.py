"""Random cases of every optimizer that Keras exports, in the format of tests/vectors: options, schedules, constraints,
shapes, gradients and changes on the way drawn from a seed, and where Keras goes. It knows nothing of simdescent.
Keras 3.16 on its NumPy backend, NumPy 2 (or 1.24 with the promotion of 2, which is set here):
KERAS_BACKEND=numpy python3 keras_random.py --seeds 0:500 --out FOLDER, and then `npm run conformance -- FOLDER`.
--small draws small arrays and few steps, --keep KB writes only the most various cases that fit: so was
tests/vectors/keras-random.json made (--small --keep 390 --seeds 0:448, and two more that have found something)."""
import argparse
import json
import os
import random
import warnings
from pathlib import Path

# As in keras_cluster.py: powers are to be the C library's, and scalars float32, whatever NumPy this is.
os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL")
os.environ.setdefault("NPY_PROMOTION_STATE", "weak")

import keras
import numpy as np
from keras import constraints, optimizers
from keras.src import backend

SOURCE = f"keras {keras.__version__} backend {keras.config.backend()}"
SHAPES = [(), (1,), (3,), (4,), (7,), (3, 5), (4, 4), (5, 2), (1, 6), (2, 3, 4), (3, 3, 2, 2), (0,), (0, 3), (2, 0)]
LARGE = [(129,), (1000,), (17, 3), (31, 9), (3, 3, 8, 4), (64, 33)]
RATES = [0.001, 0.01, 0.1, 0.05, 1.0, 0.0, 1e-5, 3.0, -0.01]
EPSILONS = [1e-7, 1e-8, 1e-3, 0.1, 1.0, 0.0, 10.0, 1e-30]
FRACTIONS = [0.9, 0.99, 0.999, 0.5, 0.0, 0.1, 1.0, 0.95]


def some(r, share, **options):
    """Each of the options with that chance, drawn by its function."""
    return {name: draw(r) for name, draw in options.items() if r.random() < share}


def one_of(values):
    return lambda r: r.choice(values)


fraction, epsilon = one_of(FRACTIONS), one_of(EPSILONS)
moments = {"beta_1": fraction, "beta_2": fraction, "epsilon": epsilon}
amount = one_of([0.0, 0.001, 0.1, 1.0])
flag = one_of([False, True])

# What each class has of its own.
OWN = {
    "SGD": {"momentum": fraction, "nesterov": flag},
    "RMSprop": {"rho": fraction, "momentum": fraction, "epsilon": epsilon, "centered": flag},
    "Adam": {**moments, "amsgrad": flag},
    "AdamW": {**moments, "amsgrad": flag},
    "Adadelta": {"rho": fraction, "epsilon": epsilon},
    "Adagrad": {"initial_accumulator_value": amount, "epsilon": epsilon},
    "Adamax": moments,
    "Adafactor": {
        "beta_2_decay": one_of([-0.8, -0.5, -1.0, 0.0, -2.0]),
        "epsilon_1": one_of([1e-30, 1e-8, 0.0]),
        "epsilon_2": one_of([1e-3, 0.1, 0.0]),
        "clip_threshold": one_of([1.0, 0.1, 10.0]),
        "relative_step": flag,
    },
    "Muon": {
        "adam_beta_1": fraction,
        "adam_beta_2": fraction,
        "adam_weight_decay": one_of([0.004, 0.0, 0.1, None]),
        "epsilon": epsilon,
        "exclude_layers": one_of([[], ["head"], ["dense", "conv"]]),
        "exclude_embeddings": flag,
        "adam_lr_ratio": one_of([1, 0.1, 2.0]),
        "momentum": one_of([0.95, 0.5, 0.0]),
        "ns_steps": one_of([5, 1, 3, 0]),
        "nesterov": flag,
        "rms_rate": one_of([0.2, 1.0, None]),
    },
    "Nadam": moments,
    "Ftrl": {
        "learning_rate_power": one_of([-0.5, 0.0, -1.0, -0.3]),
        "initial_accumulator_value": amount,
        "l1_regularization_strength": amount,
        "l2_regularization_strength": amount,
        "l2_shrinkage_regularization_strength": amount,
        "beta": amount,
    },
    "Lamb": moments,
    "Lion": {"beta_1": one_of([0.9, 0.5, 0.1, 1.0]), "beta_2": fraction},
    "ScheduleFreeAdamW": {**moments, "beta_1": one_of([0.9, 0.5, 0.1]), "warmup_steps": one_of([0, 1, 3, 10])},
}
WRAPPERS = ["LossScaleOptimizer", "MultiOptimizer"]
# Options that decide what building makes, in Keras or here.
FIXED = {"amsgrad", "centered", "nesterov", "initial_accumulator_value", "learning_rate_power"}
FIXED |= {"exclude_layers", "exclude_embeddings"}


def rate(r):
    if r.random() < 0.6:
        return r.choice(RATES)
    start, steps = r.choice([0.1, 0.01, 1.0, 0.0]), r.choice([1, 3, 4, 10, 2.5])
    decay = {"initial_learning_rate": start, "decay_steps": steps}
    kinds = {
        "ExponentialDecay": lambda: {**decay, "decay_rate": r.choice([0.9, 0.5, 1.0, 0.0, 1.5]), "staircase": flag(r)},
        "InverseTimeDecay": lambda: {**decay, "decay_rate": r.choice([0.9, 0.5, 2.0, 0.0]), "staircase": flag(r)},
        "PolynomialDecay": lambda: {
            **decay,
            "end_learning_rate": r.choice([0.0001, 0.05, 0.0]),
            "power": r.choice([1.0, 0.5, 2.0, 0.0]),
            "cycle": flag(r),
        },
        "PiecewiseConstantDecay": lambda: r.choice(
            [
                {"boundaries": [1, 3], "values": [0.1, 0.05, 0.001]},
                {"boundaries": [2], "values": [1.0, 0.01]},
                {"boundaries": [0, 0, 4], "values": [1.0, 0.5, 0.1, 0.0]},
            ]
        ),
        "CosineDecay": lambda: {
            **decay,
            "alpha": r.choice([0.0, 0.1, 1.0]),
            **r.choice([{}, {"warmup_target": r.choice([0.2, 0.0, 1.0]), "warmup_steps": r.choice([0, 2, 3, 5])}]),
        },
        "CosineDecayRestarts": lambda: {
            "initial_learning_rate": start,
            "first_decay_steps": r.choice([2, 3, 5]),
            "t_mul": r.choice([1.0, 2.0, 1.5]),
            "m_mul": r.choice([1.0, 0.5, 2.0]),
            "alpha": r.choice([0.0, 0.1]),
        },
    }
    name = r.choice(list(kinds))
    return {"class_name": name, "config": kinds[name]()}


def base(r):
    options = {"learning_rate": rate(r)}
    options.update(some(r, 0.3, weight_decay=one_of([0.004, 0.1, 0.0, 1.0])))
    if r.random() < 0.4:
        options[r.choice(["clipnorm", "clipvalue", "global_clipnorm"])] = r.choice([1.0, 0.1, 0.5, 1e-3, 100.0, 0.0])
    if r.random() < 0.3:
        options["use_ema"] = True
        options.update(some(r, 0.6, ema_momentum=fraction, ema_overwrite_frequency=one_of([None, 1, 2, 3])))
    scale, steps = one_of([2.0, 1024.0, 3.0, 0.1]), one_of([2, 3])
    options.update(some(r, 0.2, loss_scale_factor=scale, gradient_accumulation_steps=steps))
    return options


def plain(r, name):
    return {"optimizer": name, "kwargs": {**base(r), **some(r, 0.5, **OWN[name])}}


def several(r):
    patterns = r.sample(["dense/.*", ".*/bias", "head/kernel", "conv.*", "nowhere"], r.choice([0, 1, 2]))
    if "dense/.*" in patterns and ".*/bias" in patterns:
        patterns.remove(".*/bias")  # two that match are an error
    inner = {"default": plain(r, r.choice(list(OWN))), "map": {p: plain(r, r.choice(list(OWN))) for p in patterns}}
    kwargs = {"loss_scale_factor": r.choice([2.0, 0.5])} if r.random() < 0.3 else {}
    return {"optimizer": "MultiOptimizer", "kwargs": kwargs, "inner": inner}


def scaled(r):
    inner = several(r) if r.random() < 0.2 else plain(r, r.choice(list(OWN)))
    kwargs = {"initial_scale": r.choice([1024.0, 2.0**15, 1.0, 4.0]), "dynamic_growth_steps": r.choice([1, 2, 3, 2000])}
    return {"optimizer": "LossScaleOptimizer", "kwargs": kwargs, "inner": inner}


def described(r, name):
    makers = {"LossScaleOptimizer": scaled, "MultiOptimizer": several}
    return makers[name](r) if name in makers else plain(r, name)


def made(case):
    """The optimizer of Keras that is described."""
    kwargs, inner = dict(case["kwargs"]), case.get("inner")
    given = kwargs.get("learning_rate")
    if isinstance(given, dict):
        kwargs["learning_rate"] = getattr(optimizers.schedules, given["class_name"])(**given["config"])
    cls = getattr(optimizers, case["optimizer"])
    if not inner:
        return cls(**kwargs)
    if "optimizer" in inner:
        return cls(made(inner), **kwargs)
    by_path = {pattern: made(each) for pattern, each in inner["map"].items()}
    return cls(optimizers.OptimizerMap(made(inner["default"]), by_path), **kwargs)


def array(values):
    return np.asarray(keras.ops.convert_to_numpy(values), "float32")


def count(variable):
    return int(array(variable))


def flat(values):
    """The shortest decimals of the float32 values; what JSON lacks, as strings."""
    return [json_number(float(str(x))) for x in array(values).ravel()]


def json_number(x):
    if x != x:
        return "NaN"
    return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(x, x)


SCALES = {"tiny": 1e-30, "huge": 1e30, "denormal": 1e-40, "small": 1e-4, "large": 1e3, "square": 1e-19}


def numbers(numpy, kind, shape):
    values = numpy.normal(size=shape)
    values = np.asarray(values * SCALES.get(kind, 1.0), "float32")
    if kind == "zeros":
        return values * np.float32(0)  # -0 among them
    if kind == "holes":
        return np.where(numpy.uniform(size=shape) < 0.5, np.float32(0), values)
    if kind == "mixed":
        return values * np.float32(10) ** numpy.randint(-20, 15, shape).astype("float32")
    if kind == "nonfinite":
        bad = np.float32([np.inf, -np.inf, np.nan])[numpy.randint(0, 3, shape)]
        return np.where(numpy.uniform(size=shape) < 0.4, bad, values)
    return values


KINDS = ["normal"] * 8 + ["small", "large", "tiny", "huge", "denormal", "square", "zeros", "holes", "holes", "mixed"]


def constraint(r):
    kind = r.choice(["NonNeg", "MaxNorm", "UnitNorm", "MinMaxNorm"])
    norms = {"axis": 0}
    config = {
        "NonNeg": {},
        "MaxNorm": {"max_value": r.choice([1.0, 0.5, 2]), **norms},
        "UnitNorm": norms,
        "MinMaxNorm": {"min_value": r.choice([0.0, 0.4]), "max_value": 0.9, "rate": r.choice([1.0, 0.6]), **norms},
    }[kind]
    return {"class_name": kind, "config": config}


def classes_of(described):
    """The class of an optimizer and of all within."""
    inner = described.get("inner", {})
    within = [inner] if "optimizer" in inner else [*inner.get("map", {}).values(), inner.get("default")]
    return {described["optimizer"]}.union(*(classes_of(each) for each in within if each))


def variables(r, numpy, shapes, classes):
    names = ["dense/kernel", "dense/bias", "conv/kernel", "head/kernel", "head/bias"]
    names += ["embedding/embeddings", "norm/gamma"]
    chosen = []
    for path in r.sample(names, r.choice([1, 2, 2, 3])):
        shape = r.choice(shapes)
        if "Adafactor" in classes and 0 in shape:
            shape = (0,)  # of an empty matrix Keras keeps the mean of nothing, which is NaN, and we keep 0
        kind = r.choice(["normal"] * 6 + ["zeros", "small", "large", "mixed"])
        one = {"name": path.split("/")[-1], "path": path, "shape": list(shape), "values": numbers(numpy, kind, shape)}
        if shape and r.random() < 0.15:
            one["constraint"] = constraint(r)
            if len(shape) > 2 and "axis" in one["constraint"]["config"]:
                one["constraint"]["config"]["axis"] = r.choice([0, [0, 1], -1])
        chosen.append(one)
    return chosen


def variable(one):
    """Keras' variable, with its path."""
    spaces, limit = one["path"].split("/")[:-1], one.get("constraint")
    with backend.name_scope("/".join(spaces)):
        v = backend.Variable(one["values"], name=one["name"], dtype="float32")
    if limit:
        v.constraint = constraints.get({"module": "keras.constraints", "registered_name": None, **limit})
    return v


def changes(r, numpy, case, one_step, first):
    """What is done before a step, now and then."""
    if first or r.random() > 0.15:
        return
    wrapped = case["optimizer"] in WRAPPERS
    own = OWN.get(case["optimizer"], {})
    kinds = ["assign", "finalize"]
    if not wrapped:
        kinds += ["set_iterations", "set", "set"]
        if not isinstance(case["kwargs"]["learning_rate"], dict):
            kinds += ["set_learning_rate"] * 2
    kind = r.choice(kinds)
    if kind == "set_learning_rate":
        one_step[kind] = r.choice(RATES)
    elif kind == "set_iterations":
        one_step[kind] = r.choice([0, 1, 7, 100, 5000])
    elif kind == "finalize":
        one_step[kind] = True
    elif kind == "assign":
        one_step[kind] = [numbers(numpy, "normal", v["shape"]) if r.random() < 0.7 else None for v in case["variables"]]
    else:
        can = {n: draw for n, draw in own.items() if n not in FIXED and n != "momentum"}
        can.update({"weight_decay": one_of([0.01, 0.5]), "ema_momentum": fraction})
        if case["kwargs"].get("loss_scale_factor"):
            can["loss_scale_factor"] = one_of([4.0, 10.0])
        for clip in ("clipnorm", "clipvalue", "global_clipnorm"):
            if clip in case["kwargs"]:
                can[clip] = one_of([0.2, 2.0, 0.0])
        name = r.choice(list(can))
        one_step["set"] = {name: can[name](r)}


def steps(r, numpy, case, small):
    count = r.choice([3, 4] if small else [3, 5, 6, 9, 9, 30])
    bad = case["optimizer"] == "LossScaleOptimizer" or r.random() < 0.03
    lists = []
    for t in range(count):
        one_step = {}
        changes(r, numpy, case, one_step, t == 0)
        kinds = KINDS + ["nonfinite"] * 3 if bad else KINDS
        grads = [numbers(numpy, r.choice(kinds), v["shape"]) for v in case["variables"]]
        if not case["build_first"]:
            for k in range(1, len(grads)):
                if r.random() < 0.1:
                    grads[k] = None
        one_step["grads"] = grads
        lists.append(one_step)
    return lists


def case_of(seed, name, small):
    r, numpy = random.Random(seed), np.random.RandomState(seed)
    case = {"id": f"{name.lower()}-random-{seed}", "category": "keras-random", "source": SOURCE, **described(r, name)}
    case["variables"] = variables(r, numpy, SHAPES if small else SHAPES + LARGE, classes_of(case))
    case["build_first"] = r.random() < 0.2
    if name not in WRAPPERS and r.random() < 0.2:
        names = r.choice([["bias"], ["kernel"], ["^b", "mm"], ["nothing"]])
        listed = [k for k in range(len(case["variables"])) if r.random() < 0.3]
        case["excludeFromWeightDecay"] = {"var_list": listed, "var_names": names}
    case["steps"] = steps(r, numpy, case, small)
    return case


def inner_of(optimizer):
    return getattr(optimizer, "inner_optimizer", optimizer)


def before(optimizer, vs, one_step):
    target = inner_of(optimizer)
    if "set_learning_rate" in one_step:
        optimizer.learning_rate = one_step["set_learning_rate"]
    for key, value in one_step.get("set", {}).items():
        setattr(optimizer, key, value)
    if "set_iterations" in one_step:
        target._iterations.assign(one_step["set_iterations"] * (target.gradient_accumulation_steps or 1))
    if one_step.get("finalize"):
        optimizer.finalize_variable_values(vs)
    for v, values in zip(vs, one_step.get("assign", [])):
        if values is not None:
            v.assign(values)


def run(case, small):
    """Keras' own way through the case: `config` and `expect_generic` are written into it."""
    keras.backend.clear_session()
    optimizer = made(case)
    case["config"] = optimizer.get_config()
    vs = [variable(one) for one in case["variables"]]
    excluded = case.get("excludeFromWeightDecay")
    if excluded:
        optimizer.exclude_from_weight_decay([vs[k] for k in excluded["var_list"]], excluded["var_names"])
    if case["build_first"]:
        optimizer.build(vs)
    expect = {"variables_after_step": {}, "learning_rate_after_step": [], "loss_scale_after_step": [], "warnings": []}
    has_rate = not isinstance(inner_of(optimizer), optimizers.MultiOptimizer)
    for t, one_step in enumerate(case["steps"], 1):
        before(optimizer, vs, one_step)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            optimizer.apply(one_step["grads"], *([] if case["build_first"] else [vs]))
        for w in caught:
            if "Gradients do not exist" in str(w.message):
                expect["warnings"].append({"step": t, "message": str(w.message)})
        if not small or t == len(case["steps"]):
            expect["variables_after_step"][t] = [flat(v) for v in vs]
        if has_rate:
            expect["learning_rate_after_step"].append(float(array(optimizer.learning_rate)))
        if case["optimizer"] == "LossScaleOptimizer":
            counts = {"step_counter": count(optimizer.step_counter), "inner_iterations": count(optimizer.iterations)}
            expect["loss_scale_after_step"].append({"dynamic_scale": float(array(optimizer.dynamic_scale)), **counts})
    expect["optimizer_variables_final"] = [
        {"path": v.path, "shape": list(v.shape), "values": flat(v)} for v in optimizer.variables
    ]
    expect["iterations_final"] = count(optimizer.iterations)
    expect["raw_iterations_final"] = count(inner_of(optimizer)._iterations)
    if has_rate:
        expect["learning_rate_final"] = float(array(optimizer.learning_rate))
    else:
        expect["inner_learning_rates_final"] = [
            float(array(o.learning_rate)) for o in inner_of(optimizer).optimizers
        ]
    optimizer.finalize_variable_values(vs)
    expect["after_finalize"] = [flat(v) for v in vs]
    after = [v for step in expect["variables_after_step"].values() for v in step]
    largest = max([1.0, *(abs(x) for v in after for x in v if isinstance(x, float))])
    case["tolerance"] = {"strict": float(8 * np.spacing(np.float32(largest)))}
    if expect["after_finalize"] == expect["variables_after_step"][len(case["steps"])]:
        del expect["after_finalize"]
    if len(set(expect["learning_rate_after_step"])) == 1:
        del expect["learning_rate_after_step"]
    case["expect_generic"] = {key: value for key, value in expect.items() if value != []}


def written(x):
    """Arrays as flat lists."""
    if isinstance(x, np.ndarray) or isinstance(x, np.float32):
        return flat(x)
    if isinstance(x, dict):
        return {key: written(value) for key, value in x.items()}
    return [written(value) for value in x] if isinstance(x, list) else x


def recorded(seed, name, small):
    case = case_of(seed, name, small)
    try:
        with np.errstate(all="ignore"):
            run(case, small)
    except ValueError as error:
        return {**case, "refused": str(error)}
    return written(case)


def traits(x, at=()):
    """What a case tries: each key and short value of its description, for its class."""
    if isinstance(x, dict):
        return {t for key, value in x.items() if key not in NUMBERS for t in traits(value, (*at, key))}
    if isinstance(x, list):
        return {(*at, "empty")} if not x else {t for value in x for t in traits(value, at)}
    return {(*at, str(x)[:24])}


NUMBERS = {"id", "values", "grads", "assign", "config", "expect_generic", "tolerance"}


def various(cases, room):
    """As many cases as fit into so many bytes, each the one that tries most anew for its length."""
    rest = [(case, len(written_json(case)), {(case["optimizer"], *t) for t in traits(case)}) for case in cases]
    kept, seen = [], set()
    while rest:
        rest = [one for one in rest if one[1] <= room]
        best = max(rest, key=lambda one: len(one[2] - seen) / one[1], default=None)
        if best is None or best[2] <= seen:
            break
        rest.remove(best)
        kept.append(best[0])
        room -= best[1] + 2
        seen |= best[2]
    return sorted(kept, key=lambda case: int(case["id"].split("-")[-1]))


def written_json(x):
    return json.dumps(x, separators=(",", ":"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="0:200")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--keep", type=float)
    options = parser.parse_args()
    first, end = map(int, options.seeds.split(":"))
    names = [*OWN, *WRAPPERS]
    cases, refused = [], []
    for seed in range(first, end):
        case = recorded(seed, names[seed % len(names)], options.small)
        (refused if "refused" in case else cases).append(case)
    options.out.mkdir(parents=True, exist_ok=True)
    kept = cases if options.keep is None else various(cases, options.keep * 1000)
    lines = ",\n".join(written_json(case) for case in kept)
    (options.out / f"keras-random-{first}.json").write_text(f'{{"cases":[\n{lines}\n]}}\n')
    print(len(cases), "cases,", len(refused), "refused:", {c["id"]: c["refused"] for c in refused})


if __name__ == "__main__":
    main()
