// How sessions fail. A file of its own, since whoever tells errors apart need not know sessions.

import { AttoflowError } from "../../targets/errors.ts";

/** The program on the machine failed, ended early or did not come to an end. */
export class SessionError extends AttoflowError {
  override name = "SessionError";
}
