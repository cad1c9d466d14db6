// Worker of `conformance networks`: answers each case with its result.

import { type NetworkCase, runNetworkCase } from "./network_case.ts";

/** The part of a Worker's global scope that is used here. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<NetworkCase>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data }) => scope.postMessage(await runNetworkCase(data));
