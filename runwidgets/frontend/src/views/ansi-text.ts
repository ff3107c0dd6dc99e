/** Text with the colours that its ANSI sequences set. */
import { type Piece, readAnsi, visible } from '../model/ansi';
import { h } from './dom';

/** Show a piece of text with its colours. A background colour becomes a line below, so that the contrast is kept. */
export function spanOf(piece: Piece): HTMLElement {
  const span = h('span', {}, visible(piece.text));
  // An RGB colour is mixed with that of the text, so that it is legible in every theme.
  if (piece.colour?.startsWith('rgb')) span.style.color = `color-mix(in srgb, ${piece.colour} 35%, var(--rw-ink))`;
  else if (piece.colour) span.style.color = piece.colour;
  if (piece.ground) span.style.boxShadow = `inset 0 -2px ${piece.ground}`;
  if (piece.isBold) span.style.fontWeight = '600';
  if (piece.isItalic) span.style.fontStyle = 'italic';
  if (piece.isUnderlined) span.style.textDecoration = 'underline';
  return span;
}

/** Show text with its colours. */
export function ansiText(text: string, kind: string): HTMLElement {
  return h('pre', { class: kind }, ...readAnsi(text).map(spanOf));
}
