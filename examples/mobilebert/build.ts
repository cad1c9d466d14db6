// Writes MobileBERT as files: `deno run --allow-read --allow-write examples/mobilebert/build.ts [FOLDER]`.

import { buildScript } from "../network_example.ts";
import { buildMobileBert } from "./mobilebert.ts";

if (import.meta.main) await buildScript("mobilebert", buildMobileBert);
