import * as tf from "@tensorflow/tfjs";
import type { ValueId } from "./graph.js";
import { type GraphBuilder, number } from "./graph-builder.js";
import { asOneHot, normalized } from "./loss-forms.js";

/** Where a loss clips, as 0 and 1 per sample (and time step). */
export interface ClipValues {
  /** Cut at either end. */
  readonly any: ValueId;
  /** Cut where the loss would go on growing. */
  readonly capped: ValueId;
}

/** Marks the clipped samples of a batch, from targets and probabilities. */
export type ClipForm = (builder: GraphBuilder, yTrue: ValueId, yPred: ValueId) => ClipValues;

/** Returns where each of TF.js's losses clips, or null where it does not; see `clipMarks`. */
export function clipForm(loss: string): ClipForm | null {
  return Object.hasOwn(clipForms, loss) ? (clipForms[loss] as ClipForm) : null;
}

const both = (b: GraphBuilder, x: ValueId, y: ValueId): ValueId => b.binary("mul", x, y);
const either = (b: GraphBuilder, x: ValueId, y: ValueId): ValueId => b.binary("maximum", x, y);
const anyClass = (b: GraphBuilder, marks: ValueId): ValueId => b.reduce("max", marks);

function marks(b: GraphBuilder, counts: ValueId, p: ValueId, highest: number): ClipValues {
  const low = both(b, counts, b.binary("less", p, number(tf.backend().epsilon())));
  const high = both(b, counts, b.binary("greater", p, number(highest)));
  return { any: anyClass(b, either(b, low, high)), capped: anyClass(b, low) };
}

const clipForms: Readonly<Record<string, ClipForm>> = {
  categoricalCrossentropy: (b, yTrue, yPred) => {
    const counts = b.binary("greater", yTrue, number(0));
    return marks(b, counts, normalized(b, yPred), 1 - tf.backend().epsilon());
  },
  sparseCategoricalCrossentropy: (b, yTrue, yPred) =>
    marks(b, asOneHot(b, yTrue, yPred), normalized(b, yPred), 1 - tf.backend().epsilon()),
  kullbackLeiblerDivergence: (b, yTrue, yPred) => marks(b, b.binary("greater", yTrue, number(0)), yPred, 1),
  binaryCrossentropy: (b, yTrue, yPred) => {
    const epsilon = tf.backend().epsilon();
    const low = b.binary("less", yPred, number(epsilon));
    const high = b.binary("greater", yPred, number(1 - epsilon));
    const wrong = either(
      b,
      both(b, low, b.binary("greater", yTrue, number(0))),
      both(b, high, b.binary("less", yTrue, number(1))),
    );
    return { any: anyClass(b, either(b, low, high)), capped: anyClass(b, wrong) };
  },
};
