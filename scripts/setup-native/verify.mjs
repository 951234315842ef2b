import { packageFolder } from "./package.mjs";
import { run } from "./process.mjs";

/** Loads the package, multiplies and differentiates a convolution; prints one line about what did it. */
const CHECK = `
const util = require("node:util");
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
const tf = require(process.argv[1]);
const product = tf.matMul([[1, 2]], [[3], [4]]).dataSync()[0];
if (product !== 11) throw new Error("1·3 + 2·4 gave " + product);
const gradient = tf.grad((x) => tf.conv2d(tf.ones([1, 4, 4, 1]), x, 1, "valid").sum())(tf.ones([3, 3, 1, 1]));
if (gradient.dataSync()[0] !== 4) throw new Error("the gradient of a convolution is wrong");
const { binding, isUsingGpuDevice } = tf.backend();
console.log(JSON.stringify({ version: tf.version["tfjs-node"], library: binding.TF_Version, gpu: isUsingGpuDevice }));
`;

/** Says whether the package's native backend works, by using it in a process of its own. */
export async function verify(name) {
  const result = await run(process.execPath, ["-e", CHECK, packageFolder(name)], {
    env: { TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? "2" },
    timeoutMs: 120_000,
  });
  if (!result.ok) return { ok: false, reason: `${result.reason}: ${errorLine(result.output)}` };
  const { version, library, gpu } = JSON.parse(result.stdout.trim().split("\n").at(-1));
  return { ok: true, description: `${version} with TensorFlow ${library} on the ${gpu ? "GPU" : "CPU"}` };
}

/** The line of a stack trace that names the error. */
function errorLine(output) {
  const lines = output.split("\n").filter((line) => line.trim());
  return (lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? "no output").trim();
}
