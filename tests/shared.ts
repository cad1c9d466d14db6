// Where the data that nobody here made up is found: `../shared` beside the checkout, never in the repository.

/**
 * Path of something in the `shared` folder beside the checkout.
 *
 * @param relative path inside the folder, such as `data/ita-vectors`
 * @returns the path, or undefined (with a line on the console) when it is not there
 */
export function sharedPath(relative: string): string | undefined {
  const url = new URL(`../../shared/${relative}`, import.meta.url);
  try {
    Deno.statSync(url);
    return decodeURIComponent(url.pathname);
  } catch {
    console.log(`skipped: ../shared/${relative} is not beside this checkout`);
    return undefined;
  }
}
