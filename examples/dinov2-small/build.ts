// Writes DINOv2-Small as files: `deno run --allow-read --allow-write examples/dinov2-small/build.ts [FOLDER]`.

import { buildScript } from "../network_example.ts";
import { buildDinoV2 } from "./dinov2.ts";

if (import.meta.main) await buildScript("dinov2-small", buildDinoV2);
