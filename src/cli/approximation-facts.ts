import type { ApproximateOptions } from "../approximate/approximate-options.js";
import { InvalidOptionError } from "../errors.js";
import { toRows } from "../json.js";
import type { Surface } from "../surface/surface.js";
import { defined } from "./defined.js";

/** What `--json` says of an approximate surface; nothing of an exact one. */
export function approximationFacts({ beta, approximation }: Surface): Record<string, unknown> {
  if (approximation === undefined) return {};
  const { error, method, metricErrors, ...facts } = approximation;
  const rows = (values: Float64Array): number[][] => toRows(values, beta.length);
  const named = Object.entries(metricErrors).map(([name, values]) => [name, rows(values)]);
  return {
    approximation: {
      ...facts,
      error: rows(error),
      metricErrors: Object.fromEntries(named),
      method: rows(Float64Array.from(method)),
    },
  };
}

/** Says in a line how far an approximate surface may be off; nothing of an exact one. */
export function approximationLines({ approximation }: Surface): string[] {
  if (approximation === undefined) return [];
  const { errorOn95, range, sampleEvaluations, exactSampleEvaluations } = approximation;
  const percent = (share: number) => `${Number((100 * share).toPrecision(2))} %`;
  const share = range > 0 ? ` (${percent(errorOn95 / range)} of its range)` : "";
  const spent = percent(sampleEvaluations / exactSampleEvaluations);
  const bound = errorOn95.toPrecision(2);
  return [
    `approximate: error of the loss at most ${bound}${share} on 95 % of points, from ${spent} of the sample evaluations`,
  ];
}

/** The options of an approximate surface as they were given. */
export interface ApproximateCommandOptions {
  readonly approximate?: boolean;
  readonly tolerance?: number;
  readonly budget?: number;
}

/**
 * Returns how a surface is to be approximated, or undefined where it is to be exact.
 *
 * @throws {InvalidOptionError} for options of an approximate surface without --approximate.
 */
export function approximateOf({
  approximate,
  tolerance,
  budget,
}: ApproximateCommandOptions): ApproximateOptions | undefined {
  if (approximate === true) return defined({ tolerance, budget });
  const given = tolerance !== undefined ? "--tolerance" : budget !== undefined ? "--budget" : null;
  if (given !== null) throw new InvalidOptionError(given, "--approximate beside it", "none");
  return undefined;
}
