import { LayoutError } from "../../base/errors.js";
import { sha256 } from "../../base/provenance.js";
import { matchWeights, type Parameter, type ParameterLayout, withTrainable } from "../../model/layout.js";
import type { Run } from "./run.js";

/**
 * Returns runs whose weights lie in one order: that of the first, in which a weight counts as trainable if any of
 * the runs trains it. Runs of equal layouts come back as they are.
 *
 * Transfer learning gives such runs: the same network with other layers frozen. θ begins with the trainable
 * weights when a run is made, so that the order differs too.
 *
 * @throws {@link LayoutError} naming the first weight that differs in more than `trainable`.
 */
export function alignRuns<R extends readonly Run[]>(runs: R): R {
  const [first] = runs;
  if (first === undefined || runs.every(({ layout }) => layout.digest === first.layout.digest)) return runs;
  const matches = runs.map((run) => matchWeights(first.layout, run.layout, `${run.directory}: layout`));
  const trained = first.layout.parameters.map((_, i) =>
    runs.some((run, r) => run.layout.parameters[matches[r]?.[i] as number]?.trainable === true),
  );
  const layout = withTrainable(first.layout, trained);
  return runs.map((run, r) => runInLayout(run, layout, matches[r] as Int32Array)) as unknown as R;
}

/** As {@link alignRuns}, for each group of runs of one network: runs of others may stand among them. */
export function alignAlike(runs: readonly Run[]): readonly Run[] {
  const groups: number[][] = [];
  for (const [r, run] of runs.entries()) {
    const own = groups.find(([first]) => hasSameWeights(runs[first as number] as Run, run));
    if (own === undefined) groups.push([r]);
    else own.push(r);
  }
  const aligned = [...runs];
  for (const group of groups) {
    const members = alignRuns(group.map((r) => runs[r] as Run));
    for (const [i, r] of group.entries()) aligned[r] = members[i] as Run;
  }
  return aligned;
}

function hasSameWeights(a: Run, b: Run): boolean {
  try {
    matchWeights(a.layout, b.layout, b.directory);
    return true;
  } catch (error) {
    if (error instanceof LayoutError) return false;
    throw error;
  }
}

/**
 * Returns a view of a run whose θ is in the order of `layout`.
 *
 * @param indices - for each parameter of `layout`, the index of the same weight in the run's own.
 */
export function runInLayout(run: Run, layout: ParameterLayout, indices: Int32Array): Run {
  if (layout.digest === run.layout.digest) return run;
  const places = layout.parameters.map((parameter, i) => ({
    to: parameter.offset,
    from: (run.layout.parameters[indices[i] as number] as Parameter).offset,
    size: parameter.size,
  }));
  return {
    ...run,
    layout,
    manifest: { ...run.manifest, layout },
    async readTheta(index) {
      const own = await run.readTheta(index);
      const theta = new Float32Array(own.length);
      for (const { to, from, size } of places) theta.set(own.subarray(from, from + size), to);
      return theta;
    },
    async readThetaInto(index, start, out) {
      const end = start + out.length;
      const reads = places
        .map(({ to, from, size }) => ({
          from: from - to,
          begin: Math.max(to, start),
          end: Math.min(to + size, end),
        }))
        .filter((piece) => piece.begin < piece.end);
      // Out of bounds: the run's own words for it.
      if (reads.length === 0 || !(start >= 0 && end <= layout.parameterCount)) {
        return run.readThetaInto(index, start, out);
      }
      await Promise.all(
        joined(reads).map(({ from, begin, end: last }) =>
          run.readThetaInto(index, begin + from, out.subarray(begin - start, last - start)),
        ),
      );
    },
    digest: async () => sha256(`${layout.digest}\n${await run.digest()}`),
  };
}

interface Piece {
  readonly from: number;
  readonly begin: number;
  readonly end: number;
}

/** Pieces that follow each other in both orders become one. */
function joined(pieces: readonly Piece[]): Piece[] {
  const out: Piece[] = [];
  for (const piece of pieces) {
    const last = out.at(-1);
    if (last?.end === piece.begin && last.from === piece.from)
      out[out.length - 1] = { ...last, end: piece.end };
    else out.push(piece);
  }
  return out;
}
