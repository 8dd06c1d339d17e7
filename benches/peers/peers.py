"""The workloads in PyTorch, in JAX, and by hand in numpy; in `others` those of further libraries."""
import numpy as np

import workloads
from workloads import FACTORS, RATE

TRIANGLE = [(row, column) for column in range(9) for row in range(column + 1, 10)]


def build(peer, workload, threads, wide=False):
    """A call without arguments, and what makes `(loss, gradients)` of its result. `wide`: in f64."""
    params, data = workloads.make(workload)
    if wide:
        widen = lambda arrays: {k: a.astype(np.float64) if a.dtype == np.float32 else a for k, a in arrays.items()}
        params, data = widen(params), widen(data)
    makers = dict(torch=torch_call, jax=jax_call, numpy=numpy_call)
    if peer not in makers:
        import others
        makers = dict(ort=others.onnx_call, pytensor=others.pytensor_call, casadi=others.casadi_call)
    return makers[peer](workload, params, data, threads)


def torch_call(workload, params, data, threads):
    import torch
    torch.set_num_threads(threads)
    params = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    data = {name: torch.tensor(value) for name, value in data.items()}
    loss = torch_loss(torch, workload, data)
    names, leaves = list(params), list(params.values())
    to_numpy = lambda arrays: {name: a.detach().numpy() for name, a in zip(names, arrays)}
    if workload == "W4":
        weights = params["w"].detach()
        call = lambda: (loss({"w": weights}), torch.func.hessian(lambda w: loss({"w": w}))(weights))
        return call, lambda result: (result[0].item(), {"w": result[1].numpy()})
    if workload == "W10":
        def step():
            value = loss(params)
            grads = torch.autograd.grad(value, leaves)
            with torch.no_grad():
                torch._foreach_add_(leaves, grads, alpha=-RATE)
            return value, grads
        return step, lambda result: (result[0].item(), to_numpy(result[1]))

    def call():
        value = loss(params)
        return value, torch.autograd.grad(value, leaves)
    return call, lambda result: (result[0].item(), to_numpy(result[1]))


def torch_loss(torch, workload, d):
    nn = torch.nn.functional
    if workload in ("W1", "W2", "W10"):
        def loss(p):
            h, layers = d["x"], len(p) // 2
            for layer in range(1, layers + 1):
                h = torch.addmm(p[f"b{layer}"], h, p[f"w{layer}"])
                h = torch.relu(h) if layer < layers else h
            return nn.cross_entropy(h, d["y"])
    elif workload == "W3":
        def loss(p):
            h = torch.sigmoid(torch.addmm(p["b1"], d["x"], p["w1"]))
            return 0.5 * ((d["t"] - torch.sigmoid(torch.addmm(p["b2"], h, p["w2"]))) ** 2).sum()
    elif workload == "W4":
        def loss(p):
            return nn.softplus(-d["y"] * (d["X"] @ p["w"])).sum()
    elif workload == "W5":
        def loss(p):
            h = nn.max_pool2d(torch.relu(nn.conv2d(d["x"], p["k1"], p["c1"])), 2)
            h = nn.max_pool2d(torch.relu(nn.conv2d(h, p["k2"], p["c2"])), 2)
            h = torch.relu(torch.addmm(p["b1"], h.flatten(1), p["w1"]))
            return nn.cross_entropy(torch.addmm(p["b2"], h, p["w2"]), d["y"])
    elif workload == "W6":
        def loss(p):
            x = d["x"]
            batch, steps, size = x.shape
            h = nn.layer_norm(x, (size,), p["g1"], p["e1"], 1e-5)
            qkv = (h @ p["wqkv"] + p["bqkv"]).view(batch, steps, 3, 4, size // 4).permute(2, 0, 3, 1, 4)
            a = nn.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]).transpose(1, 2).reshape(batch, steps, size)
            r = x + a @ p["wo"] + p["bo"]
            h = nn.gelu(nn.layer_norm(r, (size,), p["g2"], p["e2"], 1e-5) @ p["wu"] + p["bu"], approximate="tanh")
            return ((r + h @ p["wd"] + p["bd"] - d["t"]) ** 2).mean()
    elif workload == "W7":
        def loss(p):
            # The layer of the library, one call for all steps; its gates are in the same order.
            nothing = torch.zeros(1, d["x"].shape[1], p["wh"].shape[0], dtype=d["x"].dtype)
            weights = [p["wx"].t(), p["wh"].t(), p["b"], torch.zeros_like(p["b"])]
            _, h, _ = torch.lstm(d["x"], (nothing, nothing), weights, True, 1, 0.0, True, False, False)
            return ((h[0] - d["t"]) ** 2).mean()
    elif workload == "W8":
        rows, columns = (torch.tensor(axis) for axis in zip(*TRIANGLE))
        constant = gmm_constant(d)

        def loss(p):
            n, clusters = d["x"].shape[0], p["alpha"].shape[0]
            lower = torch.zeros(clusters, 10, 10, dtype=p["l"].dtype)
            lower = lower.index_put((torch.arange(clusters)[:, None], rows, columns), p["l"])
            far = d["x"][:, None, :] - p["mu"]
            y = torch.exp(p["q"]) * far + torch.einsum("kij,nkj->nki", lower, far)
            inner = p["alpha"] + p["q"].sum(1) - 0.5 * (y ** 2).sum(2)
            prior = 0.5 * d["gamma"] ** 2 * ((torch.exp(p["q"]) ** 2).sum() + (p["l"] ** 2).sum())
            return constant + torch.logsumexp(inner, 1).sum() - n * torch.logsumexp(p["alpha"], 0) - prior
    elif workload == "W9":
        def loss(p):
            t = x = p["x"]
            for factor in FACTORS:
                t = torch.sigmoid(torch.exp(-(torch.tanh(t) * factor + x)))
            return t.sum()
    return loss


def gmm_constant(d):
    from scipy.special import multigammaln
    n, size, clusters, dof = d["x"].shape[0], 10, 25, 11 + int(d["m"])
    wishart = dof * size * np.log(float(d["gamma"]) / np.sqrt(2)) - multigammaln(0.5 * dof, size)
    return -n * size * 0.5 * np.log(2 * np.pi) + clusters * wishart


def jax_call(workload, params, data, threads):
    import jax
    if any(value.dtype == np.float64 for value in {**params, **data}.values()):
        jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    # The layout of images that is faster here: channels last.
    turned = {"k1": (2, 3, 1, 0), "k2": (2, 3, 1, 0), "x": (0, 2, 3, 1)} if workload == "W5" else {}
    turn = lambda arrays: {name: a.transpose(turned[name]) if name in turned else a for name, a in arrays.items()}
    params, data = turn(params), turn(data)
    params = {name: jnp.asarray(value) for name, value in params.items()}
    data = {name: jnp.asarray(value) for name, value in data.items()}
    loss = jax_loss(jax, jnp, workload)
    back = lambda name, a: a.transpose(np.argsort(turned[name])) if name in turned else a
    to_numpy = lambda arrays: {name: back(name, np.asarray(a)) for name, a in arrays.items()}
    if workload == "W4":
        def both(p, d):
            return loss(p, d), jax.hessian(lambda w: loss({"w": w}, d))(p["w"])
        compiled = jax.jit(both)
        call = lambda: jax.block_until_ready(compiled(params, data))
        return call, lambda result: (float(result[0]), {"w": np.asarray(result[1])})
    if workload == "W10":
        @jax.jit
        def step(p, d):
            value, grads = jax.value_and_grad(loss)(p, d)
            return value, grads, {name: p[name] - RATE * grads[name] for name in p}
        held = [params]

        def call():
            value, grads, held[0] = jax.block_until_ready(step(held[0], data))
            return value, grads
        return call, lambda result: (float(result[0]), to_numpy(result[1]))
    compiled = jax.jit(jax.value_and_grad(loss))
    call = lambda: jax.block_until_ready(compiled(params, data))
    return call, lambda result: (float(result[0]), to_numpy(result[1]))


def jax_loss(jax, jnp, workload):
    nn = jax.nn

    def cross_entropy(z, y):
        return (nn.logsumexp(z, axis=1) - jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]).mean()

    def norm(x, g, b):
        far = x - x.mean(-1, keepdims=True)
        return far / jnp.sqrt((far ** 2).mean(-1, keepdims=True) + 1e-5) * g + b

    def pool(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    if workload in ("W1", "W2", "W10"):
        def loss(p, d):
            h, layers = d["x"], len(p) // 2
            for layer in range(1, layers + 1):
                h = h @ p[f"w{layer}"] + p[f"b{layer}"]
                h = nn.relu(h) if layer < layers else h
            return cross_entropy(h, d["y"])
    elif workload == "W3":
        def loss(p, d):
            h = nn.sigmoid(d["x"] @ p["w1"] + p["b1"])
            return 0.5 * ((d["t"] - nn.sigmoid(h @ p["w2"] + p["b2"])) ** 2).sum()
    elif workload == "W4":
        def loss(p, d):
            return nn.softplus(-d["y"] * (d["X"] @ p["w"])).sum()
    elif workload == "W5":
        def loss(p, d):
            order = ("NHWC", "HWIO", "NHWC")
            conv = lambda x, k: jax.lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=order)
            h = pool(nn.relu(conv(d["x"], p["k1"]) + p["c1"]))
            h = pool(nn.relu(conv(h, p["k2"]) + p["c2"])).transpose(0, 3, 1, 2)
            h = nn.relu(h.reshape(h.shape[0], -1) @ p["w1"] + p["b1"])
            return cross_entropy(h @ p["w2"] + p["b2"], d["y"])
    elif workload == "W6":
        def loss(p, d):
            x = d["x"]
            batch, steps, size = x.shape
            qkv = (norm(x, p["g1"], p["e1"]) @ p["wqkv"] + p["bqkv"]).reshape(batch, steps, 3, 4, size // 4)
            q, k, v = qkv.transpose(2, 0, 3, 1, 4)
            a = nn.softmax(q @ k.swapaxes(-1, -2) / np.sqrt(size // 4).astype(np.float32)) @ v
            r = x + a.transpose(0, 2, 1, 3).reshape(batch, steps, size) @ p["wo"] + p["bo"]
            h = nn.gelu(norm(r, p["g2"], p["e2"]) @ p["wu"] + p["bu"], approximate=True)
            return ((r + h @ p["wd"] + p["bd"] - d["t"]) ** 2).mean()
    elif workload == "W7":
        def loss(p, d):
            def step(state, z):
                h, c = state
                i, f, g, o = jnp.split(z + h @ p["wh"], 4, 1)
                c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
                return (nn.sigmoid(o) * jnp.tanh(c), c), None
            nothing = jnp.zeros((d["x"].shape[1], p["wh"].shape[0]), d["x"].dtype)
            (h, _), _ = jax.lax.scan(step, (nothing, nothing), d["x"] @ p["wx"] + p["b"])
            return ((h - d["t"]) ** 2).mean()
    elif workload == "W8":
        rows, columns = (np.array(axis) for axis in zip(*TRIANGLE))
        constant = gmm_constant(workloads.make("W8")[1])

        def loss(p, d):
            n, clusters = d["x"].shape[0], p["alpha"].shape[0]
            lower = jnp.zeros((clusters, 10, 10)).at[:, rows, columns].set(p["l"])
            far = d["x"][:, None, :] - p["mu"]
            y = jnp.exp(p["q"]) * far + jnp.einsum("kij,nkj->nki", lower, far)
            inner = p["alpha"] + p["q"].sum(1) - 0.5 * (y ** 2).sum(2)
            prior = 0.5 * d["gamma"] ** 2 * ((jnp.exp(p["q"]) ** 2).sum() + (p["l"] ** 2).sum())
            return constant + nn.logsumexp(inner, 1).sum() - n * nn.logsumexp(p["alpha"], 0) - prior
    elif workload == "W9":
        def loss(p, d):
            t = x = p["x"]
            for factor in FACTORS:
                t = nn.sigmoid(jnp.exp(-(jnp.tanh(t) * factor + x)))
            return t.sum()
    return loss


def numpy_call(workload, p, d, threads, rate=RATE):
    """Gradients by hand."""
    if workload in ("W1", "W2", "W10"):
        def call():
            layers, hidden = len(p) // 2, [d["x"]]
            for layer in range(1, layers + 1):
                z = hidden[-1] @ p[f"w{layer}"]
                z += p[f"b{layer}"]
                hidden.append(np.maximum(z, 0, out=z) if layer < layers else z)
            z = hidden.pop()
            z -= z.max(1, keepdims=True)
            picked = z[np.arange(len(z)), d["y"]]
            e = np.exp(z)
            total = e.sum(1, keepdims=True)
            loss = (np.log(total[:, 0]) - picked).mean()
            e /= total
            e[np.arange(len(z)), d["y"]] -= 1
            e /= len(z)
            grads = {}
            for layer in range(layers, 0, -1):
                grads[f"w{layer}"], grads[f"b{layer}"] = hidden[layer - 1].T @ e, e.sum(0)
                if layer > 1:
                    e = e @ p[f"w{layer}"].T
                    e *= hidden[layer - 1] > 0
            if workload == "W10":
                for name, grad in grads.items():
                    p[name] -= np.float32(rate) * grad
            return loss, grads
        return call, lambda result: (float(result[0]), result[1])
    if workload == "W4":
        def call():
            z = d["y"] * (d["X"] @ p["w"])
            s = 1 / (1 + np.exp(z))
            return np.logaddexp(0, -z).sum(), {"w": (d["X"] * (s * (1 - s))[:, None]).T @ d["X"]}
        return call, lambda result: (float(result[0]), result[1])
    raise NotImplementedError(workload)
