"""Top eigenvalues of a Hessian by PyTorch: answers each line of JSON on stdin with a line of JSON on stdout.

{"prepare": folder}            reads network, weights, images and labels as the curvature bench wrote them
{"top": {"count": 5, "tolerance": 1e-4, "products": 110}}
                               Lanczos with full reorthogonalisation on double-backward products, the graph of the
                               gradient kept between them: eigenvalues, products, seconds in all and for one product
"""

import json
import sys
import time

import numpy
import torch
import torch.nn.functional as F
from surface_peer import Plane


class Hessian:
    """Products with the mean loss's Hessian, in evaluation mode."""

    def __init__(self, plane):
        plane.move(0.0, 0.0)
        self.weights = [weight for weight in plane.model.parameters() if weight.requires_grad]
        loss = F.cross_entropy(plane.model(plane.images), plane.labels)
        self.gradient = torch.autograd.grad(loss, self.weights, create_graph=True)
        self.size = sum(weight.numel() for weight in self.weights)

    def product(self, vector):
        parts, at = [], 0
        for weight in self.weights:
            parts.append(torch.from_numpy(vector[at : at + weight.numel()].astype("float32")).reshape(weight.shape))
            at += weight.numel()
        found = torch.autograd.grad(self.gradient, self.weights, parts, retain_graph=True, allow_unused=True)
        flat = [
            torch.zeros(weight.numel()) if one is None else one.reshape(-1)
            for one, weight in zip(found, self.weights)
        ]
        return torch.cat(flat).numpy().astype("float64")


def top(hessian, count, tolerance, products):
    generator = numpy.random.default_rng(0)
    q = generator.standard_normal(hessian.size)
    q /= numpy.linalg.norm(q)
    basis, diagonal, beside = [], [], []
    while True:
        basis.append(q)
        w = hessian.product(q)
        diagonal.append(q @ w)
        for _ in range(2):
            for other in basis:
                w -= (other @ w) * other
        beta = numpy.linalg.norm(w)
        m = len(basis)
        if m >= count and m % 5 == 0:
            t = numpy.diag(diagonal) + numpy.diag(beside, 1) + numpy.diag(beside, -1)
            values, vectors = numpy.linalg.eigh(t)
            order = numpy.argsort(-abs(values))[:count]
            isEnough = numpy.all(beta * abs(vectors[-1, order]) <= 0.5 * tolerance * abs(values).max())
            if isEnough or m >= products:
                return values[order], m
        beside.append(beta)
        q = w / beta


def main():
    plane = None
    for line in sys.stdin:
        command = json.loads(line)
        if "prepare" in command:
            plane = Plane(command["prepare"])
            answer = {}
        else:
            begin = time.perf_counter()
            hessian = Hessian(plane)
            opened = time.perf_counter()
            values, steps = top(hessian, **command["top"])
            end = time.perf_counter()
            probe = numpy.ones(hessian.size)
            for _ in range(3):
                hessian.product(probe)
            answer = {
                "values": values.tolist(),
                "products": steps,
                "seconds": end - begin,
                "perProduct": (time.perf_counter() - end) / 3,
                "opening": opened - begin,
            }
        print(json.dumps(answer), flush=True)


main()
