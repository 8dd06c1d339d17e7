"""Some workloads in further libraries: those where one of them was ahead of the others when last measured."""
import os
import subprocess
import tempfile

import numpy as np

from workloads import FACTORS, RATE


class Graph:
    """Nodes of an ONNX model, f32, with adjoints written by hand: ONNX Runtime derives none."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def __call__(self, kind, *operands, results=1, **attributes):
        from onnx import helper
        self.count += 1
        names = [f"n{self.count}"] + [f"n{self.count}_{number}" for number in range(1, results)]
        operands = [a if isinstance(a, str) else self.constant(a) for a in operands]
        self.nodes.append(helper.make_node(kind, operands, names, **attributes))
        return names[0] if results == 1 else names

    def constant(self, value):
        from onnx import numpy_helper
        value = np.asarray(value)
        value = value.astype(np.float32) if value.dtype == np.float64 else value
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def session(self, inputs, outputs, threads, free=()):
        """`free`: the inputs whose first axis has any size."""
        import onnxruntime
        from onnx import TensorProto, helper
        kind = lambda a: helper.np_dtype_to_tensor_dtype(a.dtype)
        shape = lambda n, a: [None, *a.shape[1:]] if n in free else a.shape
        described = [helper.make_tensor_value_info(n, kind(a), shape(n, a)) for n, a in inputs.items()]
        results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        graph = helper.make_graph(self.nodes, "g", described, results, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def onnx_perceptron(g, params, x, hot, share):
    """The loss and the gradients of W1 and W2. `hot`: the labels as rows of zeros and a one; `share`: 1 / rows."""
    loss, grads, _ = onnx_layers(g, params, x, hot, share)
    return loss, {name: grads[name] for name in params}


def onnx_layers(g, params, x, hot, share):
    """The same, with the gradient of what the first layer adds up to."""
    layers, h = len(params) // 2, [x]
    for layer in range(1, layers + 1):
        z = g("Gemm", h[-1], f"w{layer}", f"b{layer}")
        h.append(g("Relu", z) if layer < layers else z)
    log = g("LogSoftmax", h.pop(), axis=-1)
    loss = g("Neg", g("Mul", g("ReduceSum", g("Mul", log, hot), keepdims=0), share))
    d, grads = g("Mul", g("Sub", g("Exp", log), hot), share), {}
    for layer in range(layers, 0, -1):
        grads[f"w{layer}"] = g("Gemm", h[layer - 1], d, transA=1)
        grads[f"b{layer}"] = g("ReduceSum", d, np.array([0]), keepdims=0)
        if layer > 1:
            mask = g("Cast", g("Greater", h[layer - 1], np.float64(0)), to=1)
            d = g("Mul", g("Gemm", d, f"w{layer}", transB=1), mask)
    return loss, grads, d


def onnx_chain(g):
    """The loss and the gradient of W9."""
    t, steps = "x", []
    for factor in FACTORS:
        u = g("Tanh", t)
        e = g("Exp", g("Neg", g("Add", g("Mul", u, np.float64(factor)), "x")))
        t = g("Sigmoid", e)
        steps.append((factor, u, e, t))
    dt, dx = None, None
    for factor, u, e, s in reversed(steps):
        ds = g("Mul", s, g("Sub", np.float64(1), s))
        dv = g("Neg", g("Mul", ds if dt is None else g("Mul", dt, ds), e))
        dx = dv if dx is None else g("Add", dx, dv)
        dt = g("Mul", g("Mul", dv, np.float64(factor)), g("Sub", np.float64(1), g("Mul", u, u)))
    return g("ReduceSum", t, keepdims=0), {"x": g("Add", dx, dt)}


def onnx_call(workload, params, data, threads):
    import onnxruntime
    g = Graph()
    if workload in ("W1", "W2", "W10"):
        hot = np.eye(10, dtype=np.float32)[data["y"]]
        loss, grads = onnx_perceptron(g, params, g.constant(data["x"]), g.constant(hot), np.float64(1 / len(hot)))
    elif workload == "W9":
        loss, grads = onnx_chain(g)
    else:
        raise NotImplementedError(workload)
    moved = {}
    if workload == "W10":
        moved = {n: g("Sub", n, g("Mul", grads[n], np.float64(RATE))) for n in params}
    outputs = [loss, *grads.values(), *moved.values()]
    session = g.session(params, outputs, threads)
    of = onnxruntime.OrtValue.ortvalue_from_numpy
    states = [{n: of(a.copy()) for n, a in params.items()} for _ in range(2)]
    room = {loss: of(np.zeros((), np.float32)), **{grads[n]: of(np.zeros_like(a)) for n, a in params.items()}}

    def bound(now, then):
        binding = session.io_binding()
        for name, value in now.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in {**room, **{moved[n]: then[n] for n in moved}}.items():
            binding.bind_ortvalue_output(name, value)
        return binding
    bindings = [bound(states[0], states[1]), bound(states[1], states[0])]
    turn = [0]

    def call():
        session.run_with_iobinding(bindings[turn[0]])
        turn[0] = 1 - turn[0] if moved else 0
        return room
    return call, lambda room: (float(room[loss].numpy()), {n: room[grads[n]].numpy().copy() for n in params})


def pytensor_call(workload, params, data, threads):
    if os.path.exists("/usr/lib/x86_64-linux-gnu/libopenblas.so"):
        os.environ.setdefault("PYTENSOR_FLAGS", "blas__ldflags=-lopenblas")
    import pytensor
    import pytensor.tensor as pt
    given = {name: pt.constant(a) for name, a in data.items()}
    p = {name: pytensor.shared(a, name=name, borrow=True, shape=a.shape) for name, a in params.items()}
    small = np.float32
    if workload in ("W1", "W2", "W10"):
        h, layers = given["x"], len(p) // 2
        for layer in range(1, layers + 1):
            h = h @ p[f"w{layer}"] + p[f"b{layer}"]
            h = pt.maximum(h, small(0)) if layer < layers else h
        hot = pt.constant(np.eye(10, dtype=small)[data["y"]])
        loss = -pt.mean(pt.sum(pt.special.log_softmax(h, axis=1) * hot, 1))
    elif workload == "W3":
        h = pt.sigmoid(given["x"] @ p["w1"] + p["b1"])
        loss = small(0.5) * ((given["t"] - pt.sigmoid(h @ p["w2"] + p["b2"])) ** 2).sum()
    elif workload == "W4":
        loss = pt.softplus(-given["y"] * (given["X"] @ p["w"])).sum()
    else:
        raise NotImplementedError(workload)
    grads = pytensor.grad(loss, list(p.values()))
    if workload == "W4":
        grads = [pytensor.gradient.jacobian(grads[0], p["w"], vectorize=True)]
    updates = [(a, (a - small(RATE) * b).astype("float32")) for a, b in zip(p.values(), grads)]
    updates = updates if workload == "W10" else []
    call = pytensor.function([], [loss, *grads], updates=updates, mode="CVM")
    return call, lambda result: (float(result[0]), dict(zip(p, result[1:])))


def casadi_call(workload, params, data, threads):
    """The C code that CasADi writes, compiled with all optimisation, in f64: it has no other floats."""
    import casadi
    if workload != "W3":
        raise NotImplementedError(workload)
    p = {name: casadi.MX.sym(name, *a.shape) for name, a in params.items()}
    sigmoid = lambda z: 1 / (1 + casadi.exp(-z))
    h = sigmoid(casadi.mtimes(p["w1"].T, casadi.DM(data["x"].T)) + p["b1"])
    out = sigmoid(casadi.mtimes(p["w2"].T, h) + p["b2"])
    loss = 0.5 * casadi.sumsqr(casadi.DM(data["t"].T) - out)
    f = casadi.Function("f", list(p.values()), [loss] + [casadi.gradient(loss, a) for a in p.values()])
    folder, here = tempfile.mkdtemp(), os.getcwd()
    os.chdir(folder)
    try:
        f.generate("f.c", dict(with_header=False))
        flags = ["-O3", "-march=native", "-ffast-math", "-fPIC", "-shared", "-w"]
        subprocess.run(["gcc", *flags, "f.c", "-o", "f.so", "-lm"], check=True)
        f = casadi.external("f", os.path.join(folder, "f.so"))
    finally:
        os.chdir(here)
    # The interface of buffers: nothing is copied or converted in a call.
    buffer, run = f.buffer()
    inputs = [np.asfortranarray(a, np.float64).ravel(order="F") for a in params.values()]
    results = [np.zeros(f.nnz_out(i)) for i in range(f.n_out())]
    for i, a in enumerate(inputs):
        buffer.set_arg(i, memoryview(a))
    for i, a in enumerate(results):
        buffer.set_res(i, memoryview(a))

    def call(kept=(buffer, f, inputs)):
        run()
        return results
    shaped = lambda result: {n: r.reshape(a.shape, order="F") for (n, a), r in zip(params.items(), result[1:])}
    return call, lambda result: (float(result[0][0]), shaped(result))
