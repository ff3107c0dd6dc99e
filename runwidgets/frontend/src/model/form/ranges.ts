/** Ranges of numbers, such as `[0,1)`. */

const RANGE = /^\s*([[(])\s*([^,\s]*)\s*,\s*([^,\s]*)\s*([\])])\s*$/;

export interface Range {
  least: number | null;
  includesLeast: boolean;
  most: number | null;
  includesMost: boolean;
}

/** Parse a range such as `[0,1)`; null if there is none. */
export function parseRange(text: string | undefined): Range | null {
  const found = text === undefined ? null : RANGE.exec(text);
  if (!found) return null;
  const end = (given: string | undefined) => (given ? Number(given) : null);
  return {
    least: end(found[2]),
    includesLeast: found[1] === '[',
    most: end(found[3]),
    includesMost: found[4] === ']',
  };
}

/** Say which numbers a range takes, in words. */
export function describeRange(range: Range): string {
  const { least, most } = range;
  if (least !== null && most !== null && range.includesLeast && range.includesMost) return `${least} to ${most}`;
  const low = least === null ? [] : [`${range.includesLeast ? 'at least' : 'above'} ${least}`];
  const high = most === null ? [] : [`${range.includesMost ? 'at most' : 'below'} ${most}`];
  return [...low, ...high].join(' and ');
}
