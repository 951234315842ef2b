// The parts of three.js that the page uses: its types are a package of their own, with engines that nothing here needs.
declare module "three" {
  export const BackSide: number;
  export const CustomBlending: number;
  export const DoubleSide: number;
  export const FrontSide: number;
  export const GLSL3: string;
  export const GreaterDepth: number;
  export const LessDepth: number;
  export const NoBlending: number;
  export const OneFactor: number;
  export const OneMinusSrcAlphaFactor: number;
  type Row = readonly [x: number, y: number, z: number, w: number];
  export class Matrix4 {
    set(...rows: readonly [...Row, ...Row, ...Row, ...Row]): this;
  }
  export class Vector3 {
    set(x: number, y: number, z: number): this;
  }
  export class BufferAttribute {
    constructor(values: ArrayLike<number>, size: number);
  }
  export class BufferGeometry {
    setAttribute(name: string, attribute: BufferAttribute): this;
    setIndex(index: BufferAttribute): this;
    dispose(): void;
  }
  export class RawShaderMaterial {
    constructor(parameters: Readonly<Record<string, unknown>>);
    dispose(): void;
  }
  class Object3D {
    readonly children: readonly Object3D[];
    frustumCulled: boolean;
    add(child: Object3D): this;
    remove(child: Object3D): this;
  }
  export class Camera extends Object3D {}
  export class Scene extends Object3D {}
  export class Mesh extends Object3D {
    constructor(geometry: BufferGeometry, material: RawShaderMaterial);
    readonly material: RawShaderMaterial;
  }
  export class WebGLRenderer {
    constructor(options: { readonly antialias: boolean; readonly alpha: boolean });
    readonly domElement: HTMLCanvasElement;
    sortObjects: boolean;
    setClearColor(color: number, alpha: number): void;
    setPixelRatio(ratio: number): void;
    setSize(width: number, height: number): void;
    render(scene: Scene, camera: Camera): void;
    dispose(): void;
  }
}

// gifenc brings no types: encode-gif.ts names the part that it uses.
declare module "gifenc" {
  const loaded: unknown;
  export default loaded;
}

// @jsquash/webp has types for browsers: encode-webp.ts names the part of its encoder that it uses.
declare module "@jsquash/webp/codec/enc/webp_enc_simd.js" {
  const create: (options: {
    readonly noInitialRun: boolean;
    readonly wasmBinary: Uint8Array;
  }) => Promise<unknown>;
  export default create;
}
declare module "@jsquash/webp/meta.js" {
  export const defaultOptions: Readonly<Record<string, number>>;
}
