import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Every public name, by door. A name that is added here is a promise: it stays until a major version.
 * What leaves a door is written into docs/migration.md.
 */
const DOORS: Record<string, { source: string; most: number; names: string }> = {
  ".": {
    source: "src/index.ts",
    most: 60,
    names: `
      AnalyzeCurvatureOptions AnalyzeLineOptions AnalyzePlaneOptions AnalyzeWeightsOptions BackendChoice BatchNormPolicyName
      CaptureOptions CompareRunsOptions CurvatureAnalysis EmbedOptions EngineChoice EvaluationData EvaluationSet Figure
      JumpOptions JumpRun JumpStudy LandscapeError LandscapeErrorCode LandscapeWarning LineAnalysis LineSpec
      LiveView LossEvaluator LossEvaluatorOptions LossValue ModelPoint NamedFigure PlaneAnalysis PlaneSpec
      Run RunsComparison RunsEmbedding Snapshot StoredFigures TrajectoryRecorder VariablesLoss WeightsAnalysis analyzeCurvature analyzeLine
      analyzePlane analyzeWeights compareRuns createLossEvaluator createTrajectoryRecorder createVariablesEvaluator embedRuns
      exportRun functionEvaluator jumpAndRetrain openModelPoint openRun readFigures selectBackend
      startLiveView writeReport`,
  },
  "./callbacks": {
    source: "callbacks/index.ts",
    most: 40,
    names: `
      CaptureSchedule LandscapeCallback LandscapeCallbackOptions LearningRateSchedule LearningRateScheduler
      LearningRateSchedulerOptions LivePageOptions LiveStabilityOptions TrajectoryCallback TrajectoryCallbackOptions
      landscapeCallback learningRateScheduler trajectoryCallback`,
  },
  "./embedding": {
    source: "src/doors/embedding.ts",
    most: 40,
    names: `
      DistanceSource LinearAlgebra PathContinuityOptions PcaEmbedding PersistenceDiagram PersistencePair
      PhateInput PhateOptions PhateResult PhateStability PhateStabilityOptions ProcrustesResult RunPoints
      ScalingOptions ScalingResult TrustworthinessOptions TsneOptions UmapOptions bettiCurve classicMds
      createLinearAlgebra distancesFromGram distancesFromMatrix distancesFromRows embedDistances
      neighbourGraph pathContinuity pcaEmbedding persistenceDiagram persistenceNull phate phateStability
      phateTransform procrustes readRunPoints sublevelPersistence totalPersistence trustworthiness
      tsneEmbedding umapEmbedding`,
  },
  "./surface": {
    source: "src/doors/surface.ts",
    most: 40,
    names: `
      ApproximateSurfaceOptions Directions EpsilonSharpness EvaluateSurfaceOptions Grid LevelSetWidth
      LineSlice NormalizeOptions Parameter ParameterLayout PcaDirections PcaOptions RandomDirections
      RandomDirectionsOptions Surface Trajectory approximateSurface assignWeights betweenModels coarseToFine
      createGrid customDirections epsilonSharpness evaluateSurface fillPartial interpolateLine layoutOfModel
      levelSetWidth meanLossRise normalizeDirection parseGrid pcaDirections projectTrajectory
      randomDirections randomLines randomWalkBaseline readWeights rowSourceOfRuns`,
  },
  "./between": {
    source: "src/doors/between.ts",
    most: 40,
    names: `
      Alignment AnalyzeConnectionOptions Barrier ConnectOptions Connection ConnectionAnalysis Curve CurveObjective CurveRequest
      Instability PathLosses Permutation PermutationGroups Repairer SolutionTree TrainCurveOptions alignModels alignedRuns analyzeConnection
      analyzeSolutionTree autoNeb barrierOf barriersOf connectModels createConnectionFigure createRepairer curvePath evaluatePath
      evaluateRepairedLine instabilityAnalysis inversePermutation linePath mixMoments openCurveObjective permutationGroups permuteWeights
      randomPermutation
      readConnection trainCurve writeConnection`,
  },
  "./path": {
    source: "src/doors/path.ts",
    most: 40,
    names: `
      AnalyzePathOptions ColumnGroup EmbedPredictionsOptions IntensivePca LayerPath PathAnalysis PathAverage PathFigureInput PathLossFigureInput
      PathProfile PathProfileOptions PathStatistics PathStatisticsOptions ProfileFacts ProfileSource
      analyzePath createPathFigure createPathLossFigure embedPredictions evaluatePathProfile geodesicPoint ignorance
      intensivePca intensivePcaTransform layerColumns pathAverages pathStatistics predictionDistances profileFacts
      readPathProfile readPathStatistics truth walkMeanMap writePathProfile writePathStatistics`,
  },
  "./curvature": {
    source: "src/doors/curvature.ts",
    most: 40,
    names: `
      AnalyzeStabilityOptions StabilityAnalysis StabilityPath analyzeStability
      CriticalSharpness CriticalSharpnessOptions Curvature CurvatureAtScale
      CurvatureAtScaleOptions CurvatureOptions CurvaturePoint CurvatureSummary DensityOptions EigenpairOptions Eigenpairs HessianOperator
      HessianOperatorOptions OptimizerSettings ProjectedHessian RadiusCurves SpectralDensity
      StabilityThreshold SymmetricOperator TraceEstimate TraceOptions WeightBlock adamScale
      createCurvature criticalSharpness curvatureAtScale estimateTrace hessianDirections hessianOperator
      preconditionedOperator projectedHessian radiusCurves spectralDensity stabilityThreshold
      topEigenpairs weightBlocks`,
  },
  "./sweep": {
    source: "src/doors/sweep.ts",
    most: 40,
    names: `
      CreateSweepFigures OwnFigures SettingValue Sweep SweepFigureOptions SweepFigures SweepFiguresTask SweepOptions SweepReport SweepRun SweepSettings SweepStudy SweepTask SweepValues
      createSweepFigure createSweepTable defineSweep runSweep sweepReport`,
  },
  "./queue": {
    source: "src/doors/queue.ts",
    most: 40,
    names: "QueueRunner QueueRunnerOptions QueueWorker QueueWorkerOptions createQueueRunner startQueueWorker",
  },
  "./figures": {
    source: "src/doors/figures.ts",
    most: 40,
    names: `
      ContourScale CurvesPanel DrawOptions EmbeddingFigureOptions LineFigureOptions MapPanel MapsFigureInput
      Panel Path PictureSize RenderGifOptions RenderPngOptions ReportData RunData ScatterPanel TablePanel
      TrajectoryFigureInput createAngleFigure createComparedLinesFigure createComparisonTable
      createContourScale createEmbeddingFigure createHistogramFigure createLineFigure createMapsFigure
      createNormsFigure createPlanesFigure createTopologyFigure createTrainingFigure createTrajectoryFigure
      figureOption figureSize inSpace renderGif renderHtml renderPng renderSvg runSettings tableCsv withScale`,
  },
  "./files": {
    source: "src/doors/files.ts",
    most: 40,
    names: `
      NotebookOptions OptimizerState RenderMp4Options momentDirections notebookHtml readOptimizerState renderMp4 renderWebp
      InterruptedSurface JsonNumber JsonValue Provenance RunManifest RunWriter RunWriterOptions SnapshotInfo
      StepAngles WeightHistograms WeightStatistics createRunWriter provenanceDigest readDirections
      readEmbedding readHistograms readInterruptedSurface readLineSlice readStepAngles readSurface
      readTrajectory readWeightStatistics writeDirections writeEmbedding writeHistograms writeLineSlice
      writeStepAngles writeSurface writeTrajectory writeWeightStatistics`,
  },
  "./errors": {
    source: "src/doors/errors.ts",
    most: 40,
    names: `
      BackendError EvaluationError FormatError InvalidDataError InvalidOptionError LandscapeErrorOptions
      LayoutError MissingDependencyError RunStateError`,
  },
};

const options: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  skipLibCheck: true,
  types: ["node"],
};
const sources = Object.values(DOORS).map(({ source }) => join(root, source));
const program = ts.createProgram(sources, options);
const checker = program.getTypeChecker();

/** The names that a door exports, types included. */
function exportedBy(source: string): string[] {
  const file = program.getSourceFile(join(root, source));
  const symbol = file && checker.getSymbolAtLocation(file);
  if (symbol === undefined) throw new Error(`${source}: expected a module, got none`);
  return checker
    .getExportsOfModule(symbol)
    .map(({ name }) => name)
    .sort();
}

function listOf(names: string): string[] {
  return names.trim().split(/\s+/).sort();
}

describe("the doors of the package", () => {
  test.each(Object.entries(DOORS))("%s has these names", (_, { source, most, names }) => {
    const exported = exportedBy(source);
    expect(exported).toEqual(listOf(names));
    expect(exported.length).toBeLessThanOrEqual(most);
  });

  test("package.json opens these doors and no other", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(Object.keys(exports).filter((path) => path !== "./package.json")).toEqual(Object.keys(DOORS));
    for (const [path, { source }] of Object.entries(DOORS)) {
      expect(exports[path].default).toBe(`./dist/${source.replace(/\.ts$/, ".js")}`);
    }
  });

  test("a name has one door", () => {
    const all = Object.values(DOORS).flatMap(({ names }) => listOf(names));
    expect(all.filter((name, i) => all.indexOf(name) !== i)).toEqual([]);
  });

  test("every name is used by a page or an example, or is the type of one that is", () => {
    const values = Object.values(DOORS).flatMap(({ source }) => valuesOf(source));
    expect(values.filter((name) => !new RegExp(`\\b${name}\\b`).test(pages()))).toEqual([]);
  });
});

test("every public function has an example in its docstring", () => {
  const bare = Object.values(DOORS).flatMap(({ source }) => {
    const file = program.getSourceFile(join(root, source)) as ts.SourceFile;
    return checker
      .getExportsOfModule(checker.getSymbolAtLocation(file) as ts.Symbol)
      .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
      .filter((symbol) => (symbol.flags & ts.SymbolFlags.Function) !== 0)
      .filter((symbol) => !symbol.getJsDocTags(checker).some(({ name }) => name === "example"))
      .map(({ name }) => name);
  });
  expect(bare).toEqual([]);
});

/** Functions, classes and constants of a door. */
function valuesOf(source: string): string[] {
  const file = program.getSourceFile(join(root, source)) as ts.SourceFile;
  return checker
    .getExportsOfModule(checker.getSymbolAtLocation(file) as ts.Symbol)
    .filter((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return (target.flags & ts.SymbolFlags.Value) !== 0;
    })
    .map(({ name }) => name);
}

/** What a user reads: README, pages and examples. docs/migration.md, which names all that is gone, does not count. */
function pages(): string {
  const { readFile, readDirectory } = ts.sys;
  const texts = ["docs", "examples"].flatMap((folder) => readDirectory(join(root, folder), [".md", ".ts"]));
  return [join(root, "README.md"), ...texts]
    .filter((file) => !file.includes("node_modules") && !file.endsWith("migration.md"))
    .map((file) => readFile(file) ?? "")
    .join("\n");
}
