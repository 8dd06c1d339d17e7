"""Training loops of other libraries on rows of MNIST: W10 by gradient descent, LeNet by Adam.

A maker gives `step(rows)`, which trains on the rows of these numbers and returns what `float` makes the loss of, and `epoch(order)`,
which does so for all batches and returns when the last update is done.
"""
import time

import numpy as np

import others
import peers
from workloads import dense

BATCH = 64
RATES = dict(W10=0.1, LeNet=0.002)
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

# The parameters of LeNet in examples/lenet.nn.
NAMES = dict(k1="conv1.w", c1="conv1.b", k2="conv2.w", c2="conv2.b", w1="fc1.W", b1="fc1.b", w2="fc2.W", b2="fc2.b",
             w3="fc3.W", b3="fc3.b")


def params(task):
    """First parameters, the same on every call."""
    random = np.random.default_rng(7)
    if task == "W10":
        return dict(w1=dense(random, 784, 128), b1=np.zeros(128, np.float32), w2=dense(random, 128, 10),
                    b2=np.zeros(10, np.float32))
    kernel = lambda o, i: (random.standard_normal((o, i, 5, 5)) * np.sqrt(2 / (25 * i))).astype(np.float32)
    made = dict(k1=kernel(6, 1), c1=np.zeros(6, np.float32), k2=kernel(16, 6), c2=np.zeros(16, np.float32))
    for layer, (inputs, outputs) in enumerate([(784, 120), (120, 84), (84, 10)], 1):
        made[f"w{layer}"], made[f"b{layer}"] = dense(random, inputs, outputs), np.zeros(outputs, np.float32)
    return made


def flat(image):
    """The images as rows of floats from 0 to 1."""
    return image.reshape(len(image), -1).astype(np.float32) / np.float32(255)


def timed(peer, task, threads, image, label, epochs, steps):
    """Seconds of the best epoch after the first, and the loss of the last of so many steps on the first rows."""
    shape = (-1, 784) if task == "W10" else (-1, 1, 28, 28)
    x, y = flat(image).reshape(shape), label.astype(np.int64)
    maker = MAKERS[peer]
    step, _ = maker(task, threads, x[:BATCH], y[:BATCH], compiled=peer == "compiled")
    loss = [float(step(np.arange(BATCH))) for _ in range(steps)][-1]
    _, epoch = maker(task, threads, x, y, compiled=peer == "compiled")
    random, times = np.random.default_rng(0), []
    for _ in range(1 + epochs):
        begun = time.perf_counter()
        epoch(random.permutation(len(x)))
        times.append(time.perf_counter() - begun)
    return min(times[1:]), loss


def truth(task, image, label, steps):
    """The same loss in f64."""
    import torch
    shape = (-1, 784) if task == "W10" else (-1, 1, 28, 28)
    x = flat(image[:BATCH]).reshape(shape).astype(np.float64)
    step, _ = torch_loop(task, 1, x, label[:BATCH].astype(np.int64), wide=torch.float64)
    return [float(step(np.arange(BATCH))) for _ in range(steps)][-1]


def batches(order):
    return [order[start:start + BATCH] for start in range(0, len(order), BATCH)]


def torch_loop(task, threads, x, y, compiled=False, wide=None):
    import torch
    torch.set_num_threads(threads)
    leaves = {name: torch.tensor(a, dtype=wide, requires_grad=True) for name, a in params(task).items()}
    x, y, nn, d = torch.tensor(x), torch.tensor(y), torch.nn.functional, {}
    if task == "W10":
        model = peers.torch_loss(torch, "W10", d)
        optimiser = torch.optim.SGD(leaves.values(), lr=RATES[task], fused=True)
    else:
        def model(p):
            h = nn.max_pool2d(torch.relu(nn.conv2d(d["x"], p["k1"], p["c1"], padding=2)), 2)
            h = nn.max_pool2d(torch.relu(nn.conv2d(h, p["k2"], p["c2"], padding=2)), 2).flatten(1)
            for layer in (1, 2, 3):
                h = torch.addmm(p[f"b{layer}"], h, p[f"w{layer}"])
                h = torch.relu(h) if layer < 3 else h
            return nn.cross_entropy(h, d["y"])
        optimiser = torch.optim.Adam(leaves.values(), lr=RATES[task], betas=(BETA1, BETA2), eps=EPS, fused=True)

    def loss(p, images, labels):
        d.update(x=images, y=labels)
        return model(p)
    loss = torch.compile(loss, dynamic=False) if compiled else loss

    def step(rows):
        rows = torch.as_tensor(rows)
        optimiser.zero_grad(set_to_none=True)
        value = loss(leaves, x.index_select(0, rows), y.index_select(0, rows))
        value.backward()
        optimiser.step()
        return value.detach()

    def epoch(order):
        for rows in torch.as_tensor(order).split(BATCH):
            step(rows)
    return step, epoch


def jax_loop(task, threads, x, y, compiled=False, scan=False):
    import jax
    import jax.numpy as jnp
    nn = jax.nn
    # The layout of images that is faster here: channels last.
    turned = dict(k1=(2, 3, 1, 0), k2=(2, 3, 1, 0))
    p = {name: jnp.asarray(a.transpose(turned[name]) if name in turned else a) for name, a in params(task).items()}
    data = dict(x=jnp.asarray(x if task == "W10" else x.transpose(0, 2, 3, 1)), y=jnp.asarray(y.astype(np.int32)))
    if task == "W10":
        loss = peers.jax_loss(jax, jnp, "W10")
    else:
        def pool(h):
            return jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

        def loss(p, d):
            order = ("NHWC", "HWIO", "NHWC")
            conv = lambda h, k: jax.lax.conv_general_dilated(h, k, (1, 1), "SAME", dimension_numbers=order)
            h = pool(nn.relu(conv(d["x"], p["k1"]) + p["c1"]))
            h = pool(nn.relu(conv(h, p["k2"]) + p["c2"])).transpose(0, 3, 1, 2)
            h = h.reshape(h.shape[0], -1)
            for layer in (1, 2, 3):
                h = h @ p[f"w{layer}"] + p[f"b{layer}"]
                h = nn.relu(h) if layer < 3 else h
            return (nn.logsumexp(h, axis=1) - jnp.take_along_axis(h, d["y"][:, None], axis=1)[:, 0]).mean()
    zeros = jax.tree.map(jnp.zeros_like, p)
    state = (p, zeros, jax.tree.map(jnp.zeros_like, p), jnp.zeros((), jnp.float32))

    def update(state, data, rows):
        p, m, v, t = state
        value, g = jax.value_and_grad(loss)(p, {name: a[rows] for name, a in data.items()})
        rate, t = RATES[task], t + 1
        if task == "W10":
            return (jax.tree.map(lambda w, g: w - rate * g, p, g), m, v, t), value
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
        first, root = rate / (1 - BETA1 ** t), 1 / jnp.sqrt(1 - BETA2 ** t)
        p = jax.tree.map(lambda w, m, v: w - first * m / (jnp.sqrt(v) * root + EPS), p, m, v)
        return (p, m, v, t), value
    one = jax.jit(update, donate_argnums=0)
    several = jax.jit(lambda state, data, rows: jax.lax.scan(lambda s, r: update(s, data, r), state, rows),
                      donate_argnums=0)
    held = [state]

    def step(rows):
        held[0], value = one(held[0], data, rows.astype(np.int32))
        return value

    def epoch(order):
        if scan:
            whole = len(order) // BATCH * BATCH
            held[0], _ = several(held[0], data, order[:whole].reshape(-1, BATCH).astype(np.int32))
            order = order[whole:]
        for rows in batches(order):
            step(rows)
        jax.block_until_ready(held[0])
    return step, epoch


def onnx_loop(task, threads, x, y, compiled=False):
    import onnxruntime
    of = onnxruntime.OrtValue.ortvalue_from_numpy
    p = params(task)
    states = dict(p)
    if task != "W10":
        states.update({f"{letter}_{name}": np.zeros_like(a) for letter in "mv" for name, a in p.items()})
    given = dict(images=x, hot=np.eye(10, dtype=np.float32)[y])
    small = dict(rows=np.arange(BATCH), share=np.float32(1 / BATCH), first=np.float32(1), root=np.float32(1))
    g = others.Graph()
    images, hot = g("Gather", "images", "rows"), g("Gather", "hot", "rows")
    loss, grads = (others.onnx_perceptron if task == "W10" else onnx_lenet)(g, p, images, hot, "share")
    moved = {}
    for name in p:
        if task == "W10":
            moved[name] = g("Sub", name, g("Mul", grads[name], np.float64(RATES[task])))
            continue
        grad, scaled = grads[name], lambda a, factor: g("Mul", a, np.float64(factor))
        m = g("Add", scaled(f"m_{name}", BETA1), scaled(grad, 1 - BETA1))
        v = g("Add", scaled(f"v_{name}", BETA2), scaled(g("Mul", grad, grad), 1 - BETA2))
        below = g("Add", g("Mul", g("Sqrt", v), "root"), np.float64(EPS))
        moved[name] = g("Sub", name, g("Div", g("Mul", m, "first"), below))
        moved[f"m_{name}"], moved[f"v_{name}"] = m, v
    used = small if task != "W10" else dict(rows=small["rows"], share=small["share"])
    session = g.session({**states, **given, **used}, [loss, *moved.values()], threads, free=["rows"])
    held = [{name: of(a.copy()) for name, a in states.items()} for _ in range(2)]
    given, room = {name: of(a) for name, a in given.items()}, of(np.zeros((), np.float32))
    bindings = []
    for now, then in (held, held[::-1]):
        binding = session.io_binding()
        for name, value in {**now, **given}.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in {loss: room, **{moved[name]: then[name] for name in moved}}.items():
            binding.bind_ortvalue_output(name, value)
        bindings.append(binding)
    count = [0]

    def step(rows):
        binding, count[0] = bindings[count[0] % 2], count[0] + 1
        binding.bind_cpu_input("rows", rows)
        binding.bind_cpu_input("share", np.array(1 / len(rows), np.float32))
        if task != "W10":
            binding.bind_cpu_input("first", np.array(RATES[task] / (1 - BETA1 ** count[0]), np.float32))
            binding.bind_cpu_input("root", np.array(1 / np.sqrt(1 - BETA2 ** count[0]), np.float32))
        session.run_with_iobinding(binding)
        return room.numpy()

    def epoch(order):
        for rows in batches(order):
            step(rows)
    return step, epoch


def onnx_lenet(g, params, x, hot, share):
    """The loss of LeNet and its gradients, by hand."""
    ints = lambda *values: np.array(values, np.int64)
    fives = dict(kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    twos = dict(kernel_shape=[2, 2], strides=[2, 2])
    positive = lambda a: g("Cast", g("Greater", a, np.float64(0)), to=1)
    turn = lambda a: g("Transpose", a, perm=[1, 0, 2, 3])
    r1 = g("Relu", g("Conv", x, "k1", "c1", **fives))
    p1, i1 = g("MaxPool", r1, results=2, **twos)
    r2 = g("Relu", g("Conv", p1, "k2", "c2", **fives))
    p2, i2 = g("MaxPool", r2, results=2, **twos)
    tops = {name: a for name, a in params.items() if name[0] in "wb"}
    loss, grads, d = others.onnx_layers(g, tops, g("Reshape", p2, ints(-1, 784)), hot, share)
    d = g("Reshape", g("Gemm", d, "w1", transB=1), ints(-1, 16, 7, 7))
    d = g("Mul", g("MaxUnpool", d, i2, **twos), positive(r2))
    grads["k2"] = turn(g("Conv", turn(p1), turn(d), kernel_shape=[14, 14], pads=[2, 2, 2, 2]))
    grads["c2"] = g("ReduceSum", d, ints(0, 2, 3), keepdims=0)
    d = g("ConvTranspose", d, "k2", **fives)
    d = g("Mul", g("MaxUnpool", d, i1, **twos), positive(r1))
    grads["k1"] = turn(g("Conv", turn(x), turn(d), kernel_shape=[28, 28], pads=[2, 2, 2, 2]))
    grads["c1"] = g("ReduceSum", d, ints(0, 2, 3), keepdims=0)
    return loss, grads


def numpy_loop(task, threads, x, y, compiled=False):
    if task != "W10":
        raise NotImplementedError(task)
    p, d = params(task), {}
    call, _ = peers.numpy_call("W10", p, d, threads, rate=RATES[task])

    def step(rows):
        d.update(x=x[rows], y=y[rows])
        return call()[0]

    def epoch(order):
        for rows in batches(order):
            step(rows)
    return step, epoch


MAKERS = {"torch": torch_loop, "compiled": torch_loop, "jax": jax_loop, "ort": onnx_loop, "numpy": numpy_loop,
          "jax-scan": lambda *args, **more: jax_loop(*args, **more, scan=True)}
