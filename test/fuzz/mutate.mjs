// Seeded damage to bytes, to JSON and to lists of arguments.

/** Random numbers of a case: the same for the same text (mulberry32 over a hash of it). */
export function createRandom(text) {
  let state = 2166136261;
  for (const character of text) state = Math.imul(state ^ character.charCodeAt(0), 16777619);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (count) => Math.floor(next() * count);
  return { next, below, pick: (list) => list[below(list.length)] };
}

const INT32 = [0, 1, -1, 4, 255, 256, 65_535, 65_536, 0x7fffffff, -0x80000000, 0x40000000, 0x10000000];

const BYTE_DAMAGE = [
  (bytes, { below }) => {
    bytes[below(bytes.length)] ^= 1 << below(8);
    return bytes;
  },
  (bytes, { below, pick }) => {
    bytes[below(bytes.length)] = pick([0, 1, 0x7f, 0x80, 0xff, 0x22, 0x5c, 0x7b, 0x2d, 0x39]);
    return bytes;
  },
  (bytes, { below, pick }) => {
    if (bytes.length >= 4) bytes.writeInt32LE(pick(INT32), below(bytes.length - 3));
    return bytes;
  },
  (bytes, { below }) => bytes.subarray(0, below(bytes.length)),
  (bytes, { below }) => Buffer.concat([bytes, Buffer.alloc(1 + below(64), below(256))]),
  (bytes, { below }) => {
    const at = below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(16))]);
  },
  (bytes, { below }) => {
    const [at, from] = [below(bytes.length), below(bytes.length)];
    return Buffer.concat([
      bytes.subarray(0, at),
      bytes.subarray(from, from + 1 + below(32)),
      bytes.subarray(at),
    ]);
  },
  (bytes, { below }) => {
    const [a, b, length] = [below(bytes.length), below(bytes.length), 1 + below(16)];
    const [one, two] = [a, b].map((at) => Buffer.from(bytes.subarray(at, at + length)));
    two.copy(bytes, a);
    one.copy(bytes, b);
    return bytes;
  },
];

/** Returns damaged bytes: one fault in half of the cases, up to four in the others. */
export function damageBytes(whole, random) {
  let bytes = Buffer.from(whole);
  const faults = random.next() < 0.5 ? 1 : 1 + random.below(4);
  for (let fault = 0; fault < faults && bytes.length > 0; fault++)
    bytes = random.pick(BYTE_DAMAGE)(bytes, random);
  return bytes;
}

/** Values that programs stumble over. */
const STRANGE = [
  null,
  true,
  false,
  0,
  -1,
  1,
  2,
  0.5,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  5e-324,
  3e7,
  1e9,
  "",
  "NaN",
  "Infinity",
  "-0",
  "custom",
  "constructor",
  "toString",
  "__proto__",
  "../../x",
  "\u0000",
  "\ud800",
  "\u001b[2J",
  "x".repeat(5000),
  [],
  [null],
  [[]],
  [0],
  [-1],
  [1e9],
  {},
  { a: 1 },
  { className: "Dense", config: {} },
  { class_name: "Lambda", config: null },
]; // prettier-ignore

/** Every place in JSON: the object or array that holds it, and its key. */
function placesIn(value, places = []) {
  for (const key of Object.keys(value)) {
    places.push([value, key]);
    if (typeof value[key] === "object" && value[key] !== null) placesIn(value[key], places);
  }
  return places;
}

const clone = (value) => (value === undefined ? null : structuredClone(value));

const JSON_DAMAGE = [
  ([holder, key], { pick }) => {
    holder[key] = clone(pick(STRANGE));
  },
  ([holder, key]) => {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  },
  ([holder, key], _random, others) => {
    const [otherHolder, otherKey] = others;
    holder[key] = clone(otherHolder[otherKey]);
  },
  ([holder, key], { pick }) => {
    const value = holder[key];
    if (typeof value === "number")
      holder[key] = pick([value + 1, value - 1, value * 2, -value, value + 0.5, value * 1e6, 1 / value]);
    else if (typeof value === "string")
      holder[key] = pick([`${value}x`, value.slice(1), value.toUpperCase(), "", `${value}/${value}`]);
    else if (typeof value === "boolean") holder[key] = !value;
    else holder[key] = pick([[value], { value }, null]);
  },
  ([holder, key]) => {
    if (Array.isArray(holder)) holder.push(clone(holder[key]));
    else holder[`${key}2`] = clone(holder[key]);
  },
  ([holder, key], { pick }) => {
    const value = holder[key];
    delete holder[key];
    const name = pick(["constructor", "toString", "", "a.b", `${key}_`]);
    if (!Array.isArray(holder)) holder[name] = value;
  },
  ([holder, key], { pick }) => {
    let deep = clone(holder[key]);
    for (let i = pick([2, 50, 400]); i > 0; i--) deep = [deep];
    holder[key] = deep;
  },
];

/** Returns damaged JSON: one fault in half of the cases, up to four in the others. */
export function damageJson(whole, random) {
  const value = { root: clone(whole) };
  const faults = random.next() < 0.5 ? 1 : 1 + random.below(4);
  for (let fault = 0; fault < faults; fault++) {
    const places = placesIn(value);
    if (places.length > 0) random.pick(JSON_DAMAGE)(random.pick(places), random, random.pick(places));
  }
  return value.root ?? null;
}
