"""Inputs of the workloads under the names that the models in `models` have."""
import os

import numpy as np
from scipy.special import multigammaln


def convert(workload, params, data, folder):
    """Writes the arrays of a workload to an archive that `--data` takes, and returns its path."""
    arrays = dict(params)
    arrays.update({name: value for name, value in data.items() if name != "yoh"})
    if workload == "W8":
        d, m = arrays["x"].shape[1], int(arrays["m"])
        arrays["multigamma"] = np.array(multigammaln(0.5 * (d + m + 1), d))
    path = os.path.join(folder, workload + ".npz")
    np.savez(path, **arrays)
    return path
