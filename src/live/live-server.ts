import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { InvalidOptionError, RunStateError } from "../base/errors.js";
import type { LiveState } from "./live-feed.js";

/** A page and what the browser may do with it. */
export interface LivePage {
  readonly html: string;
  /** Content-Security-Policy. */
  readonly policy: string;
}

/** A server of one page, with the states that it shows. */
export interface LiveServer {
  /** Where it is: `http://127.0.0.1:PORT/`. */
  readonly url: string;
  /** Sends a state to every reader, and to those who come later. */
  publish(state: LiveState): void;
  /** Lets the process end although the server is open. */
  unref(): void;
  /** Ends all connections. Idempotent. */
  close(): Promise<void>;
}

const ADDRESS = "127.0.0.1";
/** Readers at a time: each tab of a browser is one. */
const MOST_READERS = 32;
/**
 * Bytes that may wait for a reader who is slower than the training; newer states are left out for him, but for
 * the newest once he has read what waits.
 */
const MOST_WAITING = 8 * 2 ** 20;
const HEARTBEAT = 15_000;

/**
 * Serves a page, and its states as server-sent events, on 127.0.0.1 only.
 *
 * Nobody outside this machine can connect. Requests that name another host are refused, so that no web page
 * can reach the server under a name of its own (DNS rebinding), and so is everything but GET; no other
 * origin may read an answer.
 *
 * @param port - 0 for any that is free.
 * @throws {@link RunStateError} if the port cannot be had.
 */
export async function createLiveServer(page: LivePage, port = 0): Promise<LiveServer> {
  const readers = new Set<ServerResponse>();
  /** Readers for whom states were left out. */
  const behind = new WeakSet<ServerResponse>();
  let latest: string | null = null;
  const send = (reader: ServerResponse): void => {
    if (reader.writableLength < MOST_WAITING) reader.write(latest);
    else behind.add(reader);
  };
  const server = createServer((request, response) => {
    answer(request, response, page, () => {
      addReader(response, readers, latest);
      response.on("drain", () => {
        if (behind.delete(response)) send(response);
      });
    });
  });
  server.maxHeadersCount = 100;
  await listen(server, port);
  const heartbeat = setInterval(() => {
    for (const reader of readers) reader.write(": still here\n\n");
  }, HEARTBEAT);
  heartbeat.unref();
  return {
    url: `http://${ADDRESS}:${portOf(server)}/`,
    publish(state) {
      latest = toEvent(state);
      for (const reader of readers) send(reader);
    },
    unref: () => server.unref(),
    async close() {
      clearInterval(heartbeat);
      // Readers leave before their connections are closed: nothing more is sent to them.
      for (const reader of readers) reader.end();
      readers.clear();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** One line of JSON: it has no line breaks of its own. */
function toEvent(state: LiveState): string {
  return `event: state\ndata: ${JSON.stringify(state)}\n\n`;
}

async function listen(server: Server, port: number): Promise<void> {
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new InvalidOptionError("port", "a whole number from 0 to 65535", String(port));
  }
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const got = cause.code === "EADDRINUSE" ? "one that is in use" : `${cause.code ?? cause.message}`;
      reject(new RunStateError(`port ${port}`, "a free port of this machine", got, { cause }));
    });
    server.listen(port, ADDRESS, () => resolve());
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

const COMMON = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
} as const;

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { html, policy }: LivePage,
  subscribe: () => void,
): void {
  const refuse = (status: number, text: string, headers: Readonly<Record<string, string>> = {}): void => {
    response.writeHead(status, { ...COMMON, "Content-Type": "text/plain; charset=utf-8", ...headers });
    response.end(`${text}\n`);
  };
  if (!isOwnHost(request)) refuse(403, "This page is served under the address of this machine only.");
  else if (request.method !== "GET") refuse(405, "Only GET.", { Allow: "GET" });
  else if (request.url === "/events") subscribe();
  else if (request.url !== "/") refuse(404, "No such page.");
  else {
    response.writeHead(200, {
      ...COMMON,
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policy,
    });
    response.end(html);
  }
}

function isOwnHost({ headers, socket }: IncomingMessage): boolean {
  const { localPort } = socket;
  return headers.host === `${ADDRESS}:${localPort}` || headers.host === `localhost:${localPort}`;
}

function addReader(response: ServerResponse, readers: Set<ServerResponse>, latest: string | null): void {
  if (readers.size >= MOST_READERS) {
    response.writeHead(503, { ...COMMON, "Content-Type": "text/plain; charset=utf-8" });
    response.end("Too many readers.\n");
    return;
  }
  response.writeHead(200, { ...COMMON, "Content-Type": "text/event-stream; charset=utf-8" });
  response.write(latest ?? ": nothing yet\n\n");
  readers.add(response);
  // A connection that breaks ends with "close"; it is no error of who publishes.
  response.on("error", () => undefined);
  response.on("close", () => readers.delete(response));
}
