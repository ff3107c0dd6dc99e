/** ANSI sequences and control characters in printed text. */

export interface Piece {
  text: string;
  colour: string | null;
  ground: string | null;
  isBold: boolean;
  isItalic: boolean;
  isUnderlined: boolean;
}

const SEQUENCE = /\x1b(?:\[([0-9;:?]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])/g;
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Make control characters visible, also those that change the direction of text; line ends and tabs are kept. */
export function visible(text: string, isOneLine = false): string {
  const shown = text.replace(UNSEEN, (sign) => {
    const code = sign.charCodeAt(0);
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return code === 127 ? '␡' : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
  return isOneLine ? shown.replace(/\n/g, '␊').replace(/\t/g, '␉') : shown;
}

const PLAIN: Omit<Piece, 'text'> = { colour: null, ground: null, isBold: false, isItalic: false, isUnderlined: false };
const LEVELS = [0, 95, 135, 175, 215, 255];

/** Return one of the 256 colours as CSS; the first sixteen are those of the theme. */
function indexed(index: number): string {
  if (index < 16) return `var(--rw-ansi-${index})`;
  if (index >= 232)
    return `rgb(${Array(3)
      .fill(8 + (index - 232) * 10)
      .join(', ')})`;
  const at = index - 16;
  return `rgb(${[Math.floor(at / 36), Math.floor(at / 6) % 6, at % 6].map((level) => LEVELS[level]).join(', ')})`;
}

function applyCodes(style: Omit<Piece, 'text'>, codes: number[]): void {
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) Object.assign(style, PLAIN);
    else if (code === 1) style.isBold = true;
    else if (code === 3) style.isItalic = true;
    else if (code === 4) style.isUnderlined = true;
    else if (code === 22) style.isBold = false;
    else if (code === 23) style.isItalic = false;
    else if (code === 24) style.isUnderlined = false;
    else if (code === 39) style.colour = null;
    else if (code === 49) style.ground = null;
    else if (code === 38 || code === 48) {
      const isIndexed = codes[at + 1] === 5;
      const given = codes.slice(at + 2, at + (isIndexed ? 3 : 5)).map((each) => Math.min(255, each));
      const made = isIndexed ? indexed(given[0] ?? 0) : `rgb(${[0, 1, 2].map((each) => given[each] ?? 0).join(', ')})`;
      if (code === 38) style.colour = made;
      else style.ground = made;
      at += isIndexed ? 2 : 4;
    } else if (code >= 30 && code <= 37) style.colour = indexed(code - 30);
    else if (code >= 90 && code <= 97) style.colour = indexed(code - 82);
    else if (code >= 40 && code <= 47) style.ground = indexed(code - 40);
    else if (code >= 100 && code <= 107) style.ground = indexed(code - 92);
  }
}

/** Cut text at its ANSI sequences; sequences that do not set a colour are dropped. */
export function readAnsi(text: string): Piece[] {
  const pieces: Piece[] = [];
  const style = { ...PLAIN };
  let from = 0;
  const keep = (until: number): void => {
    if (until > from) pieces.push({ text: text.slice(from, until), ...style });
  };
  for (const found of text.matchAll(SEQUENCE)) {
    keep(found.index);
    from = found.index + found[0].length;
    if (found[2] === 'm') applyCodes(style, (found[1] ?? '').split(/[;:]/).map(Number));
  }
  keep(text.length);
  return pieces;
}
