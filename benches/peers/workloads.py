"""The workloads: their inputs, drawn from fixed seeds, and their answers in f64."""
import numpy as np

NAMES = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10"]
RATE = 0.01
FACTORS = [0.9, 1.1, 0.8, 1.2, 0.7, 1.3, 0.95, 1.05, 0.85, 1.15]
F = np.float32


def dense(random, inputs, outputs):
    return (random.standard_normal((inputs, outputs)) * np.sqrt(2.0 / inputs)).astype(F)


def make(workload):
    """Parameters and data, the same on every call."""
    name = "W1" if workload == "W10" else workload
    random = np.random.default_rng(1000 + int(name[1:]))
    small = lambda *shape: (0.1 * random.standard_normal(shape)).astype(F)
    if name in ("W1", "W2"):
        sizes, rows = ([784, 128, 10], 64) if name == "W1" else ([784, 1024, 1024, 10], 256)
        params = {}
        for layer in range(1, len(sizes)):
            params[f"w{layer}"] = dense(random, sizes[layer - 1], sizes[layer])
            params[f"b{layer}"] = small(sizes[layer])
        return params, dict(x=random.random((rows, 784)).astype(F), y=random.integers(0, 10, rows))
    if name == "W3":
        params = dict(w1=np.array([[0.15, 0.25], [0.20, 0.30]], F), b1=np.array([0.35, 0.35], F),
                      w2=np.array([[0.40, 0.50], [0.45, 0.55]], F), b2=np.array([0.60, 0.60], F))
        return params, dict(x=np.array([[0.05, 0.10]], F), t=np.array([[0.01, 0.99]], F))
    if name == "W4":
        x, w = random.standard_normal((2000, 100)), random.standard_normal(100)
        y = np.where(x @ w + random.standard_normal(2000) > 0, 1.0, -1.0)
        return dict(w=0.1 * random.standard_normal(100)), dict(X=x, y=y)
    if name == "W5":
        params = dict(k1=(random.standard_normal((8, 1, 5, 5)) * np.sqrt(2 / 25)).astype(F), c1=small(8),
                      k2=(random.standard_normal((16, 8, 5, 5)) * np.sqrt(2 / 200)).astype(F), c2=small(16),
                      w1=dense(random, 256, 128), b1=small(128), w2=dense(random, 128, 10), b2=small(10))
        return params, dict(y=random.integers(0, 10, 64), x=random.random((64, 1, 28, 28)).astype(F))
    if name == "W6":
        scaled = lambda i, o: (random.standard_normal((i, o)) / np.sqrt(i)).astype(F)
        params = dict(g1=1 + small(128), e1=small(128), wqkv=scaled(128, 384), bqkv=small(384), wo=scaled(128, 128),
                      bo=small(128), g2=1 + small(128), e2=small(128), wu=scaled(128, 512), bu=small(512),
                      wd=scaled(512, 128), bd=small(128))
        normal = lambda: random.standard_normal((8, 64, 128)).astype(F)
        return params, dict(x=normal(), t=normal())
    if name == "W7":
        params = dict(wx=(random.standard_normal((64, 512)) / 8).astype(F),
                      wh=(random.standard_normal((128, 512)) / np.sqrt(128)).astype(F), b=small(512))
        return params, dict(x=random.standard_normal((64, 16, 64)).astype(F),
                            t=random.standard_normal((16, 128)).astype(F))
    if name == "W8":
        params = dict(alpha=random.standard_normal(25), mu=random.random((25, 10)),
                      q=random.standard_normal((25, 10)) * 0.3, l=random.standard_normal((25, 45)) * 0.3)
        return params, dict(x=random.random((1000, 10)), gamma=np.array(1.0), m=np.array(0))
    if name == "W9":
        return dict(x=random.standard_normal(1_000_000).astype(F)), {}
    raise KeyError(name)


def error(workload, loss, grads, peer="torch"):
    """The largest error of the loss and of each gradient against a peer in f64, relative to the largest entry."""
    import peers
    call, unpack = peers.build(peer, "W1" if workload == "W10" else workload, 2, wide=True)
    true_loss, truth = unpack(call())
    errors = [abs(loss - true_loss) / max(abs(true_loss), 1e-30)]
    for name, true in truth.items():
        found = np.asarray(grads[name], np.float64).reshape(true.shape)
        errors.append(np.max(np.abs(found - true)) / max(np.max(np.abs(true)), 1e-30))
    return float(np.max(errors))  # NaN where one is
