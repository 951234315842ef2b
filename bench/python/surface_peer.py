"""Losses on a plane by PyTorch: answers each line of JSON on stdin with a line of JSON on stdout.

{"prepare": folder}   reads network, weights, directions, images and labels as the surface bench wrote them
{"open": "reference"} as the published loss-landscape code evaluates: a loader of batches of 128, loss read
                      back batch by batch
{"open": "tuned", "compile": true}
                      inference mode, batches cut once, the fastest of memory formats and batch sizes, and of
                      torch.compile if it may be tried
{"points": [[a, b]]}  seconds per point, and the losses
{"product": n}        seconds of one n × n × n matrix product
"""

import json
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


class Block(nn.Module):
    def __init__(self, name, inputs, outputs, stride):
        super().__init__()
        self.conv_a = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn_a = nn.BatchNorm2d(outputs)
        self.conv_b = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn_b = nn.BatchNorm2d(outputs)
        self.project = stride != 1
        if self.project:
            self.conv_p = nn.Conv2d(inputs, outputs, 1, stride, 0, bias=False)
            self.bn_p = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn_b(self.conv_b(F.relu(self.bn_a(self.conv_a(x)))))
        return F.relu(y + (self.bn_p(self.conv_p(x)) if self.project else x))


def resnet(n):
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    inputs = 16
    for stage, outputs in enumerate((16, 32, 64)):
        for block in range(n):
            layers.append(Block(f"s{stage}b{block}", inputs, outputs, 2 if stage > 0 and block == 0 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


NETWORKS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    ),
    "lenet": lambda: nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, 10),
    ),
    "resnet20": lambda: resnet(3),
    "resnet56": lambda: resnet(9),
}


def slots(case, model):
    """Tensors of the model by the names that the bench gives them, with the way to turn Keras's layout."""
    found = {}

    def linear(name, layer, image=None):
        def turn(kernel):
            if image is not None:
                kernel = kernel.reshape(*image, -1).permute(2, 0, 1, 3).reshape(kernel.shape)
            return kernel.T

        found[f"{name}/kernel"] = (layer.weight, turn)
        found[f"{name}/bias"] = (layer.bias, lambda bias: bias)

    def conv(name, layer):
        found[f"{name}/kernel"] = (layer.weight, lambda kernel: kernel.permute(3, 2, 0, 1))
        if layer.bias is not None:
            found[f"{name}/bias"] = (layer.bias, lambda bias: bias)

    def norm(name, layer):
        tensors = {"gamma": layer.weight, "beta": layer.bias}
        tensors |= {"moving_mean": layer.running_mean, "moving_variance": layer.running_var}
        for key, tensor in tensors.items():
            found[f"{name}/{key}"] = (tensor, lambda values: values)

    if case == "mlp":
        for i, place in enumerate((1, 3, 5)):
            linear(f"fc{i + 1}", model[place])
    elif case == "lenet":
        conv("conv1", model[0])
        conv("conv2", model[3])
        linear("fc1", model[7], (5, 5, 32))
        linear("fc2", model[9])
    else:
        conv("stem_conv", model[0])
        norm("stem_bn", model[1])
        blocks = [layer for layer in model if isinstance(layer, Block)]
        for i, block in enumerate(blocks):
            name = f"s{i // (len(blocks) // 3)}b{i % (len(blocks) // 3)}"
            for part in "abp" if block.project else "ab":
                conv(f"{name}{part}_conv", getattr(block, f"conv_{part}"))
                norm(f"{name}{part}_bn", getattr(block, f"bn_{part}"))
        linear("fc", model[-1])
    return found


class Plane:
    def __init__(self, folder):
        with open(os.path.join(folder, "layout.json")) as file:
            layout = json.load(file)
        read = lambda name: torch.from_numpy(numpy.fromfile(os.path.join(folder, f"{name}.f32"), "float32"))
        self.model = NETWORKS[layout["case"]]().eval()
        found = slots(layout["case"], self.model)
        flat = [read(name) for name in ("theta", "dx", "dy")]
        self.moves = []
        for entry in layout["parameters"]:
            tensor, turn = found[entry["key"]]
            size = int(numpy.prod(entry["lengths"]))
            part = lambda values: values[entry["offset"] : entry["offset"] + size].reshape(entry["lengths"])
            self.moves.append((tensor, *(turn(part(values)).contiguous() for values in flat)))
        self.images = read("images").reshape(layout["samples"], *layout["shape"]).permute(0, 3, 1, 2).contiguous()
        self.labels = read("labels").long()
        self.evaluate = None

    def move(self, alpha, beta):
        for tensor, center, dx, dy in self.moves:
            tensor.data.copy_(center + alpha * dx + beta * dy)

    def open_reference(self):
        dataset = torch.utils.data.TensorDataset(self.images, self.labels)
        loader = torch.utils.data.DataLoader(dataset, batch_size=128)
        criterion = nn.CrossEntropyLoss()

        def evaluate():
            total, correct = 0.0, 0
            with torch.no_grad():
                for images, labels in loader:
                    outputs = self.model(images)
                    total += criterion(outputs, labels).item() * len(labels)
                    correct += outputs.max(1)[1].eq(labels).sum().item()
            return total / len(self.labels)

        self.evaluate = evaluate
        return {"batch": 128}

    def tuned(self, last, batch, compiled, samples=None):
        form = torch.channels_last if last else torch.contiguous_format
        model = self.model.to(memory_format=form)
        if compiled:
            # Each shape is compiled for itself; parameters stay inputs, so that points can be changed.
            model = torch.compile(model, dynamic=False)
        images = [part.contiguous(memory_format=form) for part in self.images[:samples].split(batch)]
        labels = self.labels[:samples].split(batch)

        def evaluate():
            with torch.inference_mode() if not compiled else torch.no_grad():
                total = torch.zeros(())
                for part, own in zip(images, labels):
                    total += F.cross_entropy(model(part), own, reduction="sum")
                return total.item() / len(self.labels)

        return evaluate

    def compiled_batches(self):
        """Batch sizes that divide the images, since every shape is compiled anew; one for deep networks."""
        count = len(self.labels)
        largest = lambda limit: max(batch for batch in range(1, limit + 1) if count % batch == 0)
        return {largest(128)} if len(list(self.model.modules())) > 50 else {largest(128), largest(256)}

    def open_tuned(self, compiles):
        forms = (True, False) if isinstance(self.model[0], nn.Conv2d) else (False,)
        trials = [(last, batch, False) for last in forms for batch in (64, 128, 256, 512, 1000)]
        trials += [(forms[0], batch, True) for batch in self.compiled_batches()] if compiles else []
        best = None
        for trial in trials:
            try:
                samples = trial[1] * max(1, 1024 // trial[1])
                evaluate = self.tuned(*trial, samples=samples)
                evaluate()
            except Exception as error:  # Compiling needs a C++ compiler.
                print(f"surface_peer: {trial} left out: {error}".splitlines()[0], file=sys.stderr)
                continue
            seconds = min(self.timed(evaluate) for _ in range(3)) / samples
            if best is None or seconds < best[0]:
                best = (seconds, evaluate, trial)
        # The last trial has moved the weights to its own memory format.
        self.evaluate = self.tuned(*best[2])
        last, batch, compiled = best[2]
        return {"channelsLast": last, "batch": batch, "compiled": compiled}

    @staticmethod
    def timed(evaluate):
        begin = time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()
        evaluate()
        return (time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()) - begin

    def points(self, points):
        losses = []
        begin, cpu = time.perf_counter(), time.process_time()
        for alpha, beta in points:
            with torch.no_grad():
                self.move(alpha, beta)
            losses.append(self.evaluate())
        seconds = (time.perf_counter() - begin) / len(points)
        return {"seconds": seconds, "cpuSeconds": (time.process_time() - cpu) / len(points), "losses": losses}


def product(n):
    a, b = torch.randn(n, n), torch.randn(n, n)
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - begin)
    return {"seconds": best}


def main():
    plane = None
    for line in sys.stdin:
        command = json.loads(line)
        if "prepare" in command:
            plane = Plane(command["prepare"])
            answer = {"torch": torch.__version__}
        elif "open" in command:
            answer = (
                plane.open_reference() if command["open"] == "reference" else plane.open_tuned(command["compile"])
            )
        elif "points" in command:
            answer = plane.points(command["points"])
        else:
            answer = product(command["product"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
