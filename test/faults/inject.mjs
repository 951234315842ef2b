// Faults for a process, by `--import`: LANDSCAPE_FAULT holds them as JSON.
//   { "full": { "bytes": 5000, "under": ["/folder"] } }  the disk under these folders takes so many bytes, then is full;
//                                                        with "in": "text" only files count whose path holds the text
//   { "clock": { "after": 300, "by": -3600000 } }        the clock is set back after so many milliseconds
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { resolve } from "node:path";

const { full, clock } = JSON.parse(process.env.LANDSCAPE_FAULT ?? "{}");

if (clock !== undefined) {
  const { now } = Date;
  const begin = performance.now();
  const RealDate = Date;
  const faked = () => now() + (performance.now() - begin > clock.after ? clock.by : 0);
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      super(...(args.length === 0 ? [faked()] : args));
    }
    static now() {
      return faked();
    }
  };
}

if (full !== undefined) {
  let left = full.bytes;
  const isUnder = (file) => {
    const path = typeof file === "string" ? resolve(file) : "";
    return full.under.some((folder) => path.startsWith(folder)) && path.includes(full.in ?? "");
  };
  const noSpace = () =>
    Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      errno: -28,
      syscall: "write",
    });
  const bytesOf = (data, encoding) => (typeof data === "string" ? Buffer.from(data, encoding) : data);
  const take = (length) => {
    const taken = Math.min(length, Math.max(0, left));
    left -= length;
    return taken;
  };
  const { open, writeFile } = fs.promises;
  // As a real disk does, what still fits is written before the error.
  fs.promises.open = async (file, flags, ...rest) => {
    const handle = await open(file, flags, ...rest);
    if (!isUnder(file) || !/[wa+]/.test(String(flags ?? "r"))) return handle;
    const whole = { write: handle.write.bind(handle), writeFile: handle.writeFile.bind(handle) };
    handle.writeFile = async (data, options) => {
      const bytes = bytesOf(data, options?.encoding);
      const fits = take(bytes.byteLength);
      if (fits === bytes.byteLength) return whole.writeFile(bytes);
      await whole.writeFile(bytes.subarray(0, fits));
      throw noSpace();
    };
    handle.write = async (data, offset, length, position) => {
      const count = length ?? data.byteLength;
      if (take(count) < count) throw noSpace();
      return whole.write(data, offset, length, position);
    };
    return handle;
  };
  fs.promises.writeFile = async (file, data, options) => {
    if (!isUnder(file)) return writeFile(file, data, options);
    const bytes = bytesOf(data);
    const fits = take(bytes.byteLength);
    await writeFile(file, bytes.subarray(0, fits), options);
    if (fits < bytes.byteLength) throw noSpace();
  };
  // Streams open and write through these two.
  const { open: openFile, write } = fs;
  const counted = new Set();
  fs.open = (file, flags, mode, done) =>
    openFile(file, flags, mode, (error, descriptor) => {
      if (error === null && isUnder(file) && /[wa+]/.test(String(flags))) counted.add(descriptor);
      else counted.delete(descriptor);
      done(error, descriptor);
    });
  fs.write = (descriptor, data, offset, length, position, done) => {
    if (counted.has(descriptor) && take(length) < length) return process.nextTick(done, noSpace());
    return write(descriptor, data, offset, length, position, done);
  };
  const { writeFileSync } = fs;
  fs.writeFileSync = (file, data, options) => {
    if (isUnder(file) && take(bytesOf(data).byteLength) < bytesOf(data).byteLength) throw noSpace();
    writeFileSync(file, data, options);
  };
  syncBuiltinESMExports();
}
