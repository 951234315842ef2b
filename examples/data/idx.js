import { closeSync, fstatSync, readSync } from "node:fs";
import { openDataFile } from "./images.js";

/**
 * Reads an IDX file of unsigned bytes (the format of MNIST), or the rows of it that are wanted: a file of 60,000 images is
 * not read for 2,000 of them.
 *
 * @param {string} file - Path of the file.
 * @param {(rows: number) => { offset: number, end: number }} [wanted] - Which rows, told by how many there are. Default all.
 * @returns {{ shape: number[], data: Uint8Array }} Dimensions of the file, and the values of the rows, row-major.
 * @throws {Error} if the file does not exist (where it is packed, with what unpacks it), is not IDX, does not hold bytes, or is cut short.
 * @see http://yann.lecun.com/exdb/mnist/
 */
export function readIdx(file, wanted = (rows) => ({ offset: 0, end: rows })) {
  const open = openDataFile("IDX", file);
  try {
    const length = fstatSync(open).size;
    const head = readBytes(open, file, 0, Math.min(length, 4));
    if (head.length < 4 || head[0] !== 0 || head[1] !== 0 || head[2] !== 0x08) {
      throw new Error(
        `${file}: expected an IDX file of unsigned bytes, got one that begins ${head.toString("hex", 0, 4)}`,
      );
    }
    const rank = head[3];
    const start = 4 + 4 * rank;
    if (length < start) throw new Error(`${file}: expected ${rank} dimensions, got ${length - 4} bytes`);
    const dimensions = readBytes(open, file, 4, start);
    const shape = Array.from({ length: rank }, (_, axis) => dimensions.readUInt32BE(4 * axis));
    const size = shape.reduce((product, count) => product * count, 1);
    if (length - start !== size) {
      throw new Error(`${file}: expected ${size} values, got ${length - start}`);
    }
    const [rows = 1, ...rest] = shape;
    const width = rest.reduce((product, count) => product * count, 1);
    const { offset, end } = wanted(rows);
    return { shape, data: readBytes(open, file, start + offset * width, start + end * width) };
  } finally {
    closeSync(open);
  }
}

/** The bytes of an open file from one place to another. */
function readBytes(open, file, from, to) {
  const bytes = Buffer.alloc(to - from);
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(open, bytes, done, bytes.length - done, from + done);
    if (read === 0) throw new Error(`${file}: expected ${bytes.length} bytes from ${from} on, got ${done}`);
    done += read;
  }
  return bytes;
}
