import { Command } from "commander";
import { terminalText } from "../base/clean-text.js";
import { ownPackageVersion } from "../base/package-files.js";
import { EXIT, reportError, usageMessage } from "./output.js";

/** Declares the arguments and options of a command, and what it does. */
type Declare = (command: Command) => void;

/** A command: its line in the overview, and its module, which is loaded when the command is called. */
type CommandEntry = readonly [name: string, description: string, load: () => Promise<Declare>];

/** Every command, in the order of the overview. A new command is a module and a line here. */
const COMMANDS: readonly CommandEntry[] = [
  [
    "demo",
    "train a LeNet on MNIST with SGD and with Adam, and draw where both went",
    async () => (await import("./commands/demo.js")).declareDemo,
  ],
  [
    "inspect",
    "show what a run directory holds",
    async () => (await import("./commands/inspect.js")).declareInspect,
  ],
  [
    "pca",
    "principal components of a run's trajectory, and the path on them",
    async () => (await import("./commands/pca.js")).declarePca,
  ],
  [
    "surface",
    "loss surface on a plane: of a run's principal components, or another one with --plane",
    async () => (await import("./commands/surface.js")).declareSurface,
  ],
  [
    "plot",
    "draw all that a run directory holds as SVG, PNG and one HTML page",
    async () => (await import("./commands/plot.js")).declarePlot,
  ],
  [
    "interpolate",
    "loss and metric on the line between two models or snapshots",
    async () => (await import("./commands/interpolate.js")).declareInterpolate,
  ],
  [
    "connect",
    "what lies between two models: barrier of the line, and after their units are matched",
    async () => (await import("./commands/connect.js")).declareConnect,
  ],
  [
    "line",
    "loss and metric along random directions from a model, with a band over seeds",
    async () => (await import("./commands/interpolate.js")).declareLine,
  ],
  [
    "curvature",
    "how the loss curves at a model: Hessian eigenvalues, trace, spectral density, by layer",
    async () => (await import("./commands/curvature.js")).declareCurvature,
  ],
  [
    "weights",
    "training curves, weight norms, distances and histograms of runs, and angles of their steps",
    async () => (await import("./commands/weights.js")).declareWeights,
  ],
  [
    "path",
    "shape of a run's path: trajectory map, cosines of updates; with --data barriers and averages",
    async () => (await import("./commands/path.js")).declarePath,
  ],
  [
    "jump",
    "jump away from a model in random directions and retrain: one run per seed and size",
    async () => (await import("./commands/jump.js")).declareJump,
  ],
  [
    "embed",
    "snapshots of runs in 2-D or 3-D by PHATE, PCA, UMAP or t-SNE",
    async () => (await import("./commands/embed.js")).declareEmbed,
  ],
  [
    "export",
    "write a run's stored surfaces, lines and paths as pictures, tables and files for other tools",
    async () => (await import("./commands/export.js")).declareExport,
  ],
  [
    "clean",
    "remove stored surfaces of a run, all but those to keep",
    async () => (await import("./commands/clean.js")).declareClean,
  ],
  [
    "watch",
    "show a run while another process trains it, on a page of this machine (Ctrl-C ends)",
    async () => (await import("./commands/watch.js")).declareWatch,
  ],
  [
    "compare",
    "runs against each other: one plane for all, planes side by side, sharpness, a table",
    async () => (await import("./commands/compare.js")).declareCompare,
  ],
  [
    "sweep",
    "train once for each combination of settings, in processes, and compare",
    async () => (await import("./commands/sweep.js")).declareSweep,
  ],
  [
    "worker",
    "evaluate for other machines: pull work from a Redis server until Ctrl-C",
    async () => (await import("./commands/worker.js")).declareWorker,
  ],
];

/**
 * Runs the command line and returns its exit code: 0 done, 2 bad input (one line on stderr tells what),
 * 1 anything unexpected.
 *
 * @param args - arguments after the program's name.
 */
export async function main(args: readonly string[]): Promise<number> {
  const streams = { console: globalThis.console, write: process.stdout.write };
  try {
    const program = await createProgram(args);
    await program.parseAsync([...args], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    process.stdout.write = streams.write;
    return reportError(error, args.includes("--json"));
  } finally {
    // A command keeps what libraries print off stdout; the caller gets its console back.
    globalThis.console = streams.console;
    process.stdout.write = streams.write;
  }
}

/** The program with all commands by name, and those that `args` mention in full. */
async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("tfjs-landscape")
    .description("Loss landscapes and optimizer trajectories for TensorFlow.js")
    .version(ownPackageVersion(), "-v, --version")
    .configureOutput({
      outputError: (text, write) =>
        write(`tfjs-landscape: ${terminalText(usageMessage(text))} (see --help)\n`),
    })
    .exitOverride();
  for (const [name, description, load] of COMMANDS) {
    const command = program
      .command(name)
      .description(description)
      .option("--json", "print one JSON object on stdout and nothing else", false)
      .exitOverride();
    if (args.includes(name)) (await load())(command);
  }
  return program;
}
