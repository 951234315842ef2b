import { decodeNumber } from "../../base/json.js";
import { setPlatformAPI } from "../../figure/draw/echarts.js";
import { formatNumber } from "../../figure/draw/format-number.js";
import { measureText } from "../../figure/draw/placed-text.js";
import type { Figure } from "../../figure/figure.js";
import { type FigureView, showFigure } from "../../figure/page/show-figure.js";
import type { LiveState } from "../live-feed.js";
import { liveCurves, livePlaneCaption, livePlaneFigure, liveStability } from "../live-plane.js";

/** The element of the page with an id. */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Shows the progress of the run, or that the server is gone. */
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

/** A place for a figure that grows. */
export interface Chart {
  /** Shows a figure instead of the last one; null takes it away. */
  show(figure: Figure | null): void;
}

/** Makes a chart in the place of an id, with its caption in the place "ID-caption". */
export function createChart(id: string): Chart {
  const place = element(id);
  let view: FigureView | null = null;
  return {
    show(figure) {
      place.setAttribute("aria-label", figure?.description ?? "nothing yet");
      if (figure === null) {
        view?.dispose();
        view = null;
        return;
      }
      // No line begins with a percent sign.
      element(`${id}-caption`).textContent = figure.caption.replaceAll(" %", "\u00a0%");
      if (view === null) view = showFigure(place, figure, { hasControls: false });
      else view.update(figure);
    },
  };
}

/** Shows every state that the server sends. */
function main(): void {
  setPlatformAPI({ measureText });
  const plane = createChart("plane");
  const curves = createChart("curves");
  const stability = createChart("stability");
  const events = new EventSource("/events");
  let latest: LiveState | null = null;
  events.addEventListener("state", (event: MessageEvent<string>) => {
    const state = JSON.parse(event.data) as LiveState;
    latest = state;
    document.title = state.name;
    element("name").textContent = state.name;
    showStatus(state);
    showLatest(state);
    showNotes(state);
    const path = livePlaneFigure(state);
    if (path === null) element("plane-caption").textContent = livePlaneCaption(state);
    plane.show(path);
    curves.show(state.points.length === 0 ? null : liveCurves(state));
    const edge = liveStability(state);
    // A chart is drawn as wide as its place, which must be there.
    element("stability-section").hidden = edge === null;
    stability.show(edge);
  });
  events.addEventListener("error", () => {
    // The process has ended, or is ending. What was shown stays; asking again would only fill the console.
    events.close();
    showStatus(latest, "lost");
  });
}

main();
