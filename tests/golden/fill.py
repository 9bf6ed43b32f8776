"""Deterministic weights for parity tests. Own code, no third-party source: may be copied into the project's tests.

    spec = json.load(open('spec_drcr.json'))
    sd = filled_state_dict(spec)            # {key: torch tensor}, to be given to load_state_dict(strict=True)
    x  = seeded_input(seed, shape)          # float32 in [0, 1)

Each key has a 'fill' kind in spec['fill'] (only the exceptions are listed; the default is 'normal'):
  normal    N * gain / sqrt(prod(shape[1:]))  for arrays of two or more dimensions, N * 0.05 for the rest (biases, PReLU, gates);
                             N = default_rng(crc32(key)).standard_normal(shape), gain = spec['gain'] (chosen per net)
  one_plus  1 + 0.05 * N     affine weights of norm layers, weight_g of weight norm, parameters initialised to ones
  var       |0.05 * N| + 0.5 BatchNorm running_var
  sn_u,sn_v                  spectral norm weight_u, weight_v: 30 power iterations on the filled weight_orig, as a trained checkpoint has them
  zero      0                integer buffers (num_batches_tracked)
  keep      leave the value the constructor put there (constant buffers)
Keys that alias one tensor in the original (shared PReLU) are listed in spec['alias'] = {key: first_key} and take first_key's value,
so a port that shares the layer and one that does not give the same result.
All arithmetic is float64 in numpy and cast to float32 once.
"""

import zlib

import numpy as np


def _rng(key):
    return np.random.default_rng(zlib.crc32(key.encode()))


def fill_array(key, shape, kind, gain, s=0.05):
    shape = tuple(shape)
    if kind == "zero":
        return np.zeros(shape, np.int64)
    if kind == "normal":
        factor = gain / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else s
        return _scaled_normals(_rng(key), shape, factor)
    n = _rng(key).standard_normal(shape)
    if kind == "one_plus":
        n = 1 + s * n
    elif kind == "var":
        n = np.abs(s * n) + 0.5
    else:
        raise ValueError(kind)
    return np.asarray(n, dtype=np.float32)


def _scaled_normals(rng, shape, factor):
    """The same values as standard_normal(shape) * factor, made in parts that stay in the cache."""
    out = np.empty(int(np.prod(shape)), np.float32)
    buffer = np.empty(2**16)
    for start in range(0, out.size, buffer.size):
        part = buffer[: out.size - start]
        rng.standard_normal(out=part)
        part *= factor
        out[start : start + part.size] = part
    return out.reshape(shape)


def spectral_uv(w, iters=30):
    w = np.asarray(w, np.float64).reshape(w.shape[0], -1)
    u = np.full(w.shape[0], w.shape[0] ** -0.5)
    for _ in range(iters):
        v = w.T @ u
        v /= np.linalg.norm(v)
        u = w @ v
        u /= np.linalg.norm(u)
    return u.astype(np.float32), v.astype(np.float32)


def filled_state_dict(spec, keep=None):
    """keep: the model's own state_dict, needed only when spec has 'keep' keys."""
    import torch

    sd = {}
    for k, shape in spec["keys"].items():
        kind = spec["fill"].get(k, "normal")
        if kind == "keep":
            sd[k] = keep[k].clone()
        elif kind in ("sn_u", "sn_v"):
            w = k[:-2] + "_orig"
            uv = spectral_uv(fill_array(w, spec["keys"][w], "normal", spec["gain"]))
            sd[k] = torch.from_numpy(uv[kind == "sn_v"])
        else:
            sd[k] = torch.from_numpy(fill_array(spec["alias"].get(k, k), shape, kind, spec["gain"]))
    return sd


def seeded_input(seed, shape):
    return np.random.default_rng(seed).random(tuple(shape), dtype=np.float32)
