/** What renders Markdown: loaded when there is some, since its parser is as large as a view. */
export { markdown } from '../../views/previews/markdown';
