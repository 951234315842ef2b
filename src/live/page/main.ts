import type { LiveState } from "../live-feed.js";
import { createChart, drawCurves, drawPlane } from "./chart.js";
import { element, showLatest, showNotes, showStatus } from "./texts.js";

/** Shows every state that the server sends. */
function main(): void {
  const plane = createChart(element("plane"));
  const curves = createChart(element("curves"));
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
    plane.show(drawPlane(state));
    curves.show(drawCurves(state));
  });
  events.addEventListener("error", () => {
    // The process has ended, or is ending. What was shown stays; asking again would only fill the console.
    events.close();
    showStatus(latest, "lost");
  });
}

main();
