const mask = Buffer.from('***');

/** Lines of a value of several are masked one by one from this length on: shorter ones, such as `}`, are in every output. */
const shortestLine = 4;

/** Replaces secrets in a stream of output by `***`, also where one is cut into several chunks. */
export class OutputMask {
  private readonly needles: readonly Buffer[];
  private pending: Buffer = Buffer.alloc(0);

  constructor(values: readonly string[]) {
    const texts = values.flatMap((value) => [value.trim(), ...value.split(/\r?\n/).filter((line) => line.trim().length >= shortestLine)]);
    // Longer ones first: one may begin as another does.
    this.needles = [...new Set(texts)]
      .filter((text) => text !== '')
      .map((text) => Buffer.from(text))
      .toSorted((a, b) => b.length - a.length);
  }

  /** What of the output so far can be shown: the end is held back while it may be the beginning of a secret. */
  write(chunk: Buffer): Buffer {
    if (this.needles.length === 0) return chunk;
    const shown: Buffer[] = [];
    let rest = this.pending.length > 0 ? Buffer.concat([this.pending, chunk]) : chunk;
    for (let found = this.first(rest); found; found = this.first(rest)) {
      shown.push(rest.subarray(0, found.at), mask);
      rest = rest.subarray(found.at + found.length);
    }
    const held = this.beginning(rest);
    shown.push(rest.subarray(0, rest.length - held));
    this.pending = rest.subarray(rest.length - held);
    return Buffer.concat(shown);
  }

  /** What was held back, when the output has ended. */
  end(): Buffer {
    const rest = this.pending;
    this.pending = Buffer.alloc(0);
    return rest;
  }

  private first(bytes: Buffer): { readonly at: number; readonly length: number } | undefined {
    let found: { at: number; length: number } | undefined;
    for (const needle of this.needles) {
      const at = bytes.indexOf(needle);
      if (at !== -1 && (!found || at < found.at)) found = { at, length: needle.length };
    }
    return found;
  }

  /** Length of the longest end that a secret begins with. */
  private beginning(bytes: Buffer): number {
    let longest = 0;
    for (const needle of this.needles) {
      for (let length = Math.min(needle.length - 1, bytes.length); length > longest; length--)
        if (bytes.subarray(bytes.length - length).equals(needle.subarray(0, length))) longest = length;
    }
    return longest;
  }
}
