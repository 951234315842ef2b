/** Adds an element to a parent; a text goes in as a text node, so that no string becomes markup. */
export function addElement<Tag extends keyof HTMLElementTagNameMap>(
  parent: HTMLElement | null,
  tag: Tag,
  className = "",
  text = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  parent?.append(element);
  return element;
}

/** A button that is not the default one of a form. */
export function addButton(parent: HTMLElement | null, text: string, onClick: () => void): HTMLButtonElement {
  const button = addElement(parent, "button", "", text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

/** Options of {@link createPlayer}. */
export interface PlayerOptions {
  /** Number of positions, at least 1. */
  readonly count: number;
  /** What a position is called beside the slider, e.g. "epoch 3". */
  readonly label: (position: number) => string;
  /** Called at each change of position, and not for the first one. */
  readonly onMove: (position: number) => void;
  /** Name of the slider for assistive technology; default "Epoch". */
  readonly name?: string;
  /** Where to begin; default 0. */
  readonly start?: number;
  /** Seconds that playing from the first position to the last takes; default 8, but no step above 0.7 s. */
  readonly duration?: number;
}

/** A slider with a button to play and pause. */
export interface Player {
  /** To be put into the page. */
  readonly element: HTMLElement;
  /** Where it is, from 0. */
  readonly position: number;
  readonly isPlaying: boolean;
  /** Goes to a position, held inside the range. */
  moveTo(position: number): void;
  play(): void;
  pause(): void;
  /** Changes the number of positions; a player at the last one stays at the last one. */
  resize(count: number): void;
  /**
   * Does what a key asks for: space plays and pauses; ← and → go a step, Page Up and Page Down a tenth, Home
   * and End to the ends. Returns whether the key meant something, so that the caller can stop its default.
   */
  press(key: string): boolean;
}

const LONGEST_STEP = 700;
const SHORTEST_STEP = 25;

/** Creates a player: it knows only positions and reports each change; the view draws them. */
export function createPlayer(options: PlayerOptions): Player {
  const { label, onMove, name = "Epoch", start = 0, duration = 8 } = options;
  let last = Math.max(0, options.count - 1);
  const element = addElement(null, "div", "player");
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", `Playback: ${name}`);
  const button = addButton(element, "", () => (timer === null ? play() : pause()));
  button.className = "play";
  const slider = addElement(element, "input");
  Object.assign(slider, { type: "range", min: "0", max: String(last), step: "1" });
  slider.setAttribute("aria-label", name);
  const output = addElement(element, "output");
  let position = hold(start);
  let timer: ReturnType<typeof setInterval> | null = null;

  function hold(value: number): number {
    return Math.min(last, Math.max(0, Math.round(value)));
  }
  function show(): void {
    slider.value = String(position);
    slider.setAttribute("aria-valuetext", label(position));
    output.textContent = label(position);
    button.textContent = timer === null ? "▶" : "❚❚";
    button.setAttribute("aria-label", timer === null ? "Play" : "Pause");
    button.disabled = last === 0;
  }
  function moveTo(value: number): void {
    const next = hold(value);
    if (next === position) return;
    position = next;
    show();
    onMove(position);
  }
  function play(): void {
    if (timer !== null || last === 0) return;
    const even = (duration * 1000) / last;
    const step = Math.max(SHORTEST_STEP, Math.min(LONGEST_STEP, even));
    // Where positions would be too short to be seen, some are passed over.
    const stride = Math.max(1, Math.round(step / even));
    if (position === last) moveTo(0);
    timer = setInterval(() => {
      moveTo(position + stride);
      if (position === last) pause();
    }, step);
    show();
  }
  function pause(): void {
    if (timer !== null) clearInterval(timer);
    timer = null;
    show();
  }
  function press(key: string): boolean {
    const tenth = Math.max(1, Math.round((last + 1) / 10));
    const targets: Readonly<Record<string, number>> = {
      ArrowRight: position + 1,
      ArrowLeft: position - 1,
      PageUp: position + tenth,
      PageDown: position - tenth,
      Home: 0,
      End: last,
    };
    if (key === " ") {
      if (timer === null) play();
      else pause();
      return true;
    }
    const target = Object.hasOwn(targets, key) ? targets[key] : undefined;
    if (target === undefined) return false;
    pause();
    moveTo(target);
    return true;
  }

  slider.addEventListener("input", () => {
    const chosen = Number(slider.value);
    pause();
    moveTo(chosen);
  });
  slider.addEventListener("keydown", (event) => {
    if (event.key === " " && press(event.key)) event.preventDefault();
  });
  show();
  return {
    element,
    get position() {
      return position;
    },
    get isPlaying() {
      return timer !== null;
    },
    moveTo,
    play,
    pause,
    press,
    resize(count) {
      const isAtEnd = position === last && last > 0;
      last = Math.max(0, count - 1);
      slider.max = String(last);
      position = isAtEnd ? last : hold(position);
      show();
    },
  };
}
