import type { EChartsOption } from "echarts";
import { init } from "../draw/echarts.js";
import { addButton } from "./player.js";

/** Size of a picture in px. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** What is saved: drawn anew each time, in light colours and without the page's own texts. */
export interface Saved {
  readonly option: EChartsOption;
  readonly size: PictureSize;
}

/** Pixels of a saved PNG for each px. */
const PNG_SCALE = 3;

/** Adds buttons that save a picture as SVG and as PNG, with the page's font inside. */
export function addDownloads(toolbar: HTMLElement, name: string, picture: () => Saved): void {
  addButton(toolbar, "Save SVG", () => saveSvg(name, picture()));
  addButton(toolbar, "Save PNG", () => {
    savePng(name, picture()).catch((cause: unknown) => {
      // Without a canvas of this size there is nothing to save; the SVG button still works.
      throw new Error("saving the PNG failed", { cause });
    });
  });
}

function saveSvg(name: string, saved: Saved): void {
  save(`${fileName(name)}.svg`, new Blob([svgText(saved)], { type: "image/svg+xml" }));
}

async function savePng(name: string, saved: Saved): Promise<void> {
  const { width, height } = saved.size;
  const url = URL.createObjectURL(new Blob([svgText(saved)], { type: "image/svg+xml" }));
  try {
    const image = new Image(width, height);
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = width * PNG_SCALE;
    canvas.height = height * PNG_SCALE;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (blob === null) throw new Error(`no canvas of ${canvas.width} × ${canvas.height}`);
    save(`${fileName(name)}.png`, blob);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The picture as a document that carries the page's own font. */
function svgText({ option, size }: Saved): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  try {
    chart.setOption(option);
    const fonts = document.querySelector("style")?.textContent?.match(/@font-face\{[^}]*\}/g) ?? [];
    return chart
      .renderToSVGString()
      .replace(/^(<svg[^>]*>)/, (open) => `${open}\n<style>${fonts.join("")}</style>`);
  } finally {
    chart.dispose();
  }
}

function save(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A title as a file name that every system takes. */
function fileName(title: string): string {
  const plain = title
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .toLowerCase();
  return plain.slice(0, 60) || "figure";
}
