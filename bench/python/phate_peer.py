"""PHATE in Python with its defaults, timed on demand.

The PHATE package where it can be imported; otherwise the same steps up to classic scaling with the library
calls that it makes (scikit-learn neighbours, LAPACK singular values, BLAS powers, randomized PCA), which is
named "steps". Metric scaling, C++ in the package, and the package's own overhead are left out of it.

Reads commands from stdin, one JSON object a line, and answers each with one line:
  {"path": folder}                         looks for packages there first; answers {"engine", "versions"}
  {"load": path, "rows": n, "columns": d}  reads a float64 matrix
  {"embed": seed}                          embeds with cosine distance and answers {"seconds", "t"}
"""

import json
import sys
import time


def package_run(matrix, seed):
    import phate

    operator = phate.PHATE(knn_dist="cosine", random_state=seed, n_jobs=2, verbose=0)
    operator.fit_transform(matrix)
    return operator.optimal_t


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


def steps_run(matrix, seed):
    import numpy as np
    import scipy.linalg
    from sklearn.decomposition import PCA
    from sklearn.metrics.pairwise import euclidean_distances
    from sklearn.preprocessing import normalize

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
    distances = euclidean_distances(potential)
    squares = distances**2
    squares = squares - squares.mean(axis=0)[None, :]
    squares = squares - squares.mean(axis=1)[:, None]
    classic = PCA(2, svd_solver="randomized", random_state=seed).fit_transform(squares)
    if up is not None:
        classic = up @ classic
    return t


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
                import numpy
                import scipy
                import sklearn

                versions = {module.__name__: module.__version__ for module in (numpy, scipy, sklearn)}
            answer = {"engine": engine, "versions": versions}
        elif "load" in command:
            import numpy as np

            matrix = np.fromfile(command["load"], dtype="<f8").reshape(command["rows"], command["columns"])
            answer = {}
        else:
            begin = time.perf_counter()
            run = package_run if engine == "phate" else steps_run
            answer = {"t": int(run(matrix, command["embed"]))}
            answer["seconds"] = time.perf_counter() - begin
        print(json.dumps(answer), flush=True)


main()
