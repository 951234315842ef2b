import type { ChosenPoint } from "./point-data.js";

/** What spare work is done with. */
export interface SpareWorkParts {
  /** How many evaluations are to be under way at once; it may change. */
  width(): number;
  /** Evaluates a point and keeps what comes out; `theta` is a buffer of its own until it settles. */
  evaluate(point: ChosenPoint, theta: Float32Array): Promise<void>;
  /** Length of θ. */
  readonly parameterCount: number;
}

/**
 * Work for processes that would wait: points that will be asked for in any case are evaluated while nothing else is to
 * be done, so that no more evaluations are under way than the evaluator takes. A process gets the next ones before it
 * has finished, and goes on while an estimate keeps this one busy.
 */
export interface SpareWork {
  /** Names the points, in place of those named before, and begins with them where there is room. */
  prepare(points: readonly ChosenPoint[]): void;
  /** Runs what is asked for now, before all spare work, once what is under way for the same point has ended. */
  runFirst<T>(point: number, task: () => Promise<T>): Promise<T>;
  /** Begins nothing more, and waits for what is under way. */
  close(): Promise<void>;
}

/** Nothing is begun for an evaluator that takes one point at a time: there it would only come first. */
const LEAST_WIDTH = 2;

/**
 * Starts without any points.
 *
 * @param left - pieces that are asked for and not begun: they come first.
 */
export function createSpareWork(
  { width, evaluate, parameterCount }: SpareWorkParts,
  left: () => number,
): SpareWork {
  let points: ChosenPoint[] = [];
  let busy = 0;
  const waiting: (() => void)[] = [];
  const asked = new Set<number>();
  const underWay = new Map<number, Promise<void>>();
  const buffers: Float32Array[] = [];

  const begin = (chosen: ChosenPoint): void => {
    busy++;
    const theta = buffers.pop() ?? new Float32Array(parameterCount);
    // Whatever it failed of shows again where the point is asked for.
    const ended = evaluate(chosen, theta)
      .catch(() => undefined)
      .finally(() => {
        buffers.push(theta);
        underWay.delete(chosen.point);
        leave();
      });
    underWay.set(chosen.point, ended);
  };
  const fill = (): void => {
    const most = width();
    while (most >= LEAST_WIDTH && busy < most && waiting.length === 0 && left() === 0) {
      const next = points.findIndex(({ point }) => !asked.has(point) && !underWay.has(point));
      if (next === -1) return;
      const [chosen] = points.splice(next, 1);
      begin(chosen);
    }
  };
  const leave = (): void => {
    busy--;
    const first = waiting.shift();
    if (first === undefined) fill();
    else first();
  };
  /** Waits until nothing is under way for the point, and there is room. */
  const room = async (point: number): Promise<void> => {
    for (;;) {
      const same = underWay.get(point);
      if (same !== undefined) await same;
      else if (busy >= width()) await new Promise<void>((resolve) => waiting.push(resolve));
      else return;
    }
  };
  return {
    prepare(named) {
      points = [...named];
      fill();
    },
    async runFirst(point, task) {
      await room(point);
      busy++;
      asked.add(point);
      try {
        return await task();
      } finally {
        asked.delete(point);
        leave();
      }
    },
    async close() {
      points = [];
      await Promise.all(underWay.values());
    },
  };
}
