import cliProgress from "cli-progress";

/** Reports how much of a long step is done. */
export interface Progress {
  /** Sets what is done of the whole; the first call starts the bar. */
  update(done: number, total: number): void;
  /** Ends the bar; also safe where none was started. */
  stop(): void;
}

/**
 * Creates a progress bar with the remaining time on stderr. Where stderr is no terminal it writes one
 * line when the step starts, so that logs stay readable.
 */
export function createProgress(title: string, note: (line: string) => void): Progress {
  if (!process.stderr.isTTY) return createLine(title, note);
  const bar = new cliProgress.SingleBar({
    format: `${title} [{bar}] {value}/{total} · {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
  });
  let started = false;
  return {
    update(done, total) {
      if (!started) bar.start(total, done);
      else bar.update(done);
      started = true;
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

function createLine(title: string, note: (line: string) => void): Progress {
  let started = false;
  return {
    update(_done, total) {
      if (!started) note(`${title} (${total})`);
      started = true;
    },
    stop() {},
  };
}
