"""scikit-learn's side of bench/head: one sweep for each line on stdin.

Standardise, solve each penalty on the training set, evaluate it on the
validation set, solve the best on both. The first time two ways are tried,
starting each penalty from zero or from the previous solution; the faster one is
then used.
"""
import json
import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

job = json.loads(sys.argv[1])
dim, classes = job["dim"], job["classes"]


def load(name):
    x = np.fromfile(job["dir"] + "/" + name, dtype=np.float32).reshape(-1, dim)
    return x, np.arange(len(x)) % classes


def scaling(x):
    """Standardises like train/head: variances are shrunk towards their median."""
    v, n = x.var(0, dtype=np.float64), len(x)
    v = (n * v + 10 * np.sort(v)[len(v) // 2]) / (n + 10)
    return x.mean(0, dtype=np.float64), np.sqrt(v)


def objective(m, x, y, penalty):
    z = (x @ m.coef_.T.astype(x.dtype)).astype(np.float64) + m.intercept_
    top = z.max(1)
    loss = top + np.log(np.exp(z - top[:, None]).sum(1)) - z[np.arange(len(y)), y]
    return loss.mean() + penalty / 2 * (m.coef_.astype(np.float64) ** 2).sum()


def fit(x, y, vx, vy, warm):
    mean, deviation = scaling(x)
    sx = ((x - mean) / deviation).astype(np.float32)
    svx = ((vx - mean) / deviation).astype(np.float32)
    best, models, iterations = None, [], 0
    m = LogisticRegression(tol=job["tolerance"], max_iter=1000, warm_start=warm)
    for penalty in job["penalties"]:
        m.C = 1 / (len(y) * penalty)
        m.fit(sx, y)
        iterations += int(m.n_iter_[0])
        loss = -np.log(m.predict_proba(svx)[np.arange(len(vy)), vy] + 1e-30).mean()
        if best is None or loss < best[0]:
            best = loss, penalty
        copy = LogisticRegression()
        copy.coef_, copy.intercept_ = m.coef_.copy(), m.intercept_.copy()
        models.append(copy)
    ax, ay = np.concatenate([x, vx]), np.concatenate([y, vy])
    mean, deviation = scaling(ax)
    ax = ((ax - mean) / deviation).astype(np.float32)
    m = LogisticRegression(tol=job["tolerance"], max_iter=1000, C=1 / (len(ay) * best[1]))
    m.fit(ax, ay)
    return models, sx, iterations + int(m.n_iter_[0])


x, y = load("train")
vx, vy = load("validation")
ways = {"each from zero": False, "warm starts": True}
for _ in sys.stdin:
    tried = []
    for way, warm in ways.items():
        start = time.perf_counter()
        models, sx, iterations = fit(x, y, vx, vy, warm)
        tried.append((time.perf_counter() - start, way, models, iterations))
    seconds, way, models, iterations = min(tried, key=lambda w: w[0])
    ways = {way: ways[way]}
    print(json.dumps({
        "Seconds": seconds, "Way": way, "Iterations": iterations,
        "Objectives": [objective(m, sx, y, p) for m, p in zip(models, job["penalties"])],
    }), flush=True)
