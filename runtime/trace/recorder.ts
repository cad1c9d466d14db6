// All that it takes to record a run and to hand on what was recorded, in one module for those who seldom do.

export { PendingFile } from "./file.ts";
export { profileLines } from "./profile_text.ts";
export { Tracer } from "./tracer.ts";
