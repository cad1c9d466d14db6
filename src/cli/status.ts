// Exit statuses: 0 done, 1 the machine or the comparison failed, 2 wrong usage or bad input.

import { SessionError } from "../../runtime/host/session_error.ts";
import { GuestFault } from "../../runtime/soc/fault.ts";
import type { AttoflowError } from "../../targets/errors.ts";

/** Exit status for an error that ends a command. */
export function statusOf(error: AttoflowError): 1 | 2 {
  return error instanceof GuestFault || error instanceof SessionError ? 1 : 2;
}
