// `bench --ita`: what ITA reaches with everything around it (DMA, programming, padding, start and end of the
// inference), from inputs in L2 to outputs in L2, and what the eight cores reach without it.

import { attention, gemm, type KernelExample } from "../../examples/kernels.ts";
import { readGeneratedImage } from "../../runtime/host/folder.ts";
import { openSession } from "../../runtime/host/open.ts";
import type { Target } from "../../targets/schema.ts";
import { generate } from "../generate.ts";
import { exportModel } from "../onnx/export.ts";
import { grouped, print, printJson, tableLines } from "./output.ts";
import { withTemporaryFolder } from "./temporary.ts";

/** One workload on one set of engines. */
interface ItaMeasurement {
  readonly workload: string;
  readonly engines: string;
  readonly macs: number;
  /** Cycles of the first inference behind reset, and of the second, when code is in the instruction cache. */
  readonly firstCycles: number;
  readonly cycles: number;
  /** Share of ITA's peak. */
  readonly utilisation: number;
  /** 2 x MACs at the target's clock. */
  readonly gops: number;
  /** Recalled from the paper's body and not checked again (soc.md); only for the same kind of work. */
  readonly publishedGops?: number;
}

const published = { gemm: 741, attention: 663 };

function workloads(): { example: KernelExample; published: number }[] {
  const gemms = [gemm(512, 512, 512), gemm(256, 256, 256), gemm(128, 512, 128)];
  const attentions = [1, 4].flatMap((heads) =>
    [128, 256, 512].flatMap((tokens) =>
      [128, 512].map((embedding) => attention({ tokens, embedding, width: 64, heads }))
    )
  );
  return [
    ...gemms.map((example) => ({ example, published: published.gemm })),
    ...attentions.map((example) => ({ example, published: published.attention })),
  ];
}

/** Runs and prints the benchmark. */
export async function benchItaWorkloads(
  target: Target,
  cc: string | undefined,
  json: boolean,
): Promise<void> {
  const cores: Target = { ...target, engines: target.engines.filter((engine) => engine !== "ita") };
  const results: ItaMeasurement[] = [];
  await withTemporaryFolder(async (folder) => {
    const run = async (example: KernelExample, on: Target, publishedGops?: number) => {
      const result = { ...await measure(example, on, `${folder}/${results.length}`, cc), publishedGops };
      results.push(result);
      if (json) printJson({ type: "ita-workload", ...result });
    };
    for (const { example, published } of workloads()) await run(example, target, published);
    await run(gemm(256, 256, 256), cores);
  });
  if (json) return;
  const lines = results.map((result) => [
    result.workload,
    result.engines,
    grouped(result.macs),
    grouped(result.firstCycles),
    grouped(result.cycles),
    `${(100 * result.utilisation).toFixed(1)} %`,
    result.gops.toFixed(result.gops < 10 ? 2 : 0),
    result.publishedGops?.toFixed(0) ?? "",
  ]);
  const heads = ["workload", "engines", "MACs", "first", "cycles", "of ITA's peak", "GOp/s", "published"];
  print(...tableLines([heads, ...lines]));
  const alone = results.at(-1)!;
  const together = results.find(({ workload, engines }) =>
    workload === alone.workload && engines !== alone.engines
  )!;
  print(
    "",
    `ITA brings ${(alone.cycles / together.cycles).toFixed(0)} times the speed of the eight cores on ` +
      `${alone.workload} (published: about 1000 times at the engine, against simpler kernels)`,
  );
}

async function measure(
  { model, inputs }: KernelExample,
  target: Target,
  folder: string,
  cc: string | undefined,
): Promise<ItaMeasurement> {
  const bytes = exportModel(model);
  const { program } = await generate({
    bytes,
    import: { name: model.name, softmaxShift: 0 },
    target,
    out: folder,
    cc,
  });
  await using session = await openSession(await readGeneratedImage(folder), {});
  const first = await session.infer(inputs);
  const { cycles } = await session.infer(inputs);
  const { lanes, elements } = target.ita!;
  const engines = new Set(program.layers.map(({ engine }) => engine).filter((engine) => engine !== "none"));
  return {
    workload: model.name,
    engines: [...engines].join(", "),
    macs: program.macs,
    firstCycles: first.cycles,
    cycles,
    utilisation: program.macs / (lanes * elements) / cycles,
    gops: 2 * program.macs / cycles * target.clock.hertz / 1e9,
  };
}
