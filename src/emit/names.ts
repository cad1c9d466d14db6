// Names from a model file made safe for C: identifiers, and text for comments and strings. Whatever stands in a
// name, what comes out is plain ASCII of limited length.

/** Words of C that an identifier must not be, and `main`. */
const reserved = new Set(
  ("alignas alignof auto bool break case char const constexpr continue default do double else enum extern false " +
    "float for goto if inline int long main nullptr register restrict return short signed sizeof static " +
    "static_assert struct switch thread_local true typedef typeof union unsigned void volatile while asm unix linux")
    .split(" "),
);

/** Longest identifier and longest comment text made from a name. */
const identifierLength = 40;
const textLength = 72;

/** A lower-case C identifier that reads like the name; not unique. */
export function identifier(name: string): string {
  const plain = name.slice(0, 4 * identifierLength).toLowerCase().replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "").slice(0, identifierLength).replace(/_+$/, "");
  if (plain === "") return "unnamed";
  return /^[0-9]/.test(plain) || reserved.has(plain) ? `n_${plain}` : plain;
}

/** Identifiers for all names, in order; where two would be equal, the position is added. */
export function identifiers(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name, index) => {
    const plain = identifier(name);
    let own = plain;
    for (let number = index; taken.has(own); number++) own = `${plain}_no${number}`;
    taken.add(own);
    return own;
  });
}

/** The name as it may stand inside a comment or a string literal of C: printable, on one line, ending nothing. */
export function text(name: string): string {
  const plain = [...name.slice(0, 2 * textLength)]
    .map((character) => /[ -~]/.test(character) ? character : "?").join("")
    .replaceAll('"', "'").replaceAll("\\", "/").replaceAll("??", "?.").replaceAll("*/", "* /").replaceAll(
      "/*",
      "/ *",
    );
  return plain.length < name.length || plain.length > textLength ? `${plain.slice(0, textLength)}...` : plain;
}
