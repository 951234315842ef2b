import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openContentCache, openFolderStore } from "../../src/queue/content-store.js";
import { decodeWire, encodeWire } from "../../src/queue/wire.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

async function ends() {
  const [folder, here] = [newFolder(), newFolder()];
  mkdirSync(here, { recursive: true });
  const store = await openFolderStore(folder);
  let count = 0;
  const temporary = (): string => join(here, `message-${count++}`);
  const sink = { isFile: (text: string) => text.startsWith(here), put: store.put, temporary };
  const cache = openContentCache(store, join(here), 2 ** 30);
  return { folder, here, store, sink, source: { hold: cache.hold.bind(cache), temporary } };
}

async function there(value: unknown, { sink, source }: Awaited<ReturnType<typeof ends>>): Promise<unknown> {
  return decodeWire(JSON.parse(JSON.stringify(await encodeWire(value, sink))), source);
}

describe("messages", () => {
  test("plain data come back as they were, bit for bit", async () => {
    const both = await ends();
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: "small" },
        fc.double(),
        fc.string(),
        fc.boolean(),
        fc.constant(null),
        fc.float32Array({ maxLength: 20 }),
        fc.float64Array({ maxLength: 20 }),
        fc.int32Array({ maxLength: 20 }),
        fc.uint8Array({ maxLength: 20 }),
        fc.array(tie("any"), { maxLength: 4 }),
        fc.dictionary(
          fc.string().filter((name) => !name.startsWith("$")),
          tie("any"),
          { maxKeys: 4, noNullPrototype: true },
        ),
      ),
    })).any;
    await fc.assert(
      fc.asyncProperty(value, async (one) => {
        expect(await there(one, both)).toStrictEqual(one);
      }),
      { numRuns: 300 },
    );
  });

  test("long arrays and files travel through the store, and JSON files name those of the other machine", async () => {
    const both = await ends();
    const long = Float32Array.from({ length: 10_000 }, (_, i) => Math.sin(i));
    expect(JSON.stringify(await encodeWire(long, both.sink)).length).toBeLessThan(200);
    expect(await there(long, both)).toStrictEqual(long);
    const inner = join(both.here, "data-0.bin");
    writeFileSync(inner, "bytes");
    const outer = join(both.here, "set-1.json");
    writeFileSync(outer, JSON.stringify({ data: { file: inner }, id: -0.5 }));
    const found = (await there({ file: outer }, both)) as { file: string };
    const read = JSON.parse(readFileSync(found.file, "utf8"));
    expect(read.id).toBe(-0.5);
    expect(read.data.file).not.toBe(inner);
    expect(readFileSync(read.data.file, "utf8")).toBe("bytes");
  });

  test("what is no plain data is refused before it travels", async () => {
    const { sink } = await ends();
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const cases: [unknown, RegExp][] = [
      [() => 1, /message: expected plain data, got a function/],
      [new Map(), /expected plain data, got an object of a class/],
      [{ $file: 1 }, /expected names without \$/],
      [cyclic, /expected at most 64 levels, got more/],
      [new BigInt64Array(1), /expected Float32Array, .*, got BigInt64Array/],
    ];
    for (const [value, message] of cases) await expect(encodeWire(value, sink)).rejects.toThrow(message);
  });

  test("a message that nobody can have sent is an error", async () => {
    const { source } = await ends();
    const hostile = [
      { $number: "1e999" },
      { $values: { of: "Function", base64: "" } },
      { $values: { of: "Float64Array", base64: "AAA=" } },
      { $file: { digest: "../../etc/passwd", bytes: 1 } },
      { $file: { digest: "a".repeat(64) } },
      { $eval: "1" },
      { $number: "NaN", other: 1 },
      JSON.parse(`${'{"a":'.repeat(100)}1${"}".repeat(100)}`),
    ];
    for (const message of hostile) {
      await expect(decodeWire(message, source)).rejects.toThrow(/^(message|store)/);
    }
    expect(await decodeWire(JSON.parse('{"__proto__":{"polluted":1}}'), source)).not.toHaveProperty(
      "polluted",
    );
  });
});

describe("the store", () => {
  test("content that is missing, or is not what its digest says, is named and not kept", async () => {
    const { folder, store, here } = await ends();
    const file = join(here, "weights.bin");
    writeFileSync(file, "weights");
    const content = await store.put(file);
    expect(await store.put(file)).toEqual(content);
    const place = join(folder, content.digest.slice(0, 2), content.digest);
    appendFileSync(place, "x");
    const copy = join(here, "copy");
    await expect(store.fetch(content, copy)).rejects.toThrow(
      /store .*: [0-9a-f]{12}: expected 7 bytes of this digest, got others \([0-9a-f]{12}, 8 bytes\): damaged or tampered with/,
    );
    // Its size is wrong: it is put in anew.
    await store.put(file);
    await store.fetch(content, copy);
    expect(readFileSync(copy, "utf8")).toBe("weights");
    rmSync(dirname(place), { recursive: true });
    await expect(store.fetch(content, join(here, "other"))).rejects.toThrow(/expected its content, got none/);
  });

  test("a cache keeps within its limit what nobody holds", async () => {
    const { store, here } = await ends();
    const folder = join(here, "cache");
    mkdirSync(folder);
    const contents = [];
    for (let i = 0; i < 4; i++) {
      writeFileSync(join(here, `file-${i}`), String(i).repeat(100));
      contents.push(await store.put(join(here, `file-${i}`)));
    }
    const cache = openContentCache(store, folder, 250);
    const [first, ...others] = contents;
    const held = await cache.hold(first as (typeof contents)[number]);
    for (const content of others) {
      await cache.hold(content);
      cache.release(content);
    }
    expect(readFileSync(held, "utf8")).toBe("0".repeat(100));
    const { readdirSync } = await import("node:fs");
    expect(readdirSync(folder).length).toBeLessThanOrEqual(3);
    // What went is fetched again.
    expect(readFileSync(await cache.hold(others[0] as (typeof contents)[number]), "utf8")).toBe(
      "1".repeat(100),
    );
  });
});
