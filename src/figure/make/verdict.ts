import { decodeNumber } from "../../base/json.js";
import { formatNumber } from "../draw/format-number.js";
import type { ScaleKind } from "../draw/scales.js";
import { columnOf, comparedLoss, HELD_SHARE, type Path, PLANE_LOSS, type RunData } from "../figure.js";

/** How much of the squared distance a faithful plane holds at half of the snapshots, and a poor one nowhere near. */
const HELD = 0.5;
const POOR = 0.25;
/**
 * Largest gap between plane and true loss at nine of ten snapshots of a faithful plane, as a share of their range; on a
 * logarithmic scale, of the range of their logarithms.
 */
const GAP = 0.1;

/** How well a plane shows a run. */
type Fidelity = "faithful" | "poor" | "rough" | "unknown";

/**
 * Returns in one sentence which run ends lowest, and for which runs the plane is faithful.
 *
 * A plane is faithful for a run if it holds at least half of the squared distance to the centre at the median snapshot
 * and its loss differs from the true loss by at most a tenth of the true losses' range at nine of ten snapshots, on a
 * logarithmic scale in logarithms. It is poor if it holds less than a quarter at the median snapshot.
 *
 * @param scale - how the picture shows the losses; default linear.
 * @returns an empty text where neither is known.
 * @example verdictOf(runs, paths) // "Adam ends lower, 0.014 against 0.022; the plane is faithful for both."
 */
export function verdictOf(
  runs: readonly RunData[],
  paths: readonly Path[],
  scale: ScaleKind = "linear",
): string {
  const parts = [endSentence(runs), planeSentence(runs, paths, scale)].filter((part) => part !== "");
  const [first, second] = parts;
  if (first === undefined) return "";
  if (second === undefined) return `${first}.`;
  // A poor plane goes first: it is what a reader must know.
  if (second.startsWith("poor plane")) return `P${second.slice(1)}; ${lowered(first, runs)}.`;
  return `${first}; ${second}.`;
}

/** Which run ends lowest, in true loss; names keep their letters. */
export function endSentence(runs: readonly RunData[]): string {
  const ends = runs.flatMap((run) => {
    const values = (columnOf(run, comparedLoss(run)) ?? []).map((value) => decodeNumber(value ?? "NaN"));
    const [first, last] = [values[0] ?? Number.NaN, values.at(-1) ?? Number.NaN];
    return Number.isFinite(last) ? [{ name: run.name, first, last }] : [];
  });
  const [only] = ends;
  if (only === undefined) return "";
  const write = (value: number): string => formatNumber(value, 3);
  if (runs.length === 1) {
    if (!Number.isFinite(only.first) || only.first === only.last)
      return `The true loss ends at ${write(only.last)}`;
    const verb = only.last < only.first ? "falls" : "rises";
    return `The true loss ${verb} from ${write(only.first)} to ${write(only.last)}`;
  }
  if (ends.length < runs.length) return "";
  const sorted = [...ends].sort((a, b) => a.last - b.last);
  const [best, next, worst] = [
    sorted[0] as typeof only,
    sorted[1] as typeof only,
    sorted.at(-1) as typeof only,
  ];
  if (write(best.last) === write(worst.last)) {
    return runs.length === 2
      ? `Both end at ${write(best.last)}`
      : `All ${runs.length} runs end at ${write(best.last)}`;
  }
  if (runs.length === 2) return `${best.name} ends lower, ${write(best.last)} against ${write(next.last)}`;
  return `${best.name} ends lowest, ${write(best.last)}; the others between ${write(next.last)} and ${write(worst.last)}`;
}

function lowered(sentence: string, runs: readonly RunData[]): string {
  if (runs.some(({ name }) => sentence.startsWith(name))) return sentence;
  return `${sentence.slice(0, 1).toLowerCase()}${sentence.slice(1)}`;
}

function planeSentence(runs: readonly RunData[], paths: readonly Path[], scale: ScaleKind): string {
  const known = paths.flatMap(({ run, at }) => {
    const data = runs[run];
    return data === undefined ? [] : [{ name: data.name, fidelity: fidelityOf(data, at, scale) }];
  });
  if (known.length === 0 || known.some(({ fidelity }) => fidelity === "unknown")) return "";
  const of = (fidelity: Fidelity): string[] =>
    known.filter((one) => one.fidelity === fidelity).map(({ name }) => name);
  const [faithful, poor] = [of("faithful"), of("poor")];
  const total = known.length;
  if (poor.length > 0 && poor.length >= total / 2) {
    const whose =
      total === 1 ? "its squared distances" : `the squared distances of ${poor.length} of ${total} runs`;
    return `poor plane: it holds under 25 % of ${whose} at the median snapshot`;
  }
  if (faithful.length === total)
    return `the plane is faithful${total === 1 ? "" : total === 2 ? " for both" : " for all"}`;
  if (faithful.length === 0)
    return `the plane is rough${total === 1 ? "" : total === 2 ? " for both" : " for all"}`;
  if (total > 4) return `the plane is faithful for ${faithful.length} of ${total} runs`;
  const others = known.filter(({ fidelity }) => fidelity !== "faithful").map(({ name }) => name);
  return `the plane is faithful for ${faithful.join(" and ")}, not for ${others.join(" and ")}`;
}

function fidelityOf(run: RunData, at: Path["at"], scale: ScaleKind): Fidelity {
  const numbers = (column: string): number[] =>
    (columnOf(run, column) ?? []).map((value) => decodeNumber(value ?? "NaN"));
  // The centre itself is held whole by every plane through it.
  const isCenter = (i: number): boolean => at[i]?.[0] === 0 && at[i]?.[1] === 0;
  const shares = numbers(HELD_SHARE).filter((share, i) => Number.isFinite(share) && !isCenter(i));
  if (shares.length === 0) return "unknown";
  const held = quantile(shares, 0.5);
  if (held < POOR) return "poor";
  // What is not above 0 lies infinitely far below everything else on a logarithmic scale.
  const onScale = (value: number): number => (scale === "log" ? Math.log10(Math.max(value, 0)) : value);
  const [own, plane] = [comparedLoss(run), PLANE_LOSS].map((name) => numbers(name).map(onScale)) as [
    number[],
    number[],
  ];
  const finite = own.filter(Number.isFinite);
  const range = finite.length === 0 ? 0 : Math.max(...finite) - Math.min(...finite);
  // Also infinite ones, where one of the two is no number of the scale.
  const gaps = own
    .map((value, i) => Math.abs(value - (plane[i] ?? Number.NaN)))
    .filter((gap) => !Number.isNaN(gap));
  if (gaps.length === 0) return "unknown";
  return held >= HELD && quantile(gaps, 0.9) <= GAP * range ? "faithful" : "rough";
}

/** The least value that so large a share of the values does not exceed. */
function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}
