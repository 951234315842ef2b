import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { openContentCache, type StoredContent } from "../../src/queue/content-store.js";
import { objectStorePlace, openStore } from "../../src/queue/object-store.js";
import { startQueueWorker } from "../../src/queue/queue-worker.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { type ObjectServer, startObjectServer } from "./object-server.js";

const newFolder = temporaryFolders();
let server: ObjectServer;
beforeAll(async () => {
  server = await startObjectServer();
});
afterAll(() => server.close());
afterEach(() => {
  vi.unstubAllEnvs();
  server.log.length = 0;
});

/** A store on the server, a file of its own to put, and a place to fetch it to. */
async function opened(text: string, environment: Readonly<Record<string, string>> = {}) {
  for (const [name, value] of Object.entries({ ...server.environment, ...environment }))
    vi.stubEnv(name, value);
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "weights.bin");
  writeFileSync(file, text);
  return { store: await openStore("s3://bucket/study.1"), file, copy: join(folder, "copy"), folder };
}

function pathOf({ digest }: StoredContent): string {
  return `/bucket/study.1/${digest.slice(0, 2)}/${digest}`;
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "no error",
    (error: Error & { hint?: string }) => error.message,
  );
}

test("content goes there once, signed, and comes back as it was; so does what is empty, and what is large", async () => {
  for (const text of ["weights", "", "x".repeat(3_000_000)]) {
    const { store, file, copy } = await opened(text);
    server.log.length = 0;
    const content = await store.put(file);
    expect(await store.put(file)).toEqual(content);
    expect(server.objects.get(pathOf(content))?.toString()).toBe(text);
    await store.fetch(content, copy);
    expect(readFileSync(copy, "utf8")).toBe(text);
    expect(server.log).toEqual(["HEAD 404", "PUT 200", "HEAD 200", "GET 200"]);
  }
});

test("another secret, and another region: refused in words that hold neither", async () => {
  for (const wrong of [{ AWS_SECRET_ACCESS_KEY: "another/s3cret" }, { AWS_REGION: "us-west-2" }]) {
    const { store, file } = await opened("refused", wrong);
    const message = await messageOf(store.put(file));
    expect(message).toMatch(
      /^store s3:\/\/bucket\/study\.1: [0-9a-f]{12}: expected a server that takes it, got HTTP 403 SignatureDoesNotMatch; do the keys/,
    );
    expect(message).not.toMatch(/s3cret|AKID/);
  }
  expect(server.log).toEqual(["HEAD 403", "PUT 403", "HEAD 403", "PUT 403"]);
});

test("an object that is lost, changed, longer or shorter is named, and nothing of it stays", async () => {
  const { store, file, copy } = await opened("what it was");
  const content = await store.put(file);
  const place = pathOf(content);
  const tampered =
    /store s3:.*: [0-9a-f]{12}: expected 11 bytes of this digest, got others \(.*\): damaged or tampered with; remove it/;
  for (const text of ["what it Was", "what it was, and a lot more".repeat(100_000), "what it"]) {
    server.objects.set(place, Buffer.from(text));
    expect(await messageOf(store.fetch(content, copy))).toMatch(tampered);
    expect(existsSync(copy)).toBe(false);
  }
  // Its length tells: it is put there anew.
  await store.put(file);
  await store.fetch(content, copy);
  server.objects.delete(place);
  expect(await messageOf(store.fetch(content, `${copy}-2`))).toMatch(/: expected its content, got none$/);
  expect(await messageOf(store.fetch({ digest: "../../x", bytes: 1 }, copy))).toMatch(
    /expected a sha-256 in hex/,
  );
});

test("a busy server is asked again, also in the middle of an object; one that stays away is named", async () => {
  const { store, file, copy } = await opened("patience".repeat(1000));
  server.troubles.push("busy", "hang up");
  const content = await store.put(file);
  server.troubles.push("cut", "busy");
  await store.fetch(content, copy);
  expect(readFileSync(copy, "utf8")).toBe("patience".repeat(1000));
  const away = await opened("away", { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" });
  expect(await messageOf(away.store.put(away.file))).toMatch(
    /expected a server that answers, got (ECONNREFUSED|bad port)/,
  );
}, 60_000);

test("a full disk of the one who fetches is said, and is not tried again", async () => {
  const { store, file, folder } = await opened("full");
  const content = await store.put(file);
  server.log.length = 0;
  expect(await messageOf(store.fetch(content, join(folder, "weights.bin", "copy")))).toMatch(
    /expected a place that can be written to, got a part of the path is a file/,
  );
  expect(server.log).toEqual(["GET 200"]);
});

test("a cache of it keeps within its limit", async () => {
  const { store, file, folder } = await opened("a".repeat(100));
  const content = await store.put(file);
  const cache = openContentCache(store, folder, 50);
  expect(readFileSync(await cache.hold(content), "utf8")).toBe("a".repeat(100));
});

test("names, variables and endpoints that are none are refused without their values", () => {
  const environment = server.environment;
  const said = (name: string, other: Record<string, string | undefined> = {}): string => {
    try {
      return objectStorePlace(name, { ...environment, ...other }).address;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const none = { AWS_ENDPOINT_URL_S3: undefined };
  expect(said("s3://bucket/a/b/", none)).toBe("https://bucket.s3.eu-test-1.amazonaws.com/a/b");
  expect(said("s3://my.bucket", none)).toBe("https://s3.eu-test-1.amazonaws.com/my.bucket");
  expect(said("s3://bucket", { AWS_ENDPOINT_URL_S3: "https://store.org/base/" })).toBe(
    "https://store.org/base/bucket",
  );
  for (const name of [
    "s3://",
    "s3://B",
    "s3://bucket/../x",
    "s3://bucket/a b",
    "s3://bucket?x",
    "s3://u:p@bucket",
  ])
    expect(said(name)).toMatch(/^store: expected s3:\/\/bucket or s3:\/\/bucket\/folder, got/);
  expect(said("s3://bucket", { AWS_ACCESS_KEY_ID: undefined })).toMatch(
    /^store s3:\/\/bucket: expected the variable AWS_ACCESS_KEY_ID, got none; with the AWS command line: eval/,
  );
  for (const [name, value] of [
    ["AWS_SECRET_ACCESS_KEY", "s3cret\nx"],
    ["AWS_ENDPOINT_URL_S3", "https://user:s3cret@store.org"],
    ["AWS_REGION", "s3cret region"],
  ] as const) {
    const message = said("s3://bucket", { [name]: value });
    expect(message).toMatch(/^store s3:\/\/bucket: expected/);
    expect(message).not.toContain("s3cret");
  }
});

test("a worker looks at its store before it connects: a connection would keep it alive", async () => {
  const options = { redis: "redis://127.0.0.1:1", store: "s3://No_Bucket" };
  expect(await messageOf(startQueueWorker(options))).toMatch(/^store: expected s3:/);
});
