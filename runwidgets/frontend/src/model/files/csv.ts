/** Parse separated values with quotes, doubled quotes and line ends inside quotes; at most `mostRows` rows. */
export function parseTable(text: string, separator: string, mostRows: number): { rows: string[][]; isWhole: boolean } {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at] ?? '';
    if (isQuoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else isQuoted = false;
    } else if (sign === '"' && cell === '') isQuoted = true;
    else if (sign === separator) {
      row.push(cell);
      cell = '';
    } else if (sign === '\n') {
      row.push(cell.replace(/\r$/, ''));
      rows.push(row);
      row = [];
      cell = '';
      if (rows.length === mostRows) return { rows, isWhole: at === text.length - 1 };
    } else cell += sign;
  }
  if (cell !== '' || row.length > 0) {
    row.push(cell);
    rows.push(row);
  }
  return { rows, isWhole: true };
}

/** Return the separator of a CSV file: many are written with semicolons. */
export function separatorOf(text: string): string {
  const line = text.slice(0, text.search(/\n|$/));
  return !line.includes(',') && line.includes(';') ? ';' : ',';
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITE = /^([+-]?)inf(inity)?$/i;
const collator = new Intl.Collator(undefined, { numeric: true });

/** Return a cell as a number; null if it is not one, or NaN. */
export function numberOf(cell: string): number | null {
  const text = cell.trim();
  const infinite = INFINITE.exec(text);
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity;
  return NUMBER.test(text) ? Number(text) : null;
}

/** Sort rows by a column: numbers as numbers and before words, empty cells last in both directions. */
export function sortRows(rows: readonly string[][], column: number, isRising: boolean): string[][] {
  const keyed = rows.map((row) => {
    const cell = row[column] ?? '';
    const rank = cell.trim() === '' || /^nan$/i.test(cell.trim()) ? 2 : numberOf(cell) === null ? 1 : 0;
    return { row, cell, rank, number: numberOf(cell) ?? 0 };
  });
  const sign = isRising ? 1 : -1;
  keyed.sort((one, other) => {
    if (one.rank === 2 || other.rank === 2) return (one.rank === 2 ? 1 : 0) - (other.rank === 2 ? 1 : 0);
    if (one.rank !== other.rank) return sign * (one.rank - other.rank);
    if (one.rank === 1) return sign * collator.compare(one.cell, other.cell);
    return one.number === other.number ? 0 : sign * (one.number < other.number ? -1 : 1);
  });
  return keyed.map((each) => each.row);
}

/** Return rows of texts as CSV, in the format of RFC 4180. */
export function writeCsv(rows: readonly (readonly string[])[]): string {
  const quote = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  return rows.map((cells) => `${cells.map(quote).join(',')}\r\n`).join('');
}
