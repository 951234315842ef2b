import type { LandscapeWarning } from "../../base/warning.js";
import type { Parameter } from "../../model/layout.js";
import type { Run } from "./run.js";

/** Entries of a weight that are looked at in a piece: at its begin, in its middle and at its end. */
const SAMPLE = 4096;
/** Steps of a float16 run that are measured, spread over it. */
const STEPS = 8;
/** Rounding that is this share of a squared step is worth a warning. */
const ROUNDING_SHARE = 0.05;

type Opened = Omit<Run, "warnings">;

/** Warns of what the weights of a run show by themselves: frozen ones that move, steps lost in the rounding. */
export async function warningsOfRun(run: Opened): Promise<LandscapeWarning[]> {
  if (run.snapshots.length < 2) return [];
  const found = [await frozenWarning(run), await roundingWarning(run)];
  return found.filter((warning) => warning !== null);
}

/** Weights that are recorded as not trainable and differ between the first and the last snapshot. */
async function frozenWarning(run: Opened): Promise<LandscapeWarning | null> {
  const last = run.snapshots.length - 1;
  const moved: string[] = [];
  for (const parameter of run.layout.parameters) {
    const { name, role, trainable } = parameter;
    if (trainable || role === "state" || role === "other") continue;
    const [a, b] = [await sampleOf(run, 0, parameter), await sampleOf(run, last, parameter)];
    if (a.some((value, i) => !Object.is(value, b[i]))) moved.push(name);
  }
  if (moved.length === 0) return null;
  const more = moved.length > 3 ? ` and ${moved.length - 3} more` : "";
  const names = `${moved.slice(0, 3).join(", ")}${more}`;
  const message = `${run.directory}: weights recorded as not trainable move between the snapshots: ${names}. Planes and paths leave them out unless all weights are asked for.`;
  return { code: "frozen-moves", message };
}

/**
 * Steps of a float16 run that are not much longer than what rounding makes of them: each entry is off by a uniform
 * error of one spacing at most half to each side, so that rounding adds spacing²/6 to the square of a step.
 */
async function roundingWarning(run: Opened): Promise<LandscapeWarning | null> {
  if (run.manifest.dtype !== "float16") return null;
  const trained = run.layout.parameters.filter(({ trainable }) => trainable);
  const last = run.snapshots.length - 1;
  const shares: number[] = [];
  for (let k = 0; k < Math.min(STEPS, last); k++) {
    const index = 1 + Math.floor((k * last) / Math.min(STEPS, last));
    let step = 0;
    let rounding = 0;
    for (const parameter of trained) {
      const before = await sampleOf(run, index - 1, parameter);
      const after = await sampleOf(run, index, parameter);
      for (const [i, value] of after.entries()) {
        step += (value - (before[i] as number)) ** 2;
        rounding += float16Spacing(value) ** 2 / 6;
      }
    }
    if (Number.isFinite(step)) shares.push(rounding / step);
  }
  shares.sort((a, b) => a - b);
  const share = shares[shares.length >> 1] ?? 0;
  if (!(share > ROUNDING_SHARE)) return null;
  const how = share >= 1 ? "all" : `${(100 * share).toFixed(0)} %`;
  const message = `${run.directory}: stored as float16, whose rounding makes up about ${how} of the squared length of a step: explained variance, shares in the plane and step lengths are partly those of the rounding. Record as float32 or with longer steps between snapshots.`;
  return { code: "float16-rounding", message };
}

/** Distance between neighbouring float16 numbers around a value; 0 where it is not finite. */
function float16Spacing(value: number): number {
  const size = Math.abs(value);
  if (!Number.isFinite(size)) return 0;
  return 2 ** (Math.max(-14, Math.floor(Math.log2(size))) - 10);
}

async function sampleOf(run: Opened, index: number, { offset, size }: Parameter): Promise<Float32Array> {
  const length = Math.min(size, SAMPLE);
  const starts = [...new Set([0, Math.floor((size - length) / 2), size - length])];
  const out = new Float32Array(starts.length * length);
  await Promise.all(
    starts.map((start, i) =>
      run.readThetaInto(index, offset + start, out.subarray(i * length, (i + 1) * length)),
    ),
  );
  return out;
}
