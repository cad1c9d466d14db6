// Errors for people. Both halves throw this one; the command line prints it as one paragraph.

/** A problem that the person who runs the tool can understand and mend: what is wrong, where, what to do. */
export class AttoflowError extends Error {
  override name = "AttoflowError";
  /** File, node, tensor, address … that the problem is in. */
  readonly where?: string;
  /** What the person can do about it. */
  readonly hint?: string;

  constructor(what: string, details: { where?: string; hint?: string; cause?: unknown } = {}) {
    super(what, { cause: details.cause });
    this.where = details.where;
    this.hint = details.hint;
  }

  /** One paragraph: `where: what. hint`. */
  get paragraph(): string {
    const head = this.where ? `${this.where}: ${this.message}` : this.message;
    return this.hint ? `${head.replace(/\.?$/, ".")} ${this.hint}` : head;
  }
}
