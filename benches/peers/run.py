#!/usr/bin/env python3
"""Measures pullback and other libraries on W1 to W10 in one run, and prints the table of ratios.

  python benches/peers/run.py [--threads 1,2] [--peers torch,jax,...] [--workloads W1,W9] [--seconds 1] [--rounds 3] [--out F]
  python benches/peers/run.py --check [--truth jax]

Needs numpy and scipy, and for each peer its library, installed in the environment that runs this. Peers are measured from
Python with warm calls, results forced; pullback by `pullback bench`. Every result is compared with one that the peer
`--truth` computes in f64. `--check` compares pullback's alone, measures nothing, and fails if one disagrees.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import convert  # noqa: E402
import workloads  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
TOLERANCE = 1e-4


def environment(threads):
    env = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUM_CPU_THREADS"):
        env[name] = str(threads)
    env.setdefault("JAX_PLATFORMS", "cpu")
    env["PULLBACK_THREADS"] = str(threads)
    return env


def pin(threads):
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def timed(call, seconds):
    """The least and the median time of a call in milliseconds."""
    clock = time.perf_counter
    start, count = clock(), 0
    while count < 3 or clock() - start < seconds / 4:
        call()
        count += 1
    inner = max(1, int(200e-6 * count / (clock() - start)))
    samples, start = [], clock()
    while len(samples) < 5 or clock() - start < seconds:
        begun = clock()
        for _ in range(inner):
            call()
        samples.append((clock() - begun) / inner)
    samples.sort()
    return samples[0] * 1e3, samples[len(samples) // 2] * 1e3


def pullback(workload, threads, binary, seconds=None):
    """Values by `pullback eval`; times by `pullback bench`, if it is to take so many seconds."""
    model = os.path.join(HERE, "models", ("W1" if workload == "W10" else workload) + ".nn")
    params, data = workloads.make(workload)
    with tempfile.TemporaryDirectory() as folder:
        archive = convert.convert(workload, params, data, folder)
        mode = ["--mode", "hessian"] if workload == "W4" else []

        def ask(verb, *more):
            call = [binary, verb, model, "--data", archive, *mode, *more]
            found = subprocess.run(call, env=environment(threads), capture_output=True, text=True,
                                   preexec_fn=lambda: pin(threads))
            if found.returncode:
                raise RuntimeError(found.stderr.strip().splitlines()[-1])
            return found.stdout

        times = None
        if seconds is not None:
            step = ["--step", str(workloads.RATE)] if workload == "W10" else []
            report = json.loads(ask("bench", "--seconds", str(seconds), "--json", *step))
            times = report["ms_min"], report["ms_median"]
        out = os.path.join(folder, "out.npz")
        ask("eval", "--grad", "-o", out)
        with np.load(out) as values:
            loss = float(values["C"])
            grads = {name[5:]: values[name] for name in values.files if name.startswith("grad.")}
    return loss, grads, times


def check(args):
    """Compares every workload, and tells whether all agree. W10 has the gradients of W1."""
    asked = [(workload, int(threads)) for workload in args.workloads.split(",") if workload != "W10"
             for threads in args.threads.split(",")]
    # All processes before the peer is loaded: a fork beside its threads may hang.
    found = [pullback(workload, threads, args.binary) for workload, threads in asked]
    wrong = 0
    for (workload, threads), (loss, grads, _) in zip(asked, found):
        error = workloads.error(workload, loss, grads, args.truth)
        agrees = error <= TOLERANCE
        wrong += not agrees
        print(f"{workload}, {threads} thread(s): {'agrees' if agrees else 'DISAGREES'}, {error:.1e}", flush=True)
    return wrong == 0


def child(args):
    """Measures one peer on one workload, and prints a line of JSON."""
    workload, threads = args.workloads, int(args.threads)
    line = dict(peer=args.peers, workload=workload, threads=threads)
    try:
        if args.peers == "pullback":
            loss, grads, (least, median) = pullback(workload, threads, args.binary, args.seconds)
        else:
            pin(threads)
            import peers
            call, unpack = peers.build(args.peers, workload, threads)
            loss, grads = unpack(call())
            least, median = timed(call, args.seconds)
        who = resource.RUSAGE_CHILDREN if args.peers == "pullback" else resource.RUSAGE_SELF
        memory = resource.getrusage(who).ru_maxrss >> 10
        error = workloads.error(workload, loss, grads, args.truth)
        line.update(memory=memory, ms_min=least, ms_median=median, error=error, ok=bool(error <= TOLERANCE))
    except NotImplementedError:
        line.update(skipped=True)
    except Exception as why:  # a peer that fails is a line of the table, not the end of it
        line.update(failed=f"{type(why).__name__}: {why}"[:200])
    print("LINE " + json.dumps(line))


def told(ask, threads, what):
    """The lines that a child process prints of `what`."""
    done = subprocess.run(ask, env=environment(int(threads)), capture_output=True, text=True)
    found = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("LINE ")]
    print(found[-1] if found else f"{what}: {done.stderr[-300:]}", file=sys.stderr, flush=True)
    return found


def write(path, lines):
    """Writes the lines to a file, where one is asked for."""
    if path:
        with open(path, "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def table(lines, peers):
    """The least times, how many times as long the best peer takes, and how much memory."""
    text = []
    for threads in sorted({line["threads"] for line in lines}):
        text.append(f"\nBest time of a warm call in ms, {threads} thread(s)\n")
        text.append("| | " + " | ".join(peers) + " | best peer / pullback | memory in MB, best peer's |")
        text.append("|---" * (len(peers) + 3) + "|")
        for workload in workloads.NAMES:
            times, memory = {}, {}
            for line in lines:
                if line["workload"] == workload and line["threads"] == threads and line.get("ok"):
                    peer = line["peer"]
                    times[peer] = min(line["ms_min"], times.get(peer, np.inf))
                    memory[peer] = min(line["memory"], memory.get(peer, np.inf))
            if not times:
                continue
            own = times.get("pullback")
            others = [peer for peer in times if peer != "pullback"]
            best = min(others, key=times.get, default=None)
            ratio = f"{times[best] / own:.2f}" if own and best else "-"
            cell = lambda time: f"{time:.4g}" if time else "-"
            row = [cell(times.get(peer)) for peer in peers]
            room = f"{memory.get('pullback', '-')}, {min((memory[peer] for peer in others), default='-')}"
            text.append(f"| {workload} | " + " | ".join(row) + f" | {ratio} | {room} |")
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="torch,jax,ort,pytensor,casadi,numpy")
    parser.add_argument("--workloads", default=",".join(workloads.NAMES))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--binary", default=os.path.join(ROOT, "target", "release", "pullback"))
    parser.add_argument("--rounds", type=int, default=1, help="how often all is measured in turn; the least counts")
    parser.add_argument("--out")
    parser.add_argument("--truth", default="torch", help="the peer that computes in f64 what results are compared with")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--child", action="store_true")
    args = parser.parse_args()
    if args.child:
        return child(args)
    if args.check:
        sys.exit(0 if check(args) else 1)
    peers = ["pullback", *[peer for peer in args.peers.split(",") if peer]]
    lines = []
    asked = [(workload, threads, peer) for workload in args.workloads.split(",")
             for threads in args.threads.split(",") for peer in peers]
    idle = set()
    for workload, threads, peer in asked * args.rounds:
        if (workload, peer) in idle:
            continue
        ask = [sys.executable, os.path.abspath(__file__), "--child", "--peers", peer, "--workloads", workload,
               "--threads", threads, "--seconds", str(args.seconds), "--binary", args.binary, "--truth", args.truth]
        found = told(ask, threads, f"{peer} {workload}")
        idle.update((workload, peer) for line in found if line.get("skipped"))
        lines.extend(line for line in found if not line.get("skipped"))
    write(args.out, lines)
    print(table(lines, peers))


if __name__ == "__main__":
    main()
