// Writes Whisper-Tiny's encoder as files: `deno run --allow-read --allow-write examples/whisper-tiny-encoder/build.ts
// [FOLDER]`.

import { buildScript } from "../network_example.ts";
import { buildWhisperEncoder } from "./whisper.ts";

if (import.meta.main) await buildScript("whisper-tiny-encoder", buildWhisperEncoder);
