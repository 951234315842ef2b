import { decodeNumber } from "../../base/json.js";
import { formatNumber } from "../../figure/draw/format-number.js";
import type { LiveState } from "../live-feed.js";

/** The element of the page with an id. */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Says how far the run is, or that the server is gone. */
export function showStatus(state: LiveState | null, connection: "open" | "lost" = "open"): void {
  const place = element("status");
  const isLost = connection === "lost";
  place.dataset.status = isLost ? "lost" : (state?.status ?? "idle");
  const strong = document.createElement("strong");
  strong.textContent = isLost
    ? "connection lost: the process has ended, or reload the page"
    : statusOf(state);
  const last = state?.points[state.points.length - 1];
  const of = state?.epochs == null ? "" : ` of ${state.epochs}`;
  const texts =
    state === null || last === undefined ? [] : [`epoch ${last.epoch}${of}`, `${state.snapshots} snapshots`];
  place.replaceChildren(strong, ...texts.map(span));
}

function statusOf(state: LiveState | null): string {
  if (state === null) return "connecting";
  if (state.status === "recording") return "training";
  const last = state.points[state.points.length - 1];
  return state.epochs !== null && (last?.epoch ?? 0) >= state.epochs ? "finished" : "not being written";
}

function span(text: string): HTMLElement {
  const made = document.createElement("span");
  made.textContent = text;
  return made;
}

/** Shows the numbers of the newest snapshot. */
export function showLatest({ points }: LiveState): void {
  const last = points[points.length - 1];
  const rows =
    last === undefined
      ? []
      : [
          ["epoch", String(last.epoch)],
          ["iteration", String(last.iteration)],
          ["learning rate", text(last.learningRate)],
          ...last.logs.map(([name, value]) => [name, text(value)]),
        ];
  const items = rows.map(([name = "", value = ""]) => {
    const box = document.createElement("div");
    const term = document.createElement("dt");
    const detail = document.createElement("dd");
    term.textContent = name;
    detail.textContent = value;
    box.append(term, detail);
    return box;
  });
  element("latest").replaceChildren(...items);
}

function text(value: Parameters<typeof decodeNumber>[0]): string {
  return formatNumber(decodeNumber(value));
}

/** Shows what the reader should know. */
export function showNotes({ notes }: LiveState): void {
  const items = notes.map((note) => {
    const item = document.createElement("li");
    item.textContent = note;
    return item;
  });
  element("notes").replaceChildren(...items);
}
