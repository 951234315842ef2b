import {
  BackSide,
  BufferAttribute,
  BufferGeometry,
  Camera,
  CustomBlending,
  DoubleSide,
  FrontSide,
  GLSL3,
  GreaterDepth,
  LessDepth,
  Matrix4,
  Mesh,
  NoBlending,
  OneFactor,
  OneMinusSrcAlphaFactor,
  RawShaderMaterial,
  Scene,
  Vector3,
  WebGLRenderer,
} from "three";
import type { Rect } from "../draw/figure-frame.js";
import type { SceneMesh } from "../space/mesh-builder.js";
import { LOOK } from "../space/render-scene.js";
import type { SceneMeshes } from "../space/scene-mesh.js";
import type { Projection } from "../space/scene-view.js";
import { keyLight, SKY } from "../space/sky-light.js";

/** Draws scenes with WebGL 2. This script is parsed only when a reader opens something in 3-D. */
export interface SpaceStage {
  readonly canvas: HTMLCanvasElement;
  setScene(meshes: SceneMeshes): void;
  /** @param fineness - pixels of the picture per pixel of the screen: less than 1 while it moves. */
  draw(projection: Projection, place: Rect, fineness?: number): void;
  dispose(): void;
}

/** What the page's main script finds after it has run this one. */
export interface StageMaker {
  /** @param antialias - whether edges are smooth: four times the work. */
  createStage: (antialias: boolean) => SpaceStage;
}

/** Half the depth that is in sight, in units of the box. */
const DEPTH = 400;

const VERTEX = `precision highp float;
in vec3 position; in vec3 normal; in vec3 color; in float sky; in vec3 lines;
uniform mat4 clip; uniform vec3 key; uniform float least; uniform float ahead;
out vec3 vColor; out float vSky; out vec3 vLines;
void main() {
  gl_Position = clip * vec4(position, 1.0);
  gl_Position.z -= ahead;
  float lit = ${SKY.toFixed(3)} * sky + ${(1 - SKY).toFixed(3)} * max(0.0, dot(normal, key));
  vColor = color * (least + (1.0 - least) * lit);
  vSky = sky; vLines = lines;
}`;

/** The same as `coverage` and `draw` of the rasterizer. */
const FRAGMENT = `precision highp float;
in vec3 vColor; in float vSky; in vec3 vLines;
uniform float line; uniform int kind; uniform bool isGrid;
out vec4 drawn;
float cover(float value) {
  float change = length(vec2(dFdx(value), dFdy(value)));
  if (change < 1e-9) return 0.0;
  float away = abs(value - round(value)) / change;
  return clamp(line / 2.0 + 0.5 - away, 0.0, 1.0) * min(1.0, 0.35 / (change * line));
}
void main() {
  float share = line == 0.0 ? 0.0 : isGrid ? max(cover(vLines.y), cover(vLines.z)) : cover(vLines.x);
  if (kind == 0) {
    share *= ${LOOK.floorLine.toFixed(2)};
    drawn = vec4(vColor * share, share + (1.0 - vSky) * (1.0 - share));
  } else if (kind == 1) drawn = vec4(vColor * (1.0 - ${LOOK.surfaceLine.toFixed(2)} * share), 1.0);
  else if (kind == 2) drawn = vec4(vColor, 1.0) * ${LOOK.ghost.toFixed(2)};
  else drawn = vec4(vColor, 1.0);
}`;

/** How each part is drawn, in this order. */
const PARTS = [
  { mesh: "floor", kind: 0, least: 1, state: { depthTest: false, depthWrite: false, side: DoubleSide } },
  { mesh: "surface", kind: 1, least: LOOK.surfaceLight, state: { side: DoubleSide } },
  {
    mesh: "paths",
    kind: 2,
    least: LOOK.pathLight,
    state: {
      depthFunc: GreaterDepth,
      depthWrite: false,
      side: FrontSide,
      blending: CustomBlending,
      blendSrc: OneFactor,
      blendDst: OneMinusSrcAlphaFactor,
    },
  },
  { mesh: "rims", kind: 3, least: 1, state: { side: BackSide } },
  { mesh: "paths", kind: 3, least: LOOK.pathLight, state: { side: FrontSide } },
] as const;

function createStage(antialias: boolean): SpaceStage {
  const renderer = new WebGLRenderer({ antialias, alpha: true });
  renderer.setClearColor(0x000000, 0);
  // The order is that of PARTS.
  renderer.sortObjects = false;
  const scene = new Scene();
  const camera = new Camera();
  const shared = {
    clip: { value: new Matrix4() },
    key: { value: new Vector3() },
    line: { value: 1 },
  };
  let geometries: BufferGeometry[] = [];
  let size = "";
  const clear = (): void => {
    for (const geometry of geometries) geometry.dispose();
    for (const mesh of [...scene.children]) {
      scene.remove(mesh);
      (mesh as Mesh).material.dispose();
    }
  };
  return {
    canvas: renderer.domElement,
    setScene(meshes) {
      clear();
      const made = { floor: meshes.floor, surface: meshes.surface, rims: meshes.rims, paths: meshes.paths };
      const geometryOf = Object.fromEntries(
        Object.entries(made).map(([name, mesh]) => [name, toGeometry(mesh)]),
      );
      geometries = Object.values(geometryOf);
      for (const { mesh, kind, least, state } of PARTS) {
        const isPath = kind >= 2;
        const material = new RawShaderMaterial({
          glslVersion: GLSL3,
          vertexShader: VERTEX,
          fragmentShader: FRAGMENT,
          uniforms: {
            ...shared,
            line: isPath ? { value: 0 } : shared.line,
            kind: { value: kind },
            least: { value: least },
            ahead: { value: isPath ? LOOK.ahead / DEPTH : 0 },
            isGrid: { value: kind === 1 && meshes.isFaceted },
          },
          blending: NoBlending,
          depthFunc: LessDepth,
          ...state,
        });
        const drawn = new Mesh(geometryOf[mesh] as BufferGeometry, material);
        // Places become those of the picture in the shader, so that three.js cannot know what is in sight.
        drawn.frustumCulled = false;
        scene.add(drawn);
      }
    },
    draw(projection, place, fineness = 1) {
      const ratio = Math.min(2, window.devicePixelRatio) * fineness;
      // A canvas gets new memory whenever it is given a size, even the one that it has.
      const wanted = `${place.width} ${place.height} ${ratio}`;
      if (wanted !== size) {
        renderer.setPixelRatio(ratio);
        renderer.setSize(place.width, place.height);
        size = wanted;
      }
      shared.line.value = LOOK.line * ratio;
      shared.key.value.set(...keyLight(projection));
      shared.clip.value.set(...clipMatrix(projection, place));
      renderer.render(scene, camera);
    },
    dispose() {
      clear();
      renderer.dispose();
      renderer.domElement.remove();
    },
  };
}

function toGeometry({ index, ...attributes }: SceneMesh): BufferGeometry {
  const geometry = new BufferGeometry();
  for (const [name, values] of Object.entries(attributes))
    geometry.setAttribute(name, new BufferAttribute(values, name === "sky" ? 1 : 3));
  geometry.setIndex(new BufferAttribute(index, 1));
  return geometry;
}

/** The projection as a matrix, row by row, from the box to the cube that WebGL shows. */
function clipMatrix({ scale, right, up, toward, toScreen }: Projection, { x, y, width, height }: Rect) {
  const [cx, cy] = toScreen([0, 0, 0]);
  const [sx, sy] = [(2 * scale) / width, (2 * scale) / height];
  return [
    ...right.map((value) => sx * value),
    (2 * (cx - x)) / width - 1,
    ...up.map((value) => sy * value),
    1 - (2 * (cy - y)) / height,
    ...toward.map((value) => -value / DEPTH),
    0,
    ...[0, 0, 0, 1],
  ] as Parameters<Matrix4["set"]>;
}

(globalThis as unknown as StageMaker).createStage = createStage;
