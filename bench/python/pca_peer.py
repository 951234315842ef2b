"""scikit-learn's PCA(2) on a float32 matrix in memory, timed on demand.

Reads commands from stdin, one JSON object a line, and answers each with one line:
  {"load": path, "rows": n, "columns": d}  reads the matrix
  {"fit": seed}                            fits and answers {"seconds", "explained_variance_ratio"}
  {"write": path}                          writes the components of the last fit as float32
"""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.decomposition import PCA

matrix = None
pca = None
for line in sys.stdin:
    command = json.loads(line)
    if "load" in command:
        shape = (command["rows"], command["columns"])
        matrix = np.fromfile(command["load"], dtype="<f4").reshape(shape)
        answer = {"versions": {"numpy": np.__version__, "sklearn": sklearn.__version__}}
    elif "fit" in command:
        begin = time.perf_counter()
        pca = PCA(2, random_state=command["fit"]).fit(matrix)
        seconds = time.perf_counter() - begin
        answer = {"seconds": seconds, "explained_variance_ratio": pca.explained_variance_ratio_.tolist()}
    else:
        pca.components_.astype("<f4").tofile(command["write"])
        answer = {}
    print(json.dumps(answer), flush=True)
