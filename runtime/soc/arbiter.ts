// The round-robin arbiter that the cluster uses everywhere (snitch-cluster.md, section 8, rule 2).

/** Index of the lowest bit that is set; the mask must not be 0. */
export function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** Bits of `mask` above bit `index`. */
function above(mask: number, index: number): number {
  return index >= 31 ? 0 : mask & (-2 << index);
}

/**
 * The requester that wins: the tree over the ports is walked from the top bit, taking the upper half if it has a
 * request and the lower half has none or that bit of the pointer is 1.
 *
 * @param requests mask of the ports that request; not 0
 * @param pointer the arbiter's pointer
 * @param levels height of the tree: the number of ports is padded to 2^levels
 */
export function winner(requests: number, pointer: number, levels: number): number {
  if ((requests & (requests - 1)) === 0) return lowestBit(requests);
  let port = 0;
  for (let level = levels - 1; level >= 0; level--) {
    const half = 1 << level;
    const lower = (requests >>> port) & (level === 5 ? -1 : (1 << half) - 1);
    const upper = half >= 32 ? 0 : (requests >>> (port + half)) & (half === 16 ? 0xffff : (1 << half) - 1);
    if (upper !== 0 && (lower === 0 || (pointer >>> level & 1) === 1)) port += half;
  }
  return port;
}

/** The pointer after a grant among `requests`, the winner included. */
export function nextPointer(requests: number, pointer: number): number {
  const higher = above(requests, pointer);
  return lowestBit(higher !== 0 ? higher : requests);
}
