import { type IncomingMessage, request } from "node:http";
import type { LiveState } from "../../src/live/live-feed.js";

/** An answer with its whole text. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** Asks a live server as anybody can. */
export function ask(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, method, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    asked.on("error", reject).end();
  });
}

/** Reads states until one is as wanted, and returns all of them. */
export function statesUntil(url: string, isWanted: (state: LiveState) => boolean): Promise<LiveState[]> {
  return new Promise((resolve, reject) => {
    const states: LiveState[] = [];
    let text = "";
    const asked = request(`${url}events`, { agent: false }, (answer) => {
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
        const events = text.split("\n\n");
        text = events.pop() ?? "";
        for (const event of events) {
          const data = /^event: state\ndata: (.*)$/.exec(event)?.[1];
          if (data === undefined) continue;
          const state = JSON.parse(data) as LiveState;
          states.push(state);
          if (!isWanted(state)) continue;
          asked.destroy();
          resolve(states);
          return;
        }
      });
      answer.on("error", () => undefined);
    });
    asked.on("error", reject).end();
  });
}
