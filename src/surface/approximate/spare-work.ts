import type { ChosenPoint } from "./point-data.js";

/** What spare work is done with. */
export interface SpareWorkParts {
  /** How many evaluations are to be under way at once; it may change. */
  width(): number;
  /** Pieces that are asked for and not begun: they come first. */
  left(): number;
  /** Evaluates a point and keeps what comes out. */
  evaluate(point: ChosenPoint): Promise<void>;
  /** Stops it: nothing more is begun, and what fails then is no failure of a point. */
  readonly signal: AbortSignal;
}

/**
 * Work for processes that would wait: points that will be asked for in any case are evaluated while nothing else is to
 * be done, so that no more evaluations are under way than the evaluator takes. A process gets the next ones before it
 * has finished, and goes on while an estimate keeps this one busy.
 */
export interface SpareWork {
  /** Names the points, in place of those named before, and begins with them where there is room. */
  prepare(points: readonly ChosenPoint[]): void;
  /**
   * Runs what is asked for now, before all spare work, once what is under way for the same point has ended.
   *
   * @throws what the evaluation of the point failed of before: it is not tried again.
   */
  runFirst<T>(point: number, task: () => Promise<T>): Promise<T>;
  /** Begins nothing more, and waits for what is under way. */
  close(): Promise<void>;
}

/** Nothing is begun for an evaluator that takes one point at a time: there it would only come first. */
const LEAST_WIDTH = 2;

/** Starts without any points. */
export function createSpareWork({ width, left, evaluate, signal }: SpareWorkParts): SpareWork {
  let points: ChosenPoint[] = [];
  let busy = 0;
  const waiting: (() => void)[] = [];
  const asked = new Set<number>();
  const underWay = new Map<number, Promise<void>>();
  const failed = new Map<number, { readonly reason: unknown }>();

  const begin = (chosen: ChosenPoint): void => {
    const { point } = chosen;
    busy++;
    const ended = evaluate(chosen)
      .catch((reason: unknown) => {
        if (!signal.aborted) failed.set(point, { reason });
      })
      .finally(() => {
        underWay.delete(point);
        leave();
      });
    underWay.set(point, ended);
  };
  const isFree = ({ point }: ChosenPoint): boolean =>
    !asked.has(point) && !underWay.has(point) && !failed.has(point);
  const fill = (): void => {
    const most = width();
    while (most >= LEAST_WIDTH && busy < most && waiting.length === 0 && left() === 0 && !signal.aborted) {
      const next = points.findIndex(isFree);
      if (next === -1) return;
      const [chosen] = points.splice(next, 1);
      begin(chosen);
    }
  };
  /** Those who wait get a place in the same step, so that nobody comes between. */
  const leave = (): void => {
    busy--;
    while (waiting.length > 0 && busy < width()) {
      busy++;
      waiting.shift()?.();
    }
    fill();
  };
  /** Waits until nothing is under way for the point, then takes a place. */
  const enter = async (point: number): Promise<void> => {
    for (let same = underWay.get(point); same !== undefined; same = underWay.get(point)) await same;
    const failure = failed.get(point);
    if (failure !== undefined) throw failure.reason;
    asked.add(point);
    if (busy < width()) busy++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return {
    prepare(named) {
      points = [...named];
      fill();
    },
    async runFirst(point, task) {
      await enter(point);
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
