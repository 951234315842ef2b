"""PHATE in Python with its defaults, timed on demand.

The PHATE package where it can be imported; otherwise the same steps, which is named "steps": with the library
calls that it makes (scikit-learn neighbours, LAPACK singular values, BLAS powers, scipy distances, randomized PCA),
and metric scaling by stochastic gradient descent, C++ in the package, compiled here by numba. The package's own
overhead is left out.

Reads commands from stdin, one JSON object a line, and answers each with one line:
  {"path": folder}                         looks for packages there first; answers {"engine", "versions"}
  {"load": path, "rows": n, "columns": d}  reads a float64 matrix
  {"embed": seed}                          embeds with cosine distance and answers {"seconds", "t", "normalizedStress"}
"""

import json
import sys
import time

solve = None


def package_run(matrix, seed):
    import phate

    operator = phate.PHATE(knn_dist="cosine", random_state=seed, n_jobs=2, verbose=0)
    embedding = operator.fit_transform(matrix)
    landmarks = embedding if len(matrix) <= 2000 else None
    return operator.optimal_t, lambda: package_stress(operator, landmarks)


def package_stress(operator, embedding):
    from scipy.spatial.distance import pdist, squareform

    if embedding is None:
        return None
    return stress_of(embedding, squareform(pdist(operator.diff_potential)))


def kernel_of(points):
    """Sparse kernel with decay 40 over the cosine distance to the fifth neighbour."""
    import numpy as np
    from scipy import sparse
    from sklearn.neighbors import NearestNeighbors

    n = len(points)
    search = min(6 * 6, n)
    tree = NearestNeighbors(n_neighbors=search, metric="cosine", algorithm="auto", n_jobs=2).fit(points)
    distance, index = tree.kneighbors(points)
    weight = np.exp(-((distance / distance[:, 5:6]) ** 40))
    weight[weight < 1e-4] = 0
    start = np.arange(0, n * search + 1, search)
    kernel = sparse.csr_matrix((weight.ravel(), index.ravel(), start), shape=(n, n))
    kernel.eliminate_zeros()
    return (kernel + kernel.T) / 2


def landmarks_of(kernel, seed):
    import numpy as np
    from scipy import sparse
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.preprocessing import normalize
    from sklearn.utils.extmath import randomized_svd

    root = sparse.diags(1 / np.sqrt(np.asarray(kernel.sum(axis=1)).ravel()))
    _, _, right = randomized_svd(root @ kernel @ root, n_components=100, random_state=seed)
    means = MiniBatchKMeans(2000, init_size=6000, batch_size=10000, n_init=1, random_state=seed)
    labels = means.fit_predict(normalize(kernel, norm="l1", axis=1) @ right.T)
    _, labels = np.unique(labels, return_inverse=True)
    member = sparse.csr_matrix((np.ones(len(labels)), (labels, np.arange(len(labels)))))
    down = member @ kernel
    up = normalize(down.T, norm="l1", axis=1)
    return (normalize(down, norm="l1", axis=1) @ up).toarray(), up


def knee_of(entropy):
    import numpy as np

    def error(split):
        total = 0
        for fit, part in ((slice(0, split + 1), slice(0, split + 1)), (slice(split - 1, None), slice(split, None))):
            x = np.arange(len(entropy))
            line = np.polyfit(x[fit], entropy[fit], 1)
            total += np.abs(np.polyval(line, x[part]) - entropy[part]).sum()
        return total

    return 1 + int(np.argmin([error(split) for split in range(1, len(entropy) - 1)]))


def sgd_solver():
    """Metric scaling after Zheng, Pawar & Goodman 2019: 30 sweeps over all pairs, each in a random order."""
    import numba
    import numpy as np

    # Records, so that a sweep reads memory in order.
    pair_type = np.dtype([("i", np.int32), ("j", np.int32), ("distance", np.float64)])

    @numba.njit
    def solve(distances, start, seed):
        n = len(distances)
        np.random.seed(seed)
        place = start.copy()
        pairs = np.empty(n * (n - 1) // 2, pair_type)
        at = 0
        for i in range(n):
            for j in range(i):
                pairs[at].i, pairs[at].j, pairs[at].distance = i, j, distances[i, j]
                at += 1
        for sweep in range(30):
            step = 0.01 ** (sweep / 29)
            for last in range(len(pairs) - 1, 0, -1):
                other = np.random.randint(0, last + 1)
                one, two = pairs[last], pairs[other]
                one.i, two.i = two.i, one.i
                one.j, two.j = two.j, one.j
                one.distance, two.distance = two.distance, one.distance
            for at in range(len(pairs)):
                i, j = pairs[at].i, pairs[at].j
                x, y = place[i, 0] - place[j, 0], place[i, 1] - place[j, 1]
                length = np.sqrt(x * x + y * y)
                if length > 0:
                    move = step * (length - pairs[at].distance) / (2 * length)
                    place[i, 0] -= move * x
                    place[i, 1] -= move * y
                    place[j, 0] += move * x
                    place[j, 1] += move * y
        return place

    return solve


def stress_of(embedding, distances):
    """Normalized stress at the best scale of the coordinates."""
    import numpy as np
    from scipy.spatial.distance import pdist, squareform

    length = pdist(embedding)
    wanted = squareform(distances, checks=False)
    explained = (length @ wanted) ** 2 / (length @ length)
    return float(np.sqrt(max(0.0, 1 - explained / (wanted @ wanted))))


def steps_run(matrix, seed):
    import numpy as np
    import scipy.linalg
    import scipy.spatial
    from scipy.spatial.distance import pdist, squareform
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import normalize

    global solve
    if solve is None:
        solve = sgd_solver()

    if 100 < min(matrix.shape):
        matrix = PCA(100, svd_solver="randomized", random_state=seed).fit_transform(matrix)
    kernel = kernel_of(matrix)
    up = None
    if len(matrix) > 2000:
        operator, up = landmarks_of(kernel, seed)
    else:
        operator = normalize(kernel, norm="l1", axis=1).toarray()
    values = scipy.linalg.svdvals(operator)
    powers = values[None, :] ** np.arange(1, 101)[:, None]
    share = powers / powers.sum(axis=1, keepdims=True) + np.finfo(float).eps
    t = knee_of(-(share * np.log(share)).sum(axis=1))
    potential = -np.log(np.linalg.matrix_power(operator, t) + 1e-7)
    distances = squareform(pdist(potential))
    squares = distances**2
    squares = squares - squares.mean(axis=0)[None, :]
    squares = squares - squares.mean(axis=1)[:, None]
    classic = PCA(2, svd_solver="randomized", random_state=seed).fit_transform(squares)
    _, embedding, _ = scipy.spatial.procrustes(classic, solve(distances, classic, seed))
    whole = embedding if up is None else up @ embedding
    assert np.isfinite(whole).all()
    return t, lambda: stress_of(embedding, distances)


def main():
    matrix = None
    engine = "steps"
    for line in sys.stdin:
        command = json.loads(line)
        if "path" in command:
            sys.path.insert(0, command["path"])
            try:
                import phate

                engine, versions = "phate", {"phate": phate.__version__}
            except ImportError:
                sys.path.pop(0)
                import numba
                import numpy
                import scipy
                import sklearn

                versions = {module.__name__: module.__version__ for module in (numpy, scipy, sklearn, numba)}
            answer = {"engine": engine, "versions": versions}
        elif "load" in command:
            import numpy as np

            matrix = np.fromfile(command["load"], dtype="<f8").reshape(command["rows"], command["columns"])
            answer = {}
        else:
            begin = time.perf_counter()
            run = package_run if engine == "phate" else steps_run
            t, stress = run(matrix, command["embed"])
            answer = {"t": int(t), "seconds": time.perf_counter() - begin, "normalizedStress": stress()}
        print(json.dumps(answer), flush=True)


main()
