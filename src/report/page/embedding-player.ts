import type { Progress } from "../figure.js";

/** Time that a whole training takes to play, and the least for a frame, in ms. */
const WHOLE = 8000;
const LEAST = 40;

/**
 * Puts a button and a slider below `place` that show a training count by count.
 *
 * @param frames - the counts, increasing.
 * @param show - called with the count up to which snapshots are to be seen; all of them at the last.
 */
export function createPlayer(
  place: HTMLElement,
  progress: Progress,
  frames: readonly number[],
  show: (until: number) => void,
): void {
  const last = frames.length - 1;
  const bar = document.createElement("div");
  bar.className = "player";
  const button = document.createElement("button");
  button.type = "button";
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.max = String(last);
  slider.setAttribute("aria-label", `Snapshots up to ${progress}`);
  const label = document.createElement("output");
  bar.append(button, slider, label);
  place.after(bar);
  let timer = 0;

  const set = (frame: number): void => {
    slider.value = String(frame);
    const text = `${progress} ${frames[frame]} of ${frames[last]}`;
    label.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    show(frame === last ? Number.POSITIVE_INFINITY : (frames[frame] as number));
  };
  const stop = (): void => {
    window.clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  };
  const play = (): void => {
    if (slider.value === slider.max) set(0);
    button.textContent = "Pause";
    timer = window.setInterval(
      () => {
        set(Number(slider.value) + 1);
        if (slider.value === slider.max) stop();
      },
      Math.max(LEAST, WHOLE / (last + 1)),
    );
  };
  button.addEventListener("click", () => (timer === 0 ? play() : stop()));
  slider.addEventListener("input", () => {
    stop();
    set(Number(slider.value));
  });
  stop();
  set(last);
}
