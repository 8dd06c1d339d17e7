#!/usr/bin/env python3
"""Measures what comes before the first call: cold start, and how long gradients of long graphs take to derive and to compile.

  python benches/peers/compile_side.py [--peers torch,jax,casadi] [--sizes 1000,10000,100000] [--cap 120]

The graph: x of 16 values, then sin, + x, tanh, *, - in turn on the last two values, so many times; the sum of the last. Each
figure is of a process of its own. Cold start is the time of a whole process that prints the gradient of W3.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from run import ROOT, environment  # noqa: E402


def text(count):
    """The graph in the language of pullback."""
    lines = ["param x: f32[16] = 0", "v0 = 1/2 * x", "v1 = sin(v0)"]
    for i in range(2, count):
        a, b = f"v{i - 1}", f"v{i - 2}"
        body = {0: f"sin({a})", 1: f"{a} + x", 2: f"tanh({a})", 3: f"{a} * {b}", 4: f"{a} - {b}"}[i % 5]
        lines.append(f"v{i} = {body}")
    return "\n".join(lines) + f"\nloss C = sum(v{count - 1})\n"


def chain(x, count, sin, tanh, half=0.5):
    b = x * half
    a = sin(b)
    for i in range(2, count):
        k = i % 5
        c = sin(a) if k == 0 else a + x if k == 1 else tanh(a) if k == 2 else a * b if k == 3 else a - b
        a, b = c, a
    return a


def gradient(peer, count):
    """Seconds to derive and to compile with the first call."""
    import numpy as np
    sys.setrecursionlimit(10_000_000)
    x, clock = np.linspace(0.1, 0.9, 16).astype(np.float32), time.perf_counter
    if peer == "torch":
        import torch
        leaf = torch.tensor(x, requires_grad=True)
        begun = clock()
        loss = chain(leaf, count, torch.sin, torch.tanh).sum()
        derived = clock()
        torch.autograd.grad(loss, leaf)
    elif peer == "jax":
        import jax
        import jax.numpy as jnp
        jnp.sin(x).block_until_ready()
        begun = clock()
        lowered = jax.jit(jax.value_and_grad(lambda x: chain(x, count, jnp.sin, jnp.tanh).sum())).lower(x)
        derived = clock()
        jax.block_until_ready(lowered.compile()(x))
    elif peer == "casadi":
        import casadi
        leaf = casadi.SX.sym("x", 16)
        begun = clock()
        loss = casadi.sum1(chain(leaf, count, casadi.sin, casadi.tanh))
        gradient = casadi.gradient(loss, leaf)
        derived = clock()
        casadi.Function("f", [leaf], [loss, gradient])(x)
    return derived - begun, clock() - derived


def own(binary, count):
    """The same of pullback, read from a file: reading counts as deriving."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "chain.nn")
        with open(path, "w") as file:
            file.write(text(count))
        begun = time.perf_counter()
        ask = [binary, "bench", path, "--seconds", "0.01", "--json"]
        done = subprocess.run(ask, capture_output=True, text=True, check=True, env=environment(2))
        whole = time.perf_counter() - begun
        report = json.loads(done.stdout)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return report["derive_ms"] / 1e3, report["plan_ms"] / 1e3, whole, memory


def first(peer):
    """The gradient of W3, printed."""
    import peers
    call, unpack = peers.build(peer, "W3", 2)
    print(unpack(call())[1]["w1"].ravel().tolist())


def cold(peer, binary, count=5):
    """The least time of a whole process."""
    ask = [sys.executable, os.path.abspath(__file__), "--child", f"cold/{peer}/0"]
    if peer == "pullback":
        model = os.path.join(HERE, "models", "W3.nn")
        ask = [binary, "eval", model, "--grad", "--set", "x=[[0.05, 0.1]]", "--set", "t=[[0.01, 0.99]]"]
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        subprocess.run(ask, capture_output=True, check=True, env=environment(2))
        times.append(time.perf_counter() - begun)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="torch,jax,casadi")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--cap", type=float, default=120)
    parser.add_argument("--binary", default=os.path.join(ROOT, "target", "release", "pullback"))
    parser.add_argument("--child")
    args = parser.parse_args()
    if args.child:
        what, peer, count = args.child.split("/")
        if what == "cold":
            return first(peer)
        derive, compiled = gradient(peer, int(count))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return print(json.dumps([derive, compiled, memory]))
    sizes = [int(size) for size in args.sizes.split(",")]
    print("| | cold start, s | " + " | ".join(f"{size} nodes: derive + compile, s (MB)" for size in sizes) + " |")
    print("|---" * (len(sizes) + 2) + "|")
    for peer in ["pullback", *args.peers.split(",")]:
        cells = [f"{cold(peer, args.binary):.3f}"]
        for size in sizes:
            try:
                if peer == "pullback":
                    derive, plan, whole, memory = own(args.binary, size)
                    cells.append(f"{derive:.3f} + {plan:.3f}; whole process {whole:.2f} ({memory >> 10})")
                    continue
                ask = [sys.executable, os.path.abspath(__file__), "--child", f"long/{peer}/{size}"]
                done = subprocess.run(["bash", "-c", 'ulimit -s unlimited; exec "$@"', "x", *ask], env=environment(2),
                                      capture_output=True, text=True, check=True, timeout=args.cap)
                derive, compiled, memory = json.loads(done.stdout.splitlines()[-1])
                cells.append(f"{derive:.3f} + {compiled:.3f} ({memory >> 10})")
            except subprocess.TimeoutExpired:
                cells.append(f"over {args.cap:.0f}")
            except subprocess.CalledProcessError:
                cells.append("fails")
        print(f"| {peer} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
