/** Markdown as elements. Only the tokens of the parser are used: HTML stays text, and nothing is loaded. */
import { Lexer, type Token, type Tokens } from 'marked';
import { visible } from '../../model/ansi';
import { h } from '../dom';

type Tag = keyof HTMLElementTagNameMap;

/** Only absolute web and mail addresses become links: no scripts, nothing of this server. */
const isSafe = (address: string): boolean => /^(https?:\/\/|mailto:)/i.test(address);

/** Return text with its entities decoded. */
function decode(text: string): string {
  return text.replace(
    /&(#\d{1,7}|#x[\da-f]{1,6}|\w{1,31});/gi,
    (entity) => new DOMParser().parseFromString(entity, 'text/html').documentElement.textContent ?? entity,
  );
}

const all = (tokens: Token[] | undefined): (Node | string)[] => (tokens ?? []).map(nodeOf);

function nodeOf(token: Token): Node | string {
  const children = (): (Node | string)[] => all((token as Tokens.Generic).tokens);
  switch (token.type) {
    case 'space':
    case 'def':
      return '';
    case 'heading':
      return h(`h${Math.min(6, (token as Tokens.Heading).depth + 2)}` as Tag, {}, ...children());
    case 'paragraph':
      return h('p', {}, ...children());
    case 'blockquote':
      return h('blockquote', {}, ...children());
    case 'strong':
    case 'em':
    case 'del':
      return h(token.type, {}, ...children());
    case 'hr':
    case 'br':
      return h(token.type);
    case 'code':
      return h('pre', { class: 'rw-code', tabindex: 0 }, visible((token as Tokens.Code).text));
    case 'codespan':
      return h('code', {}, visible((token as Tokens.Codespan).text));
    case 'list':
      return listOf(token as Tokens.List);
    case 'checkbox':
      return (token as Tokens.Checkbox).checked ? '☑ ' : '☐ ';
    case 'table':
      return tableOf(token as Tokens.Table);
    case 'link': {
      const { href } = token as Tokens.Link;
      if (!isSafe(href)) return h('span', {}, ...children(), ` (${visible(href, true)})`);
      return h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, ...children());
    }
    case 'image': {
      const { href, text } = token as Tokens.Image;
      if (/^data:image\/(png|jpeg|gif|webp);base64,/i.test(href))
        return h('img', { class: 'rw-image', alt: visible(text, true), src: href });
      return h('span', { class: 'rw-dim' }, `🖼 ${visible(text, true)} (${visible(href, true)})`);
    }
    case 'text': {
      const { tokens, text } = token as Tokens.Text;
      return tokens ? h('span', {}, ...all(tokens)) : visible(decode(text));
    }
    case 'escape':
      return visible((token as Tokens.Escape).text);
    default:
      return visible(token.raw);
  }
}

function listOf(token: Tokens.List): HTMLElement {
  const items = token.items.map((item) => h('li', {}, ...all(item.tokens)));
  return token.ordered ? h('ol', { start: token.start === '' ? null : token.start }, ...items) : h('ul', {}, ...items);
}

function tableOf(token: Tokens.Table): HTMLElement {
  const cells = (tag: 'th' | 'td', row: Tokens.TableCell[]) =>
    row.map((cell) => h(tag, tag === 'th' ? { scope: 'col' } : {}, ...all(cell.tokens)));
  return h(
    'div',
    { class: 'rw-scroll', tabindex: 0 },
    h(
      'table',
      { class: 'rw-table' },
      h('thead', {}, h('tr', {}, ...cells('th', token.header))),
      h('tbody', {}, ...token.rows.map((row) => h('tr', {}, ...cells('td', row)))),
    ),
  );
}

/** Show Markdown; HTML in it is shown as it is written. */
export function markdown(text: string): HTMLElement {
  return h('div', { class: 'rw-markdown' }, ...all(new Lexer({ gfm: true }).lex(text)));
}
