import { createRequire } from "node:module";

type Color = readonly number[];

/** A GIF being written. */
interface GifStream {
  writeFrame(
    index: Uint8Array,
    width: number,
    height: number,
    options: {
      readonly palette?: readonly Color[];
      /** Milliseconds. */
      readonly delay?: number;
      readonly transparent?: boolean;
      readonly transparentIndex?: number;
      /** 0 repeats for ever. */
      readonly repeat?: number;
      /** 1 leaves the frame standing. */
      readonly dispose?: number;
    },
  ): void;
  finish(): void;
  bytes(): Uint8Array;
}

/** The part of gifenc that is used here; the package brings no types. */
interface GifEncoder {
  GIFEncoder(): GifStream;
  quantize(rgba: Uint8Array, maxColors: number): Color[];
  applyPalette(rgba: Uint8Array, palette: readonly Color[]): Uint8Array;
}

const require = createRequire(import.meta.url);

/** gifenc is CommonJS that calls itself a module: what a default import of it is depends on the loader. */
export const gifenc = require("gifenc") as GifEncoder;
