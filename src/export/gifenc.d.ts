/** The part of gifenc that is used here; the package brings no types. */
declare module "gifenc" {
  type Color = readonly number[];

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

  /** CommonJS: Node.js gives its exports as one object. */
  const gifenc: {
    GIFEncoder(): GifStream;
    quantize(rgba: Uint8Array, maxColors: number): Color[];
    applyPalette(rgba: Uint8Array, palette: readonly Color[]): Uint8Array;
  };
  export default gifenc;
}
