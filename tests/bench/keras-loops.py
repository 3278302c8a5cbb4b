# model.fit of Keras on its PyTorch backend, on one thread. keras.mjs passes this program to Python and drives it: a line of
# JSON is asked, a line of JSON is answered. It takes no decisions and keeps no figures.
import json
import os
import sys
from time import perf_counter

os.environ["KERAS_BACKEND"] = "torch"


def answer(**what):
    print(json.dumps(what), flush=True)


try:
    import keras
    import torch
except (ImportError, AttributeError) as error:  # an older PyTorch lacks names that Keras asks for
    answer(missing=f"it has no Keras on PyTorch ({error})")
    sys.exit()
torch.set_num_threads(1)


def problem(hidden, size):
    """A line through points, or a classifier of as many pixels and classes as the digits have."""
    if hidden is None:
        x = keras.random.normal((size, 1))
        return x, 2 * x + 1, [keras.layers.Dense(1)], "mse"
    x = keras.random.normal((size, 64))
    y = keras.ops.one_hot(keras.random.randint((size,), 0, 10), 10)
    widths = [keras.layers.Dense(units, activation="relu") for units in hidden]
    return x, y, [*widths, keras.layers.Dense(10, activation="softmax")], "categorical_crossentropy"


def loop(hidden, steps, batch_size, hyper):
    x, y, layers, loss = problem(hidden, steps * batch_size)
    x, y = (keras.ops.convert_to_numpy(values) for values in (x, y))
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    rate, beta_1, beta_2, epsilon = hyper
    model.compile(keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon), loss)
    return lambda: model.fit(x, y, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)


run = None
answer(keras=keras.__version__, torch=torch.__version__)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "make":
        run = loop(asked["hidden"], asked["steps"], asked["batchSize"], asked["hyper"])
        answer()
    else:
        start = perf_counter()
        for _ in range(asked["runs"]):
            run()
        answer(ms=(perf_counter() - start) * 1000)
