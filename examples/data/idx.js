import { readDataFile } from "./images.js";

/**
 * Reads an IDX file of unsigned bytes (the format of MNIST).
 *
 * @param {string} file - Path of the file.
 * @returns {{ shape: number[], data: Uint8Array }} Dimensions and values, row-major.
 * @throws {Error} if the file does not exist (where it is packed, with what unpacks it), is not IDX, does not hold bytes, or is cut short.
 * @see http://yann.lecun.com/exdb/mnist/
 */
export function readIdx(file) {
  const bytes = readDataFile("IDX", file);
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 0x08) {
    throw new Error(
      `${file}: expected an IDX file of unsigned bytes, got one that begins ${bytes.toString("hex", 0, 4)}`,
    );
  }
  const rank = bytes[3];
  if (bytes.length < 4 + 4 * rank) {
    throw new Error(`${file}: expected ${rank} dimensions, got ${bytes.length - 4} bytes`);
  }
  const shape = Array.from({ length: rank }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + 4 + 4 * rank, bytes.length - 4 - 4 * rank);
  const size = shape.reduce((product, length) => product * length, 1);
  if (data.length !== size) throw new Error(`${file}: expected ${size} values, got ${data.length}`);
  return { shape, data };
}
