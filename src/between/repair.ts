import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { hasStatistics } from "../loss/slice-loss.js";
import type { Parameter, ParameterLayout } from "../model/layout.js";
import { openProbe, type ProbeOptions, watchCalls } from "./model-probe.js";
import { parameterIndices } from "./permutation-groups.js";
import { traceUnits } from "./trace-units.js";
import type { UnitMaker } from "./unit-rules.js";
import { FIXED } from "./unit-table.js";

/** Mean and deviation of each unit's values before the activation, layer by layer. */
export type UnitMoments = readonly {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}[];

/** Rescales the units of mixed networks. */
export interface Repairer {
  /** Samples of the calibration set. */
  readonly samples: number;
  readonly dataDigest: string;
  /** Names of the layers whose units are rescaled; none where the model has none. */
  readonly layers: readonly string[];
  /** Moments of a network's units. */
  moments(theta: Float32Array, signal?: AbortSignal): Promise<UnitMoments>;
  /**
   * Rescales and shifts every unit of `theta`, in place, so that its moments are those asked for, each layer after those
   * before it: the scale goes into kernel and bias. A unit that is constant is only shifted.
   */
  repairInto(theta: Float32Array, wanted: UnitMoments, signal?: AbortSignal): Promise<void>;
  /** Frees the calibration set. Idempotent. */
  dispose(): void;
}

/**
 * Returns moments between those of two networks: (1−α)·A + α·B, means and deviations.
 *
 * @see Jordan et al. 2023, equation 3.
 * @example const wanted = mixMoments(await repairer.moments(thetaA), await repairer.moments(thetaB), 0.5);
 */
export function mixMoments(a: UnitMoments, b: UnitMoments, alpha: number): UnitMoments {
  const mix = (x: Float64Array, y: Float64Array) => x.map((value, i) => (1 - alpha) * value + alpha * y[i]);
  return a.map(({ mean, deviation }, i) => ({
    mean: mix(mean, b[i].mean),
    deviation: mix(deviation, b[i].deviation),
  }));
}

/**
 * Creates what repairs the collapse of variance in averaged networks (REPAIR): each hidden unit of Dense, convolutional
 * and separable layers with a bias is rescaled and shifted so that its values before the activation have given moments
 * over a calibration set. Depthwise and recurrent layers are left as they are.
 *
 * Where a model has batch normalization its statistics are to be recalibrated instead, which does the same.
 *
 * The model's weights are put back bit for bit after each call. Cost: one forward pass over the set for each call.
 *
 * @param data - the calibration set, all of it in one batch; its targets are not used. Default first 1024 samples.
 * @throws {@link EvaluationError} for a model with batch normalization; {@link InvalidDataError} if the data do not fit.
 * @see Jordan, Sedghi, Saukh, Entezari and Neyshabur 2023.
 * @example
 * const repairer = await createRepairer(model, { xs, ys });
 * const [a, b] = [await repairer.moments(thetaA), await repairer.moments(thetaB)];
 * await repairer.repairInto(middle, mixMoments(a, b, 0.5));
 */
export async function createRepairer(
  model: tf.LayersModel,
  data: EvaluationData,
  options: Omit<ProbeOptions, "batchSize"> = {},
): Promise<Repairer> {
  const { sampleLimit = 1024 } = options;
  const probe = await openProbe(model, data, { ...options, sampleLimit, batchSize: sampleLimit });
  try {
    if (hasStatistics(probe.layout)) {
      const hint = 'evaluate with batchNorm "recalibrate", which does the same';
      throw new EvaluationError("repair", "a model without batch normalization", `"${model.name}" with it`, {
        hint,
      });
    }
    const makers = hiddenMakers(model, probe.layout);
    const pass = async (theta: Float32Array, wanted: UnitMoments | null, signal: AbortSignal | undefined) => {
      let found: UnitMoments = [];
      await probe.forEachBatch((_, runAt) => {
        found = momentsDuring(makers, wanted, () => runAt(theta));
      }, signal);
      return found;
    };
    return {
      samples: probe.samples,
      dataDigest: probe.dataDigest,
      layers: makers.map(({ layer }) => layer.name),
      moments: (theta, signal) => pass(theta, null, signal),
      async repairInto(theta, wanted, signal) {
        const found = await pass(theta, wanted, signal);
        makers.forEach((maker, m) => {
          foldInto(theta, maker, found[m], wanted[m]);
        });
      },
      dispose: probe.dispose,
    };
  } catch (error) {
    probe.dispose();
    throw error;
  }
}

/** A layer whose units are rescaled, and its weights in θ. */
interface PlacedMaker {
  readonly layer: tf.layers.Layer;
  readonly kernel: Parameter;
  /** Axis of the kernel that numbers the units. */
  readonly axis: number;
  readonly bias: Parameter;
}

/** Layers whose units are hidden: none of them is an output of the model, or read by an unknown layer. */
function hiddenMakers(model: tf.LayersModel, layout: ParameterLayout): PlacedMaker[] {
  const { table, makers, axes } = traceUnits(model);
  const indices = parameterIndices(model, layout);
  const parameterOf = ({ id }: tf.LayerVariable) => layout.parameters[indices.get(id) as number];
  const isHidden = ({ bias }: UnitMaker): boolean => {
    const units = axes.find(({ variable }) => variable.id === bias.id)?.units ?? [];
    return units.every((unit) => table.rootOf(unit) !== FIXED);
  };
  return makers.filter(isHidden).map(({ layer, kernels, bias, outputAxis }) => {
    const kernel = parameterOf(kernels[kernels.length - 1]);
    return { layer, kernel, axis: kernel.shape.length + outputAxis, bias: parameterOf(bias) };
  });
}

/** A layer's activation, which TF.js looks up by its class name. */
interface Activated {
  activation: { getClassName(): string; apply(x: tf.Tensor): tf.Tensor };
}

const LINEAR: Activated["activation"] = { getClassName: () => "linear", apply: (x) => x };

/** Runs a model with its units rescaled to the moments wanted (null: as they are), and returns those before that. */
function momentsDuring(
  makers: readonly PlacedMaker[],
  wanted: UnitMoments | null,
  run: () => tf.Tensor[],
): UnitMoments {
  const found: { mean: Float64Array; deviation: Float64Array }[] = [];
  const release = watchCalls(
    new Map(
      makers.map(({ layer }, m) => [
        layer,
        (call) => (inputs, kwargs) =>
          tf.tidy(() => {
            const activated = layer as unknown as Activated;
            const { activation } = activated;
            activated.activation = LINEAR;
            let values: tf.Tensor;
            try {
              values = call(inputs, kwargs) as tf.Tensor;
            } finally {
              activated.activation = activation;
            }
            found[m] ??= momentsOf(values);
            if (wanted === null) return activation.apply(values);
            const { scale, shift } = rescaling(found[m], wanted[m]);
            const row = (numbers: Float64Array) => tf.tensor1d(Float32Array.from(numbers));
            return activation.apply(tf.add(tf.mul(values, row(scale)), row(shift)));
          }),
      ]),
    ),
  );
  try {
    tf.dispose(run());
    return found;
  } finally {
    release();
  }
}

function momentsOf(values: tf.Tensor): UnitMoments[number] {
  const { mean, variance } = tf.moments(
    values,
    Array.from({ length: values.rank - 1 }, (_, axis) => axis),
  );
  return {
    mean: Float64Array.from(mean.dataSync()),
    deviation: Float64Array.from(variance.dataSync(), Math.sqrt),
  };
}

/** What makes values of the moments found into values of those wanted: x·scale + shift. */
function rescaling(found: UnitMoments[number], wanted: UnitMoments[number]) {
  const scale = found.deviation.map((deviation, i) => (deviation > 0 ? wanted.deviation[i] / deviation : 1));
  return { scale, shift: found.mean.map((mean, i) => wanted.mean[i] - scale[i] * mean) };
}

function foldInto(
  theta: Float32Array,
  { kernel, axis, bias }: PlacedMaker,
  found: UnitMoments[number],
  wanted: UnitMoments[number],
): void {
  const { scale, shift } = rescaling(found, wanted);
  const inner = kernel.shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  for (let i = 0; i < kernel.size; i++)
    theta[kernel.offset + i] *= scale[Math.floor(i / inner) % scale.length];
  for (let i = 0; i < bias.size; i++) theta[bias.offset + i] = theta[bias.offset + i] * scale[i] + shift[i];
}
