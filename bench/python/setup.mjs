/**
 * Makes the Python environment that the benches compare with: `node bench/python/setup.mjs [REQUIREMENTS]`.
 *
 * A virtual environment in ~/.cache/tfjs-landscape/python (or TFJS_LANDSCAPE_PYTHON_DIR), with the packages
 * of requirements.txt (or another list of this folder) from the pip index. Does nothing where they are there already. Prints the path of the
 * interpreter as the last line of stdout; says on stderr why where it cannot, and exits with 1.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const list = process.argv[2] ?? "requirements.txt";
const requirements = join(dirname(fileURLToPath(import.meta.url)), list);
const wanted = readFileSync(requirements, "utf8");
const folder = process.env.TFJS_LANDSCAPE_PYTHON_DIR ?? join(homedir(), ".cache", "tfjs-landscape", "python");
const python =
  process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
const marker = join(folder, list.replace(".txt", ".installed.txt"));

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", 2, 2] });
  if (status === 0) return;
  process.stderr.write(
    `bench/python/setup: \`${command} ${args.join(" ")}\` failed${error ? `: ${error.message}` : ""}\n`,
  );
  process.exit(1);
}

const isReady = existsSync(python) && existsSync(marker) && readFileSync(marker, "utf8") === wanted;
if (!isReady) {
  mkdirSync(folder, { recursive: true });
  run(process.env.PYTHON ?? "python3", ["-m", "venv", folder]);
  run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  writeFileSync(marker, wanted);
}
process.stdout.write(`${python}\n`);
