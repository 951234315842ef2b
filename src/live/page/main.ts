import { setPlatformAPI } from "../../figure/draw/echarts.js";
import { measureText } from "../../figure/draw/placed-text.js";
import type { LiveState } from "../live-feed.js";
import { liveCurves, livePlaneCaption, livePlaneFigure } from "../live-plane.js";
import { createChart } from "./chart.js";
import { element, showLatest, showNotes, showStatus } from "./texts.js";

/** Shows every state that the server sends. */
function main(): void {
  setPlatformAPI({ measureText });
  const plane = createChart("plane");
  const curves = createChart("curves");
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
  });
  events.addEventListener("error", () => {
    // The process has ended, or is ending. What was shown stays; asking again would only fill the console.
    events.close();
    showStatus(latest, "lost");
  });
}

main();
