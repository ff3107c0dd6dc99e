/** The lines of a log. */

/** Add printed text to lines; a carriage return goes back to the beginning of the line, as on a terminal. */
export function addText(lines: string[], text: string): void {
  const pieces = text.replace(/\r\n/g, '\n').split('\n');
  pieces.forEach((piece, at) => {
    if (at > 0 || lines.length === 0) lines.push('');
    const whole = (lines[lines.length - 1] ?? '') + piece;
    const ended = whole.endsWith('\r');
    const visible = (ended ? whole.slice(0, -1) : whole).split('\r');
    lines[lines.length - 1] = (visible[visible.length - 1] ?? '') + (ended ? '\r' : '');
  });
}
