# One step of PyTorch's fused Adam on the CPU, on one thread: torch._fused_adam_ called directly, and
# torch.optim.Adam(fused=True).step() as its users call it. torch.mjs passes this program to Python and drives it:
# a line of JSON is asked, a line of JSON is answered. It takes no decisions and keeps no figures.
import json
import sys
from time import perf_counter


def answer(**what):
    print(json.dumps(what), flush=True)


try:
    import torch
except ImportError:
    answer(missing="it has no PyTorch")
    sys.exit()
try:
    if tuple(int(x) for x in torch.__version__.split(".")[:2]) < (2, 4):
        raise RuntimeError
    one = torch.zeros(1, requires_grad=True)
    torch.optim.Adam([one], fused=True)
except RuntimeError:
    answer(missing=f"PyTorch {torch.__version__} has no fused Adam for CPUs, 2.4 has")
    sys.exit()
torch.set_num_threads(1)


def kernel(w, g, rate, beta1, beta2, epsilon):
    m, v, count = torch.zeros_like(w), torch.zeros_like(w), torch.zeros(())
    options = dict(lr=rate, beta1=beta1, beta2=beta2, eps=epsilon, weight_decay=0.0, amsgrad=False, maximize=False)

    def step():
        count.add_(1)
        torch._fused_adam_([w], [g], [m], [v], [], [count], **options)

    return step


def optimizer(w, g, rate, beta1, beta2, epsilon):
    w.requires_grad_()
    w.grad = g
    return torch.optim.Adam([w], lr=rate, betas=(beta1, beta2), eps=epsilon, fused=True).step


def tensor(hexadecimal, size):
    """`size` floats that repeat the given ones."""
    given = torch.frombuffer(bytearray.fromhex(hexadecimal), dtype=torch.float32)
    return given.repeat(-(-size // len(given)))[:size].clone()


ways = {"kernel": kernel, "optimizer": optimizer}
steps, weights = {}, {}
answer(version=torch.__version__, capability=torch.backends.cpu.get_cpu_capability())
for line in sys.stdin:
    asked = json.loads(line)
    way = asked["way"]
    if asked["do"] == "make":
        w, g = (tensor(asked[name], asked["size"]) for name in "wg")
        weights[way], steps[way] = w, ways[way](w, g, *asked["hyper"])
        answer()
    elif asked["do"] == "run":
        step, start = steps[way], perf_counter()
        for _ in range(asked["runs"]):
            step()
        answer(ms=(perf_counter() - start) * 1000)
    elif asked["do"] == "values":
        answer(values=weights[way].tolist())
    else:
        del weights[way], steps[way]
        answer()
